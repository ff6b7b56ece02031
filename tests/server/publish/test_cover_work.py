"""Work of cover traffic: the same as for a report, with an empty answer and nothing stored."""

import base64
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from sqlalchemy import event

from server.app.app import Application, create_app
from server.context import Server
from server.errors import Refused
from server.publish.api import _publish
from server.verification.api import _certificate, _verify
from server.verification.limits import ClientLimits
from server.verification.rules import issue_code
from tests.server.homes import NOW, TODAY, days_of_keys, key, make_settings, open_server, upload_of
from tracing_core.clock import ManualClock
from tracing_core.http.publish_request import PublishedKey, key_hmac
from tracing_core.http.verification import IssueRequest

COSTLY = ("sqlite3", "_hashlib", "cryptography", "asn1")
SECRET = bytes(range(16))
WRONG = {"code": "00000000", "token": "x" * 43, "certificate": "x" * 500}


class Work(NamedTuple):
    """Work of the server for one request."""

    statements: list[str]
    """SQL statements, transactions included, with the number of rows."""
    calls: Counter[str]
    """Calls of the libraries that store, hash, sign and encrypt."""
    frames: int
    """Pages written to the write-ahead log."""
    length: int
    """Length of the answer, with its status line."""


class Reporter:
    """Sends the three requests of a report directly to the routes, and measures the work."""

    def __init__(self, app: Application) -> None:
        self.server: Server = app.server
        self.limits: ClientLimits = app.limits
        self.answers: list[dict[str, object]] = []
        self._statements: list[str] = []
        engine = self.server.database.engine
        event.listen(engine, "before_cursor_execute", self._note)
        event.listen(engine, "commit", lambda _: self._statements.append("COMMIT"))

    def _note(self, *arguments: object) -> None:
        _, _, statement, parameters, _, is_many = arguments
        assert isinstance(parameters, list | tuple | dict)
        rows = len(parameters) if is_many else 1
        text = str(statement).replace("ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT")
        self._statements.append(f"{rows} {text}")

    def _log_bytes(self) -> int:
        return Path(f"{self.server.database.name}-wal").stat().st_size

    def work(self, request: Callable[[], JSONResponse]) -> Work:
        """Send a request and return the work; a refusal counts as an answer."""
        calls: Counter[str] = Counter()

        def count(_frame: object, kind: str, function: object) -> None:
            if kind == "c_call":
                owner = getattr(function, "__self__", None)
                module = function.__module__ or type(owner).__module__
                if module.startswith(COSTLY):
                    calls[f"{module}.{function.__name__}"] += 1  # type: ignore[attr-defined]

        self._statements.clear()
        before = self._log_bytes()
        sys.setprofile(count)
        try:
            response = request()
        except Refused:
            response = None
        finally:
            sys.setprofile(None)
        self.answers.append({} if response is None else json.loads(response.body))
        length = 0 if response is None else len(response.body)
        frames = (self._log_bytes() - before) // (4096 + 24)
        return Work(list(self._statements), calls, frames, length)

    def code(self) -> str:
        return issue_code(self.server, IssueRequest(test_type="confirmed")).code

    def verify(self, code: str, *, is_chaff: bool = False, attempt: str = "") -> Work:
        body = json.dumps({"code": code, "accept": ["confirmed"]}).encode()
        return self.work(
            lambda: _verify(self.server, body, is_chaff, self.limits, "192.0.2.1", attempt)
        )

    def certify(self, token: object, keys: list[PublishedKey], *, is_chaff: bool = False) -> Work:
        mac = base64.b64encode(key_hmac(keys, SECRET)).decode()
        body = json.dumps({"token": token, "ekeyhmac": mac}).encode()
        return self.work(
            lambda: _certificate(self.server, body, is_chaff, self.limits, "192.0.2.1", "")
        )

    def publish(
        self, certificate: object, keys: list[PublishedKey], *, is_chaff: bool = False
    ) -> Work:
        secret = base64.b64encode(SECRET).decode()
        upload = upload_of(*keys, verification_payload=certificate, hmac_key=secret)
        body = json.dumps(upload.to_json()).encode()
        return self.work(lambda: _publish(self.server, body, is_chaff, self.limits, "192.0.2.1"))

    def report(self, *, is_chaff: bool = False) -> list[Work]:
        """Send the requests of a report, real ones or cover traffic."""
        keys = days_of_keys(14)
        found = [self.verify(WRONG["code"] if is_chaff else self.code(), is_chaff=is_chaff)]
        token = self.answers[-1].get("token", WRONG["token"])
        found.append(self.certify(token, keys, is_chaff=is_chaff))
        certificate = self.answers[-1].get("certificate", WRONG["certificate"])
        return [*found, self.publish(certificate, keys, is_chaff=is_chaff)]

    def rows(self) -> list[list[object]]:
        """Return every stored row."""
        tables = ("verification_code", "verification_token", "diagnosis_key")
        with self.server.database.read() as conn:
            return [
                [tuple(row) for row in conn.exec_driver_sql(f"SELECT * FROM {name}")]
                for name in tables
            ]


@pytest.fixture
def reporter(tmp_path: Path) -> Iterator[Reporter]:
    open_server(tmp_path / "home").close()
    settings = make_settings(tmp_path / "home", verify_requests_per_minute=1_000)
    app = create_app(settings, ManualClock(NOW))
    reporter = Reporter(app)
    # The first request of a process loads libraries, which is not part of the work.
    reporter.report(is_chaff=True)
    reporter.report()
    yield reporter
    app.server.close()


def test_a_pretence_does_the_same_work_as_a_report(reporter: Reporter) -> None:
    pretended, earnest = reporter.report(is_chaff=True), reporter.report()
    for one, other in zip(pretended, earnest, strict=True):
        assert one.statements == other.statements
        assert one.calls == other.calls
        assert one.frames == other.frames > 0
        assert one.length == other.length == 4096
        assert one.statements.count("COMMIT") == 1
    # The count is right: a signature, its check, two MACs, the token that is sealed.
    counted = [{name.rpartition(".")[2] for name in each.calls} for each in earnest]
    assert all("execute" in each and "commit" in each for each in counted)
    assert ["sign" in each for each in counted] == [False, True, False]
    assert {"verify", "hmac_digest", "encrypt", "executemany"} <= counted[2]
    inserted = [line for line in earnest[2].statements if "INSERT INTO diagnosis_key" in line]
    assert [line.split()[0] for line in inserted] == ["14"]


def test_a_wrong_code_and_a_wrong_token_cost_what_a_right_one_costs(reporter: Reporter) -> None:
    keys = days_of_keys(14)
    verified, certified, _ = reporter.report()
    wrong_code, wrong_token = reporter.verify("00000000"), reporter.certify("x" * 43, keys)
    assert wrong_code[:3] == verified[:3]
    assert wrong_token[:3] == certified[:3]
    used = reporter.code()
    reporter.verify(used)
    assert reporter.verify(used)[:3] == verified[:3]


def test_an_answer_again_costs_what_the_first_cost(reporter: Reporter) -> None:
    code, mine = reporter.code(), "m" * 43
    first = reporter.verify(code, attempt=mine)
    again = reporter.verify(code, attempt=mine)
    assert reporter.answers[-1]["token"] == reporter.answers[-2]["token"]
    pretended = reporter.verify("00000000", attempt=mine, is_chaff=True)
    assert first == again == pretended


def test_a_refusal_grants_and_changes_nothing(reporter: Reporter) -> None:
    before = reporter.rows()
    reporter.verify("00000000")
    reporter.certify("x" * 43, days_of_keys(1))
    assert reporter.answers[-2:] == [{}, {}]
    assert reporter.rows() == before


def samples_of(registry: CollectorRegistry) -> list[object]:
    """Return the counts, but for that of cover traffic itself."""
    return [
        sample
        for each in registry.collect()
        if each.name != "truyvet_cover_requests"
        for sample in each.samples
    ]


def test_a_pretence_is_told_nothing_and_changes_nothing(reporter: Reporter) -> None:
    keys = days_of_keys(3)
    code = reporter.code()
    reporter.verify(reporter.code())
    token = reporter.answers[-1]["token"]
    reporter.verify(reporter.code())
    reporter.certify(reporter.answers[-1]["token"], keys)
    certificate = reporter.answers[-1]["certificate"]
    registry = reporter.server.counters.registry
    before = reporter.rows()
    samples = samples_of(registry)
    # Even with a code, a token and a certificate that are valid.
    reporter.verify(code, is_chaff=True)
    reporter.certify(token, keys, is_chaff=True)
    reporter.publish(certificate, keys, is_chaff=True)
    assert [set(each) for each in reporter.answers[-3:]] == [{"padding"}] * 3
    assert reporter.rows() == before
    assert samples_of(registry) == samples
    # All three are still valid.
    reporter.verify(code)
    reporter.certify(token, keys)
    reporter.publish(certificate, keys)
    assert "token" in reporter.answers[-3]
    assert "certificate" in reporter.answers[-2]
    assert reporter.answers[-1]["insertedExposures"] == 3


def test_nobody_learns_by_pretending_which_codes_and_keys_there_are(reporter: Reporter) -> None:
    keys = days_of_keys(14)
    reporter.verify(reporter.code())
    reporter.certify(reporter.answers[-1]["token"], keys)
    reporter.publish(reporter.answers[-1]["certificate"], keys)
    known, unknown = (
        [
            reporter.verify(code, is_chaff=True),
            reporter.publish(WRONG["certificate"], sent, is_chaff=True),
        ]
        for code, sent in ((reporter.code(), keys), ("00000000", days_of_keys(14)))
    )
    assert known == unknown


def test_pretences_never_fill_the_disk(reporter: Reporter) -> None:
    def pages() -> object:
        with reporter.server.database.begin() as conn:
            return conn.exec_driver_sql("PRAGMA page_count").scalar()

    before = pages()
    for _ in range(60):
        reporter.report(is_chaff=True)
    assert all(set(each) == {"padding"} for each in reporter.answers[-180:])
    assert pages() == before


def test_guesses_that_pretend_are_no_guesses(reporter: Reporter) -> None:
    for _ in range(60):
        reporter.verify("00000000", is_chaff=True)
    reporter.verify(reporter.code())
    assert "token" in reporter.answers[-1]


def test_a_pretence_between_guesses_forgives_none(reporter: Reporter) -> None:
    for number in range(50):
        reporter.verify(f"{number:08}")
        reporter.verify("00000000", is_chaff=True)
    reporter.verify(reporter.code())
    assert reporter.answers[-1] == {}


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [key(period=0)],
        [key(TODAY - 14_400)],
        [key() for _ in range(31)],
        [key(TODAY - 144), key(TODAY - 100)],
    ],
)
def test_a_pretence_that_looks_like_no_report_is_answered_alike(
    reporter: Reporter, keys: list[PublishedKey]
) -> None:
    assert reporter.publish("", keys, is_chaff=True).length == 4096
    assert set(reporter.answers[-1]) == {"padding"}
