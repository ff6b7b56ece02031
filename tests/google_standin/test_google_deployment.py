"""A real agent and a deployment of Google's servers, from joining by a file to a revision.

Right values are those that issue 9 (B1, B4, B5) and its live run against Google's servers name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.store.database import make_home, open_store
from tests.ble_agent.agents import AgentProcess
from tests.google_standin.standin import GoogleStandIn, google_standin
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import transaction

DAY = 86_400


@pytest.fixture
def google() -> Iterator[GoogleStandIn]:
    with google_standin() as running:
        yield running


def used(home: Path, *, days: int = 3) -> AgentProcess:
    """A device that has sent for some days."""
    make_home(home)
    with open_store(home) as db:
        for ago in range(days, 0, -1):
            assert KeyRing(db).next_advertisement(time.time() - ago * DAY, Metadata(0))
    return AgentProcess(home)


def met(one: AgentProcess, other: AgentProcess) -> None:
    """Let one hear the other for a quarter of an hour, two days ago."""
    moment = int(time.time()) - 2 * DAY
    with open_store(other.home) as db:
        sent = KeyRing(db).next_advertisement(time.time() - 1.9 * DAY, Metadata(0))
    assert sent is not None
    rows = [
        Sighting(sent.rpi, sent.aem, (-40,) * 9, moment + 8640 + 240 * scan, moment)
        for scan in range(4)
    ]
    with open_store(one.home) as db, transaction(db):
        insert_sightings(db, rows)


def joined(agent: AgentProcess, file: Path) -> AgentProcess:
    assert agent.answer("join", str(file), "--yes")["region"] == "VN"
    return agent


def new(home: Path) -> AgentProcess:
    make_home(home)
    return AgentProcess(home)


def days_ago(days: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - days * DAY))


def two_days_ago() -> str:
    return days_ago(2)


def test_from_joining_to_a_revision_and_a_warning(google: GoogleStandIn, tmp_path: Path) -> None:
    """B1: Google's server refused every upload of ours, because a key's period was missing."""
    file = google.join_file(tmp_path / "join.toml")
    ill, near = used(tmp_path / "ill"), new(tmp_path / "near")
    met(near, ill)
    for agent in (ill, near):
        facts = agent.answer("join", str(file), "--yes")
        assert facts["joined_by"] == "file"
        assert facts["report_fault"] is None
    assert not near.answer("check")["recorded"]
    code = google.issue("likely", two_days_ago())
    assert ill.answer("report", code, "--yes")["reported_keys"] == 3
    assert {key["report_type"] for key in google.control("keys")} == {"likely"}
    # A file of 100,000 keys, signed with two keys of which both are pinned.
    google.control("export", padding=100_000)
    assert near.answer("check")["batches"] == 1
    # The same person again, now confirmed: the keys are revised, and none is new.
    assert ill.answer("report", google.issue("confirmed", two_days_ago()), "--yes")
    stored = google.control("keys")
    assert {(key["report_type"], key["revised"]) for key in stored} == {("likely", "confirmed")}
    assert len(stored) == 3
    google.control("export")
    told = near.answer("check")
    assert told["batches"] == 1
    assert len(told["days"]) == 1
    assert told["level"] not in ("none", "low")


def test_reports_and_cover_reports_look_alike(google: GoogleStandIn, tmp_path: Path) -> None:
    agent = joined(used(tmp_path / "agent"), google.join_file(tmp_path / "join.toml"))
    assert agent.answer("report", google.issue(), "--yes")
    posts = [each for each in google.asked() if each["method"] == "POST"]
    cover, real = posts[:3], posts[3:]
    assert [each["path"] for each in real] == ["/api/verify", "/api/certificate", "/v1/publish"]
    assert [(each["path"], each["size"]) for each in cover] == [
        (each["path"], each["size"]) for each in real
    ]
    # The device API key goes to the verification server, and nowhere else.
    for each in posts:
        assert ("X-API-Key" in each["headers"]) == each["path"].startswith("/api/")
    gets = [each for each in google.asked() if each["method"] == "GET"]
    assert not any(each["headers"] for each in gets)


def test_codes_that_are_wrong(google: GoogleStandIn, tmp_path: Path) -> None:
    """B5: one word for an unknown and a used code; the owner was told that it was used."""
    agent = joined(used(tmp_path / "agent"), google.join_file(tmp_path / "join.toml"))
    assert "no such code, or it was used already" in agent.refusal("report", "12345678", "--yes")
    code = google.issue()
    assert agent.answer("report", code, "--yes")
    other = joined(used(tmp_path / "other"), google.join_file(tmp_path / "join.toml"))
    assert "no such code, or it was used already" in other.refusal("report", code, "--yes")
    late = google.issue()
    google.control("expire", code=late)
    assert "the code has expired" in other.refusal("report", late, "--yes")
    said = other.refusal("report", google.issue("negative"), "--yes")
    assert "a kind of test that cannot be reported" in said
    google.control("maintenance", on=True)
    assert "is being maintained" in other.refusal("report", google.issue(), "--yes")
    assert len(google.control("keys")) == 3


def test_lost_answers(google: GoogleStandIn, tmp_path: Path) -> None:
    """A lost answer burns a code at Google's server (cwa-hotline#14, #20)."""
    agent = joined(used(tmp_path / "agent"), google.join_file(tmp_path / "join.toml"))
    code = google.issue()
    google.control("lose", path="/api/verify")
    assert "does not answer" in agent.refusal("report", code, "--yes")
    assert "or it was used already" in agent.refusal("report", code, "--yes")
    code = google.issue()
    google.control("lose", path="/api/certificate")
    assert "does not answer" in agent.refusal("report", code, "--yes")
    assert "an answer of the server was lost" in agent.refusal("report", code, "--yes")
    assert not google.control("keys")
    code = google.issue()
    google.control("lose", path="/v1/publish")
    assert "does not answer" in agent.refusal("report", code, "--yes")
    assert len(google.control("keys")) == 3
    # The keys have arrived, so the report is complete.
    assert agent.answer("report", code, "--yes")["reported_keys"] == 3
    # They cannot be changed any more, so a later report leaves them out.
    assert "nothing to report" in agent.refusal("report", google.issue(), "--yes")


def test_replaced_export_keys(google: GoogleStandIn, tmp_path: Path) -> None:
    old = google.join_file(tmp_path / "join.toml")
    agent = joined(used(tmp_path / "agent"), old)
    google.control("plant", keys=[{"data": "01" * 16, "start": int(time.time()) // 600 - 300}])
    google.control("export")
    assert agent.answer("check")["batches"] == 1
    google.control("rotate")
    google.control("plant", keys=[{"data": "02" * 16, "start": int(time.time()) // 600 - 300}])
    google.control("export")
    said = agent.refusal("check")
    assert "not signed by a key of the join file" in said
    assert "join with it again" in said
    # A device that joins now is not told that all is well either.
    assert "not signed by a key of the join file" in new(tmp_path / "late").refusal(
        "join", str(old), "--yes"
    )
    newer = google.join_file(tmp_path / "newer.toml")
    asked = agent.command("join", str(newer))
    assert asked.returncode == 1
    for part in ("- 452 v1", "- 453 v1", "+ 454 v1"):
        assert part in asked.stderr
    assert google.facts["device_api_key"] not in asked.stderr
    assert "not signed" in agent.refusal("check")
    joined(agent, newer)
    told = agent.answer("check")
    # The first file is signed by the old keys; it was used before, and is not fetched again.
    assert told["batches"] == 1


def test_one_of_two_signing_keys_is_enough_for_the_right_region(
    google: GoogleStandIn, tmp_path: Path
) -> None:
    google.control("plant", keys=[{"data": "01" * 16, "start": int(time.time()) // 600 - 300}])
    google.control("export")
    wrong = google.join_file(tmp_path / "region.toml", region="Hanoi")
    assert "for another region" in new(tmp_path / "other").refusal("join", str(wrong), "--yes")
    for at, key in enumerate(google.control("signers")):
        file = google.join_file(tmp_path / f"{at}.toml", export_keys=[key])
        assert joined(new(tmp_path / f"agent-{at}"), file).answer("check")["batches"] == 1


def test_what_the_owner_reads(google: GoogleStandIn, tmp_path: Path) -> None:
    file = google.join_file(tmp_path / "join.toml")
    agent = joined(new(tmp_path / "agent"), file)
    for language, part in (("en", "never replaced"), ("vi", "không bao giờ tự được thay")):
        shown = agent.command("status", lang=language).stdout
        assert part in shown
        assert "452 v1" in shown
        assert google.facts["key_server_url"] in shown
        assert google.facts["device_api_key"] not in shown
    facts = agent.command("status", "--json").stdout
    assert '"joined_by": "file"' in facts
    assert google.facts["device_api_key"] not in facts
    said = agent.refusal("check", "--server", "http://127.0.0.1:9")
    assert "joined by a file" in said
    assert agent.answer("erase", "--yes")["left"] == []
    assert not agent.home.exists()


def test_a_wrong_file_is_noticed_when_joining(google: GoogleStandIn, tmp_path: Path) -> None:
    """B4: a 401 without a code word made no sense to the agent."""
    wrong = google.join_file(tmp_path / "key.toml", device_api_key="wrong")
    agent = new(tmp_path / "agent")
    done = agent.command("join", str(wrong), "--yes")
    assert done.returncode == 0
    assert "A trial report failed: the verification server does not accept" in done.stdout
    nowhere = google.join_file(
        tmp_path / "index.toml", index_url=f"{google.facts['bucket_url']}/bucket/no/index.txt"
    )
    assert "no such service" in new(tmp_path / "other").refusal("join", str(nowhere), "--yes")
    typo = google.join_file(tmp_path / "typo.toml", key_server=google.facts["key_server_url"])
    said = new(tmp_path / "third").refusal("join", str(typo), "--yes")
    assert (
        said
        == f"{typo}, 'key_server': a join file has no such field: correct its name or remove it"
    )
    assert "this file does not exist" in agent.refusal("join", str(tmp_path / "none.toml"))


def thanked_for_nothing(agent: AgentProcess, code: str, *, lang: str = "en") -> str:
    done = agent.command("report", code, "--yes", lang=lang)
    assert done.returncode == 1
    assert "Thank you" not in done.stdout
    assert "Cảm ơn" not in done.stdout
    return done.stdout


def test_a_report_answered_with_warnings_only_is_not_thanked_for(
    google: GoogleStandIn, tmp_path: Path
) -> None:
    """exposure-notifications-verification-server PR 925: an onset 28 days ago."""
    agent = joined(used(tmp_path / "agent"), google.join_file(tmp_path / "join.toml"))
    said = thanked_for_nothing(agent, google.issue("likely", days_ago(28)))
    assert "took none of this device's keys" in said
    assert "3 too far from the start of the symptoms" in said
    said = thanked_for_nothing(agent, google.issue("likely", days_ago(28)), lang="vi")
    assert "không nhận khóa nào" in said
    assert not google.control("keys")
    # Nothing stands in the way of a code with the right dates.
    assert agent.answer("report", google.issue("likely", days_ago(2)), "--yes") == {
        "reported_keys": 3
    }
    assert len(google.control("keys")) == 3


def test_a_report_of_which_some_is_too_far_says_so(google: GoogleStandIn, tmp_path: Path) -> None:
    agent = joined(used(tmp_path / "agent"), google.join_file(tmp_path / "join.toml"))
    # The keys are of one, two and three days ago, and the first is 15 days from the onset.
    told = agent.answer("report", google.issue("likely", days_ago(16)), "--yes")
    assert told == {"reported_keys": 2, "left_out_keys": {"far_from_onset": 1}}
    assert len(google.control("keys")) == 2


def test_a_negative_test_takes_back_a_likely_one(google: GoogleStandIn, tmp_path: Path) -> None:
    file = google.join_file(tmp_path / "join.toml")
    well, near = joined(used(tmp_path / "well"), file), joined(new(tmp_path / "near"), file)
    met(near, well)
    assert well.answer("report", google.issue("likely", two_days_ago()), "--yes")
    google.control("export")
    assert near.answer("check")["recorded"]
    told = well.answer("report", google.issue("negative", two_days_ago()), "--yes")
    assert told == {"reported_keys": 0, "taken_back_keys": 3}
    stored = google.control("keys")
    assert [(key["report_type"], key["revised"]) for key in stored] == [("likely", "negative")] * 3
    google.control("export")
    told = near.answer("check")
    assert (told["batches"], told["recorded"], told["level"]) == (1, False, "none")
    # What was taken back cannot be sent again.
    said = well.refusal("report", google.issue("confirmed", two_days_ago()), "--yes")
    assert "nothing to report" in said


def test_a_negative_test_of_which_nothing_was_taken_says_that_the_warnings_stand(
    google: GoogleStandIn, tmp_path: Path
) -> None:
    agent = joined(used(tmp_path / "agent"), google.join_file(tmp_path / "join.toml"))
    assert agent.answer("report", google.issue("likely", two_days_ago()), "--yes")
    said = thanked_for_nothing(agent, google.issue("negative", days_ago(28)))
    assert "took back none of this device's keys" in said
    assert "3 too far from the start of the symptoms" in said
    said = thanked_for_nothing(agent, google.issue("negative", days_ago(28)), lang="vi")
    assert "không thu hồi khóa nào" in said
    assert {key["revised"] for key in google.control("keys")} == {""}
    # The right to take them back is kept for a code with the right dates.
    told = agent.answer("report", google.issue("negative", two_days_ago()), "--yes")
    assert told["taken_back_keys"] == 3


def test_a_lost_answer_to_a_negative_test(google: GoogleStandIn, tmp_path: Path) -> None:
    agent = joined(used(tmp_path / "agent"), google.join_file(tmp_path / "join.toml"))
    assert agent.answer("report", google.issue("likely", two_days_ago()), "--yes")
    code = google.issue("negative", two_days_ago())
    google.control("lose", path="/v1/publish")
    assert "does not answer" in agent.refusal("report", code, "--yes")
    assert {key["revised"] for key in google.control("keys")} == {"negative"}
    assert agent.answer("report", code, "--yes")["taken_back_keys"] == 3
