"""Progress of a report, from the database's JSON and back."""

from __future__ import annotations

import pytest

from ble_agent.authority.report_progress import ReportProgress
from ble_agent.store.state import ReportState

NOW = 1_800_000_000

VERIFIED: ReportState = {
    "code": "12345678",
    "token": "T",
    "test_type": "confirmed",
    "onset": 0,
    "verified_at": NOW,
}
CERTIFIED: ReportState = {
    **VERIFIED,
    "certificate": "C",
    "secret": "c2VjcmV0",
    "starts": [2_999_808, 2_999_952],
    "certified_at": NOW + 1,
}
RIGHTS: ReportState = {"revision_token": "R", "reported_at": NOW}


@pytest.mark.parametrize(
    "state",
    [
        {},
        VERIFIED,
        CERTIFIED,
        RIGHTS,
        {"taken_back": 2_999_808},
        {"reported_at": NOW, "taken_back": 2_999_808},
        {**RIGHTS, **CERTIFIED},
    ],
)
def test_what_older_versions_wrote_is_read_and_written_alike(state: ReportState) -> None:
    assert ReportProgress.from_json(state).to_json() == state


def test_each_step_keeps_the_rights_of_an_earlier_report() -> None:
    before = ReportProgress.from_json(RIGHTS)
    verified = before.verified("12345678", "T", "negative", 0, NOW)
    certified = verified.certifying("c2VjcmV0", (2_999_808, 2_999_952)).certified("C", NOW)
    assert certified.right_to_revise(NOW) == "R"
    assert certified.published("S", NOW + 9).to_json() == {
        "revision_token": "S",
        "reported_at": NOW + 9,
    }
    # A server without revision tokens takes nothing back, but the owner did report.
    assert certified.published("", NOW + 9).to_json() == {"reported_at": NOW + 9}
    assert certified.revoked("S", NOW + 9).to_json() == {
        "revision_token": "S",
        "reported_at": NOW,
        "taken_back": 2_999_952,
        "taken_back_at": NOW + 9,
    }


def test_what_was_granted_is_used_only_while_it_is_valid() -> None:
    progress = ReportProgress.from_json(CERTIFIED)
    assert progress.has_token("12345678", NOW + 86_399)
    assert not progress.has_token("12345678", NOW + 86_400)
    assert not progress.has_token("87654321", NOW)
    assert not progress.has_token("12345678", NOW - 1)
    assert progress.has_certificate(NOW + 600)
    assert not progress.has_certificate(NOW + 601)


def test_a_secret_lasts_from_the_first_code_to_the_end_of_the_report() -> None:
    before = ReportProgress.from_json(RIGHTS).attempting(NOW)
    again = ReportProgress.from_json(before.to_json()).attempting(NOW + 60)
    assert before.attempt_secret == again.attempt_secret
    keys = {
        each.attempt_key(step, code)
        for each in (before, again)
        for step in ("/api/verify", "/api/certificate")
        for code in ("12345678", "87654321")
    }
    assert len(keys) == 4
    # A code typed wrong in between changes nothing.
    other = again.verified("87654321", "T", "confirmed", 0, NOW)
    assert other.attempt_secret == before.attempt_secret
    assert before.attempt_secret not in repr(other)
    ended = other.certifying("c2VjcmV0", (2_999_808,)).certified("C", NOW)
    for done in (ended.published("S", NOW), ended.revoked("S", NOW), ended.ended()):
        assert "attempt_secret" not in done.to_json()
    assert ended.ended().to_json() == RIGHTS
    assert ReportProgress().attempting(NOW).attempt_secret != before.attempt_secret


def test_the_day_of_the_positive_test_stays_known() -> None:
    reported = ReportProgress().verified("1", "T", "confirmed", 0, NOW, tested=2_999_808)
    assert reported.published("R", NOW).tested == 2_999_808
    later = reported.published("R", NOW).verified("2", "T", "negative", 0, NOW, tested=2_999_952)
    assert later.tested == 2_999_808
    taken_back = later.certifying("c2VjcmV0", (2_999_808,)).revoked("S", NOW + 9)
    assert (taken_back.tested, taken_back.taken_back_at) == (2_999_808, NOW + 9)
    assert ReportProgress.from_json(taken_back.to_json()) == taken_back


def test_the_owner_s_onset_is_kept_with_the_keys_and_no_longer() -> None:
    progress = ReportProgress().verified("1", "T", "confirmed", 0, NOW)
    certifying = progress.certifying("c2VjcmV0", (2_999_808,), own_onset=2_999_664)
    assert ReportProgress.from_json(certifying.to_json()) == certifying
    for done in (certifying.published("R", NOW), certifying.revoked("R", NOW), certifying.ended()):
        assert "own_onset" not in done.to_json()
