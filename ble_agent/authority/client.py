"""The key server seen from a device: bounded requests, and answers that can only be read.

Nothing an answer holds makes the device upload, reveal or delete anything; the owner's commands
alone do.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import random
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar
from urllib.parse import urlsplit

from ble_agent.authority.download import KnownAnswers, PartialFile
from ble_agent.messages.catalogue import say
from ble_agent.messages.refusals import refused
from tracing_core.clock import Clock
from tracing_core.errors import (
    InvalidValue,
    MalformedExport,
    ServerError,
    ServerRefused,
    ServerUnreachable,
    require,
)
from tracing_core.export_file import MAX_EXPORT_BYTES, MAX_INDEX_BYTES, read_index
from tracing_core.http.json_body import JSONBody
from tracing_core.http.publish_request import PublishRequest, PublishResponse
from tracing_core.http.verification import (
    CertificateRequest,
    CertificateResponse,
    VerifyRequest,
    VerifyResponse,
)
from tracing_core.trust.documents import MAX_DOCUMENT_BYTES, JoinLine

if TYPE_CHECKING:
    import httpx2

__all__ = ["CERTIFY", "PUBLISH", "VERIFY", "ServerClient", "Step"]

_MAX_ANSWER_BYTES = 64 << 10
_MAX_TRUST_BYTES = 1 << 20
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0
# A server that sends one byte now and then must not hold a device for ever.
_ANSWER_SECONDS = 120.0
_DOWNLOAD_SECONDS = 600.0
_MAX_REDIRECTS = 3
_MAX_RESUMPTIONS = 5
# Matching tolerates two hours; a clock further off would make every comparison wrong.
_CLOCK_TOLERANCE_SECONDS = 7_200

# Two names of equal length, so that encryption does not tell them apart. The server looks at the
# first alone, which Google's servers know too.
_COVER = "X-Chaff"
_EARNEST = "X-Plain"
# A device takes milliseconds between one answer and the next request, and how many depends on what
# it does; more than that, drawn at random, hides it.
_PACE_SECONDS = (0.3, 0.9)
_MIRRORED_FAULTS = ("server", "maintenance_mode", "too_many_requests", "not_found")

_WORDS = {
    "code_expired": "code_expired",
    "code_invalid": "code_used",  # Google's word for a code that was exchanged before
    "code_not_found": "code_unknown",
    "code_user_unauthorized": "code_unknown",
    "hmac_invalid": "answer",
    "internal_error": "server",
    "internal_server_error": "server",
    "invalid_test_type": "invalid_test_type",
    "maintenance_mode": "maintenance_mode",
    "quota_exceeded": "too_many_requests",
    "token_expired": "token_expired",
    "token_invalid": "token_expired",
    "unparsable_request": "answer",
    "unsupported_test_type": "invalid_test_type",
}
_Answer = TypeVar("_Answer", bound=JSONBody)
_Request = TypeVar("_Request", VerifyRequest, CertificateRequest, PublishRequest)


@dataclass(frozen=True, slots=True)
class Step(Generic[_Request, _Answer]):
    """One request of the three that a report takes."""

    path: str
    request_bytes: int
    """Every request is padded to this size, or to a multiple."""
    answer: type[_Answer]


VERIFY: Step[VerifyRequest, VerifyResponse] = Step("/api/verify", 2_048, VerifyResponse)
"""Exchanges a code for a token."""

CERTIFY: Step[CertificateRequest, CertificateResponse] = Step(
    "/api/certificate", 2_048, CertificateResponse
)
"""Exchanges a token and the MAC of keys for a certificate."""

PUBLISH: Step[PublishRequest, PublishResponse] = Step("/v1/publish", 16_384, PublishResponse)
"""Uploads keys: 30 keys, a certificate and a revision token fill about half of its size."""


def _padded(request: _Request, size: int) -> bytes:
    """Return a request's body, padded to a multiple of a size by letters nobody can foretell."""

    def encode(letters: str) -> bytes:
        filled = replace(request, padding=letters)
        return json.dumps(filled.to_json(), separators=(",", ":")).encode()

    short = len(encode("x")) - 1
    missing = -short % size or size
    return encode(base64.urlsafe_b64encode(secrets.token_bytes(missing)).decode()[:missing])


def _refusal(status: int, code: str) -> ServerError:
    if code in _WORDS:
        return refused(_WORDS[code])
    if status == 429:
        return refused("too_many_requests")
    if status == 404:
        return refused("not_found")
    if status >= 500:
        return refused("maintenance_mode" if status == 503 else "server")
    return refused("keys_refused" if code else "answer")


def _is_certificate_fault(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _code_of(data: bytes) -> str:
    """Return the word an error's body gives, "" if it gives none."""
    try:
        fields: Any = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    code = (fields.get("errorCode") or fields.get("code")) if isinstance(fields, dict) else None
    return code if isinstance(code, str) else ""


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _continues(response: httpx2.Response, start: int) -> bool:
    told = response.headers.get("Content-Range", "")
    return response.status_code == 206 and told.startswith(f"bytes {start}-")


class ServerClient:
    """A connection to one server, for one thread, used as a context manager.

    Parameters
    ----------
    url
        Where the server is: https, or http on this machine.
    clock
        Tells the time that the server's is compared with.
    cancelled
        Asked between the parts of an answer; True ends it as if the network had gone.
    known
        Documents this device has, which need not be sent again; None if there are none.
    partial
        Where the beginning of a key file is kept when its download breaks off.
    is_cover
        Whether its uploads only pretend; nothing else tells them from others.

    Raises
    ------
    TrustError
        When the URL is not allowed.
    MissingExtra
        When the HTTP library is not installed.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        known: KnownAnswers | None = None,
        partial: PartialFile | None = None,
        is_cover: bool = False,
    ) -> None:
        # The rules for an address are those of the line it came in.
        self.url = JoinLine(url.rstrip("/"), "0" * 64).url
        self._clock = clock
        self._cancelled = cancelled
        self._known = known
        self._partial = partial or PartialFile(None)
        self._kind = _COVER if is_cover else _EARNEST
        self._next_post = -math.inf
        self._connection: socket.socket | None = None
        self.mirrors: tuple[str, ...] = ()
        """Where the index and key files are too, for when the server itself does not answer."""
        self.confirms_clock = False
        """Whether the server has answered, and told a time near this device's."""
        self._httpx2 = require("httpx2", extra="agent")
        self._client: httpx2.Client = self._httpx2.Client(
            timeout=self._httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            # A proxy of the environment is the owner's choice, but not for this very machine.
            trust_env=urlsplit(self.url).scheme == "https",
            # Nothing compressed: a bomb must not unfold. Nothing that tells devices apart either.
            headers={"Accept-Encoding": "identity", "User-Agent": "truyvet"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()
        self._note_connection(None)

    def trust_documents(self) -> list[str]:
        """Fetch the server's trust documents, oldest first, not yet verified.

        Raises
        ------
        ServerError
            When it does not answer, or with something else.
        """
        try:
            documents = json.loads(self._get("/v1/trust", _MAX_TRUST_BYTES))["documents"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise refused("answer") from error
        if not isinstance(documents, list) or not all(isinstance(each, str) for each in documents):
            raise refused("answer")
        return documents

    def configuration(self, region: str) -> str:
        """Fetch the signed configuration of a region, not yet verified.

        Raises
        ------
        ServerError
            When it does not answer, or with something else.
        """
        try:
            return self._get(f"/v1/config/{region}", MAX_DOCUMENT_BYTES).decode("ascii").strip()
        except UnicodeDecodeError as error:
            raise refused("answer") from error

    def index(self, region: str) -> list[str]:
        """Fetch the names of a region's key files, oldest first.

        Raises
        ------
        ServerError
            When it does not answer, or with something that is no index.
        """
        try:
            return read_index(self._get_public(f"/exports/{region}/index.txt", self._get_index))
        except MalformedExport as error:
            raise refused("answer") from error

    def key_file(self, region: str, name: str) -> bytes:
        """Fetch a key file that the index names, not yet verified.

        Raises
        ------
        ServerError
            When it does not answer, or with something too large.
        """
        # Google's server names files from one folder above the index.
        path = name if name.startswith(f"{region}/") else f"{region}/{name}"
        return self._get_public(f"/exports/{path}", self._get_file)

    def post(self, step: Step[_Request, _Answer], request: _Request) -> _Answer:
        """Take a step of a report.

        Raises
        ------
        ServerError
            When the server does not answer, or refuses what it is sent.
        """
        headers = {"Content-Type": "application/json", self._kind: "1"}
        url, body = self.url + step.path, _padded(request, step.request_bytes)
        self._pace()
        with self._exchange("POST", url, content=body, headers=headers) as response:
            if response.is_redirect:
                raise refused("redirected")
            data = self._read(response, _MAX_ANSWER_BYTES, _ANSWER_SECONDS)
        try:
            return step.answer.from_bytes(data)
        except InvalidValue as error:
            raise refused("answer") from error

    def _get_public(self, path: str, get: Callable[[str], bytes]) -> bytes:
        """Get what mirrors have too, from the server if it can; signatures make all of them equal.

        Raises
        ------
        ServerError
            The server's own, when no mirror helps.
        """
        try:
            return get(self.url + path)
        except ServerError as error:
            if isinstance(error, ServerRefused) and error.code not in _MIRRORED_FAULTS:
                raise
            for mirror in random.sample(self.mirrors, len(self.mirrors)):
                with contextlib.suppress(ServerError):
                    return get(mirror + path)
            raise

    def _get_index(self, url: str) -> bytes:
        return self._get_document(url, MAX_INDEX_BYTES)

    def _get(self, path: str, limit: int) -> bytes:
        return self._get_document(self.url + path, limit)

    def _get_document(self, url: str, limit: int) -> bytes:
        """Get a document; one that this device has is only asked for by its hash."""
        tag = self._known.tag(url) if self._known else None
        headers = {"If-None-Match": tag} if tag else {}
        with self._redirected(url, headers) as response:
            if response.status_code == 304 and tag and self._known:
                self._check_clock(response)
                known = self._known.body(url)
                if known is not None:
                    return known
            body = self._read(response, limit, _ANSWER_SECONDS)
        if self._known:
            self._known.keep(url, response.headers.get("ETag", ""), body)
        return body

    def _get_file(self, url: str) -> bytes:
        """Get a file; where it breaks off it is resumed, as long as more and more comes."""
        deadline = Clock().monotonic() + _DOWNLOAD_SECONDS
        have = self._partial.begin(url)
        for _ in range(_MAX_RESUMPTIONS):
            try:
                data = self._get_rest(url, have, deadline)
            except ServerUnreachable:
                reached = self._partial.begin(url)
                if len(reached) <= len(have) or self._cancelled():
                    raise
                have = reached
            except ServerError:
                self._partial.discard()
                if not have:
                    raise
                have = b""
            else:
                self._partial.discard()
                return data
        raise ServerUnreachable(say("error_server_unreachable", "en"))

    def _get_rest(self, url: str, have: bytes, deadline: float) -> bytes:
        headers = {"Range": f"bytes={len(have)}-"} if have else {}
        with self._redirected(url, headers) as response:
            if response.status_code not in (200, 206):
                return self._read(response, MAX_EXPORT_BYTES, _ANSWER_SECONDS)
            self._check_answer(response)
            if not (have and _continues(response, len(have))):
                have = b""
                if response.status_code == 206:
                    raise refused("answer")
                self._partial.restart(url)
            data = bytearray(have)
            for part in self._parts(response, MAX_EXPORT_BYTES - len(have), deadline):
                data += part
                self._partial.append(part)
        return bytes(data)

    @contextlib.contextmanager
    def _redirected(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
        for _ in range(_MAX_REDIRECTS + 1):
            with self._exchange("GET", url, headers=headers) as response:
                if not response.has_redirect_location:
                    yield response
                    return
                url = self._same_origin(response)
        raise refused("redirected")

    def _pace(self) -> None:
        """Wait until some time after the request before, so that the work between does not show."""
        now = time.monotonic()
        if now < self._next_post:
            time.sleep(self._next_post - now)
        self._next_post = time.monotonic() + random.SystemRandom().uniform(*_PACE_SECONDS)

    def _same_origin(self, response: httpx2.Response) -> str:
        try:
            target = response.url.join(response.headers["Location"])
        except (self._httpx2.InvalidURL, ValueError) as error:
            raise refused("answer") from error
        if _origin(target) != _origin(response.url):
            raise refused("redirected")
        return str(target)

    @contextlib.contextmanager
    def _exchange(self, method: str, url: str, **options: Any) -> Iterator[httpx2.Response]:
        # Its own timeouts are of each byte of an answer's head.
        patience = threading.Timer(_ANSWER_SECONDS, self._hang_up)
        patience.daemon = True
        patience.start()
        options["extensions"] = {"trace": self._trace}
        try:
            with self._client.stream(method, url, **options) as response:
                patience.cancel()
                yield response
        except self._httpx2.TransportError as error:
            if _is_certificate_fault(error):
                raise refused("certificate") from error
            raise ServerUnreachable(say("error_server_unreachable", "en")) from error
        except (self._httpx2.HTTPError, self._httpx2.InvalidURL) as error:
            raise refused("answer") from error
        finally:
            patience.cancel()

    def _trace(self, event: str, facts: Mapping[str, Any]) -> None:
        if event.endswith(".connect_tcp.complete"):
            # A copy goes on meaning this connection when TLS takes the socket over.
            self._note_connection(facts["return_value"].get_extra_info("socket").dup())

    def _note_connection(self, connection: socket.socket | None) -> None:
        before, self._connection = self._connection, connection
        if before is not None:
            before.close()

    def _hang_up(self) -> None:
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _check_answer(self, response: httpx2.Response) -> None:
        self._check_clock(response)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise refused("answer")

    def _read(self, response: httpx2.Response, limit: int, seconds: float) -> bytes:
        self._check_answer(response)
        failed = response.status_code != 200
        deadline = Clock().monotonic() + seconds
        data = b"".join(self._parts(response, _MAX_ANSWER_BYTES if failed else limit, deadline))
        if failed:
            raise _refusal(response.status_code, _code_of(data))
        return data

    def _parts(self, response: httpx2.Response, limit: int, deadline: float) -> Iterator[bytes]:
        real_clock = Clock()
        size = 0
        for part in response.iter_raw():
            size += len(part)
            if size > limit:
                raise refused("too_large")
            if self._cancelled() or real_clock.monotonic() > deadline:
                raise ServerUnreachable(say("error_server_unreachable", "en"))
            yield part

    def _check_clock(self, response: httpx2.Response) -> None:
        if _origin(response.url) != _origin(self._httpx2.URL(self.url)):
            # A mirror may hand on an answer of hours ago.
            return
        try:
            told = parsedate_to_datetime(response.headers["Date"]).timestamp()
        except (KeyError, ValueError, OverflowError):
            return
        if abs(told - self._clock.now()) > _CLOCK_TOLERANCE_SECONDS:
            raise refused("clock_wrong")
        self.confirms_clock = True
