"""Progress of a report: what the server has granted so far, as it is kept in the database."""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass, field, replace
from typing import Self

from ble_agent.store.database import RETENTION_SECONDS
from ble_agent.store.state import REPORT, ReportState
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

__all__ = ["ReportProgress"]

# Certificates are valid for a quarter of an hour at Google's server and at ours.
_CERTIFICATE_SECONDS = 600
_TOKEN_SECONDS = 86_400
_ATTEMPT_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportProgress:
    """Steps of a report that are done; fields of later steps are empty or None.

    Times are UTC Unix seconds.
    """

    attempt_secret: str = field(default="", repr=False)
    """Secret by which the server repeats answers that were lost, in URL base64."""
    attempted_at: int | None = None
    """When the secret was made, or last used for a code."""
    code: str = ""
    token: str = ""
    """What the code was exchanged for."""
    test_type: str = ""
    onset: int = 0
    """First interval of the day of the symptoms' onset, as the code states it; 0 if it does not."""
    tested: int = 0
    """First interval of the day of the positive test, as the newest code states it; 0 if not."""
    own_onset: int = 0
    """First interval of the day of the onset that the owner agreed to send; 0 for none."""
    verified_at: int | None = None
    certificate: str = ""
    secret: str = ""
    """Key of the MAC over the keys, in base64."""
    starts: tuple[int, ...] = ()
    """First intervals of the keys that the certificate is for."""
    certified_at: int | None = None
    revision_token: str = ""
    """The right to change the keys of an earlier report."""
    reported_at: int | None = None
    taken_back: int | None = None
    """First interval of the newest key that was taken back, or cannot be sent again."""
    taken_back_at: int | None = None
    """When a report was taken back."""
    sent: tuple[int, ...] = ()
    """First intervals of the keys of an upload that was not answered."""

    @classmethod
    def load(cls, db: Database) -> Self:
        """Return the progress that the database holds, which may be empty."""
        return cls.from_json(REPORT.get(db) or {})

    def save(self, db: Database) -> Self:
        """Store the progress in a transaction of its own, and return it."""
        with transaction(db):
            return self.put(db)

    def put(self, db: Database) -> Self:
        """Store the progress in the caller's transaction, and return it."""
        state = self.to_json()
        if state:
            REPORT.set(db, state)
        else:
            REPORT.clear(db)
        return self

    @classmethod
    def from_json(cls, state: ReportState) -> Self:
        """Read what `to_json` returned."""
        return cls(
            attempt_secret=state.get("attempt_secret", ""),
            attempted_at=state.get("attempted_at"),
            code=state.get("code", ""),
            token=state.get("token", ""),
            test_type=state.get("test_type", ""),
            onset=state.get("onset", 0),
            tested=state.get("tested", 0),
            own_onset=state.get("own_onset", 0),
            verified_at=state.get("verified_at"),
            certificate=state.get("certificate", ""),
            secret=state.get("secret", ""),
            starts=tuple(state.get("starts", ())),
            certified_at=state.get("certified_at"),
            revision_token=state.get("revision_token", ""),
            reported_at=state.get("reported_at"),
            taken_back=state.get("taken_back"),
            taken_back_at=state.get("taken_back_at"),
            sent=tuple(state.get("sent", ())),
        )

    def to_json(self) -> ReportState:
        """Return the fields of the steps that are done."""
        state: ReportState = {}
        if self.attempted_at is not None:
            state["attempt_secret"] = self.attempt_secret
            state["attempted_at"] = self.attempted_at
        if self.revision_token:
            state["revision_token"] = self.revision_token
        if self.reported_at is not None:
            state["reported_at"] = self.reported_at
        if self.taken_back is not None:
            state["taken_back"] = self.taken_back
        if self.taken_back_at is not None:
            state["taken_back_at"] = self.taken_back_at
        if self.tested:
            state["tested"] = self.tested
        if self.own_onset:
            state["own_onset"] = self.own_onset
        if self.sent:
            state["sent"] = list(self.sent)
        if self.verified_at is not None:
            state |= {
                "code": self.code,
                "token": self.token,
                "test_type": self.test_type,
                "onset": self.onset,
                "verified_at": self.verified_at,
            }
        if self.starts:
            state |= {"secret": self.secret, "starts": list(self.starts)}
        if self.certified_at is not None:
            state |= {"certificate": self.certificate, "certified_at": self.certified_at}
        return state

    def attempt_key(self, step: str, subject: str) -> str:
        """Return the `Idempotency-Key` of a step (256 bits), different for each code and token."""
        digest = hmac.digest(self.attempt_secret.encode(), f"{step} {subject}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def attempting(self, now: float) -> Self:
        """Return the progress of a device that is about to send a code."""
        secret = self.attempt_secret or secrets.token_urlsafe(_ATTEMPT_BYTES)
        return replace(self, attempt_secret=secret, attempted_at=int(now))

    def has_token(self, code: str, now: float) -> bool:
        """Check whether a code was exchanged for a token that is still valid."""
        return self.code == code and _is_fresh(self.verified_at, _TOKEN_SECONDS, now)

    def has_certificate(self, now: float) -> bool:
        """Check whether there is a certificate that is still valid."""
        return _is_fresh(self.certified_at, _CERTIFICATE_SECONDS, now)

    @property
    def may_state_onset(self) -> bool:
        """Whether the owner may add a day of onset: the code is for no negative test, and undated.

        The authority's own dates are better, and a test's day stands for the onset at the server.
        """
        return self.test_type != "negative" and not self.onset and not self.tested

    def is_unfinished(self, now: float) -> bool:
        """Check whether a code was exchanged, and can still be used, but nothing was published."""
        return bool(self.code) and self.has_token(self.code, now)

    def right_to_revise(self, now: float) -> str:
        """Return the revision token while any of its keys can still be published, else ""."""
        return self.revision_token if now - (self.reported_at or 0) < RETENTION_SECONDS else ""

    def verified(
        self, code: str, token: str, test_type: str, onset: int, now: float, *, tested: int = 0
    ) -> Self:
        """Return the progress after a code was exchanged; an earlier report's rights are kept."""
        progress = replace(
            self._rights(),
            code=code,
            token=token,
            test_type=test_type,
            onset=onset,
            verified_at=int(now),
        )
        # The day of a negative test is not that of the test reported before.
        return progress if test_type == "negative" else replace(progress, tested=tested)

    def certifying(self, secret: str, starts: tuple[int, ...], own_onset: int = 0) -> Self:
        """Return the progress of a device that is about to ask for a certificate for some keys."""
        return replace(
            self,
            secret=secret,
            starts=starts,
            own_onset=own_onset,
            certificate="",
            certified_at=None,
        )

    def certified(self, certificate: str, now: float) -> Self:
        """Return a copy that records the certificate issued for these keys."""
        return replace(self, certificate=certificate, certified_at=int(now))

    def sending(self) -> Self:
        """Return a copy that records that the keys are on their way."""
        return replace(self, sent=self.starts)

    def known(self, starts: tuple[int, ...]) -> Self:
        """Return what remains when the server has keys that cannot be sent or changed again."""
        newest = max(*starts, self.taken_back or 0)
        return replace(self, sent=(), taken_back=newest)

    def published(self, revision_token: str, now: float) -> Self:
        """Return what remains after the keys were published."""
        # Without a revision token nothing can be taken back, but the owner did report.
        return type(self)(
            taken_back=self.taken_back,
            taken_back_at=self.taken_back_at,
            tested=self.tested,
            revision_token=revision_token,
            reported_at=int(now),
        )

    def revoked(self, revision_token: str, now: float) -> Self:
        """Return what remains after the keys were taken back."""
        return type(self)(
            revision_token=revision_token,
            reported_at=self.reported_at,
            tested=self.tested,
            taken_back=max(self.starts),
            taken_back_at=int(now),
        )

    def ended(self) -> Self:
        """Return what remains after a report of which the server took nothing."""
        return replace(self._rights(), attempt_secret="", attempted_at=None, sent=())

    def _rights(self) -> Self:
        return type(self)(
            attempt_secret=self.attempt_secret,
            attempted_at=self.attempted_at,
            revision_token=self.revision_token,
            reported_at=self.reported_at,
            tested=self.tested,
            taken_back=self.taken_back,
            taken_back_at=self.taken_back_at,
            sent=self.sent,
        )


def _is_fresh(moment: int | None, seconds: int, now: float) -> bool:
    # If the clock was set back, the age is unknown.
    return moment is not None and 0 <= now - moment < seconds
