"""Every setting of the server: environment first, then HOME/server.toml, then the default here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from sqlalchemy import URL

from tracing_core.errors import StoreError, TrustError
from tracing_core.store.files import file_errors
from tracing_core.trust.join_line import checked_address
from tracing_core.trust.signed_config import MOST_MIRRORS

__all__ = ["SETTINGS_FILE", "Settings", "load_settings"]

SETTINGS_FILE = "server.toml"
"""Name of the file in the home folder that `init` writes; its presence means "initialised"."""

_DAY = 86_400
_HOUR = 3_600
_MINUTE = 60
_LEAST_RETENTION_SECONDS = 10 * _DAY

_REGION = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,15}$"
_ADDRESS = r"^https?://[^\s#]+$"
_PATTERNS = {
    _REGION: "1 to 16 letters, digits, - and _",
    _ADDRESS: "like https://host/path",
}
_KINDS = {"tuple_type": "a list", "dict_type": "a table"}

Seconds = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


class Settings(BaseSettings):
    """What an operator may change. Variables are ``TRUYVET_SERVER_`` and the name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="TRUYVET_SERVER_", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    home: Path
    """Folder of the database, the keys and the published files; readable by its owner only."""
    region: Annotated[str, Field(pattern=_REGION)] = "VN"
    """The region keys are published for: a country code, as in the export file's `region`."""
    url: Annotated[str, Field(pattern=_ADDRESS)] = "http://127.0.0.1:8080"
    """Where devices reach this server; it is part of the line that agents join by."""
    health_authority_id: Annotated[str, Field(min_length=1, max_length=100)] = "truyvet"
    """The `healthAuthorityID` that uploads must name."""
    mirrors: Annotated[
        tuple[Annotated[str, Field(pattern=_ADDRESS)], ...],
        Field(max_length=MOST_MIRRORS),
    ] = ()
    """Other addresses that have the published files, in folders like ``/exports/VN``; devices turn
    to them when this server does not answer."""
    database_url: str | None = None
    """SQLAlchemy's URL of the database; absent, the SQLite file ``server.db`` in the home."""

    max_body_bytes: Count = 64_000
    """Largest request body; Google's servers take no more either."""
    max_requests_at_once: Count = 32
    """Requests that may touch the database at once; more wait their turn."""
    max_connections: Count = 1_000
    """Clients connected at once; with the largest body each, this bounds the memory. One more takes
    the place of who has kept the server waiting longest."""
    request_seconds: Seconds = 60
    """A client that has not sent its request by then is disconnected: the largest body at 9 kbit/s,
    less than the slowest telephones reach."""
    answer_seconds: Seconds = 120
    """A client that has not taken by then what waits for it, 64 KiB at most, is disconnected."""
    response_padding_min_bytes: Count = 1_024
    """Every answer to a device is padded by at least this much."""
    response_step_bytes: Count = 4_096
    """Every answer to a device is as long as a multiple of this. That is more than any of them
    takes, so its length tells an observer neither what it says nor whether it was in earnest."""

    max_keys_on_publish: Count = 30
    """Keys in one upload: 15 days, two a day after a reset, as Google's server takes."""
    max_same_start_interval_keys: Count = 3
    """Keys that may begin at the same interval: a device that was reset makes a second that day."""
    max_key_age_seconds: Seconds = 15 * _DAY
    """A key whose last interval ended longer ago is dropped: 14 days, and one for time zones."""
    truncate_window_seconds: Seconds = _HOUR
    """Arrival times are stored cut down to this, so that no row tells when a person reported."""
    max_symptom_onset_age_seconds: Seconds = 28 * _DAY
    """Onset of symptoms longer ago is taken as a mistake, and as unknown."""
    default_symptom_onset_days: Annotated[int, Field(ge=0, le=28)] = 4
    """Onset is assumed so many days before the upload where it is unknown."""
    max_days_since_onset: Annotated[int, Field(ge=0, le=14)] = 14
    """Keys more days from the onset are dropped: devices cannot use them."""
    revision_token_keys: Count = 28
    """Revision tokens are padded to so many keys, so that their length tells nothing."""

    issuer: Annotated[str, Field(min_length=1)] = "truyvet-verification"
    """`iss` of the verification certificate."""
    audience: Annotated[str, Field(min_length=1)] = "truyvet-publish"
    """`aud` of the verification certificate."""
    certificate_seconds: Seconds = 15 * _MINUTE
    """Life of a verification certificate; the upload follows at once."""
    certificate_leeway_seconds: Annotated[int, Field(ge=0)] = 5
    """Difference of clocks between who signed a certificate and who reads it."""

    code_digits: Annotated[int, Field(ge=6, le=10)] = 8
    """Digits of a code read out over the telephone."""
    code_seconds: Annotated[int, Field(gt=0, le=_HOUR)] = 15 * _MINUTE
    """Life of a short code: short, because it can be guessed in time."""
    long_code_length: Annotated[int, Field(ge=12, le=64)] = 16
    """Letters and digits of a code sent in a message."""
    long_code_seconds: Annotated[int, Field(gt=0, le=2 * _DAY)] = 24 * _HOUR
    """Life of a long code."""
    token_seconds: Seconds = 24 * _HOUR
    """Life of the token a code is exchanged for."""
    forget_codes_seconds: Seconds = 48 * _HOUR
    """How long after their end codes and tokens are still known, so that a person is told "expired"
    and not "unknown"; then they are deleted."""
    max_test_age_seconds: Seconds = 28 * _DAY
    """A test or onset longer ago cannot be issued a code for."""
    max_batch_issue: Count = 10
    """Codes in one request of ``/api/batch-issue``, as Google's server takes."""
    verify_requests_per_minute: Count = 120
    """Requests of one client to the verification endpoints and ``/v1/publish``; counted in memory
    only. A report is three, so thousands of devices behind one address have room, and nobody has
    the server work without end by pretending."""
    max_counted_clients: Count = 10_000
    """Clients the counter remembers, so that a flood of addresses cannot fill the memory."""
    max_consecutive_code_failures: Count = 50
    """After so many wrong codes in a row from one client, none of its codes is tried for
    `ban_seconds`."""
    ban_seconds: Seconds = _HOUR
    """How long a client's codes are refused after too many wrong ones."""

    check_interval_seconds: Annotated[int, Field(ge=60, le=7 * _DAY)] = 4 * _HOUR
    """How often devices are told to look for new key files: as often as there are any."""
    config_seconds: Annotated[int, Field(ge=2 * _HOUR)] = 30 * _DAY
    """Life of the signed configuration, which is signed anew at half of it; a device that was off
    for longer fetches it before it counts."""

    worker_interval_seconds: Seconds = _MINUTE
    """How often the background worker looks for due exports and expired rows."""
    export_period_seconds: Annotated[int, Field(ge=_MINUTE, le=_DAY)] = 4 * _HOUR
    """Length of the window one batch covers; it must divide a day. Six batches a day are as many as
    phones let an app check; shorter windows tell more of when people report, and below a minute
    the index outgrows what devices read."""
    export_min_window_age_seconds: Annotated[int, Field(ge=0)] = 2 * _HOUR
    """A window is exported only this long after its end: keys never leave within the two hours in
    which devices still accept their identifiers."""
    export_max_keys_per_file: Annotated[int, Field(gt=0, le=1_000_000)] = 500_000
    """A window with more keys becomes several files; devices limit the size of one."""
    export_padding_keys: Count = 1_000
    """Invented keys in every batch, on average, whatever the number of real ones."""
    export_padding_spread: Count = 100
    """How far their number varies: an upload of k keys changes the odds of any size of a file by
    at most exp(k / spread), 1.35 for 30 keys."""
    export_padding_report_types: dict[
        Literal["confirmed", "likely", "user-report"],
        Annotated[float, Field(ge=0, allow_inf_nan=False)],
    ] = {
        "confirmed": 0.9,
        "likely": 0.1,
    }
    """Relative frequency of each type of report among invented keys: as the authority expects to
    issue codes, since a type it never issues gives padding away."""
    retention_seconds: Annotated[int, Field(gt=0, le=14 * _DAY)] = 14 * _DAY
    """Keys and files older than this are deleted: no device needs them longer, and less than 10
    days would break notification."""
    debug: bool = False
    """Whether settings are taken that no real service may have; for trials only."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if _DAY % self.export_period_seconds:
            raise ValueError("export_period_seconds must divide a day, 86400")
        for mirror in self.mirrors:
            try:
                checked_address(mirror)
            except TrustError as error:
                raise ValueError(f"mirrors: {mirror}: {error}") from error
        if not any(self.export_padding_report_types.values()):
            raise ValueError("export_padding_report_types must name a type of report")
        if self.retention_seconds < _LEAST_RETENTION_SECONDS and not self.debug:
            raise ValueError(
                f"retention_seconds must be at least {_LEAST_RETENTION_SECONDS}, ten days"
            )
        return self

    @property
    def database(self) -> str | URL:
        """SQLAlchemy's URL of the database."""
        # Not as text, in which some names of folders would mean something.
        return self.database_url or URL.create("sqlite", database=str(self.home / "server.db"))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: what code passes, the environment, the home's file."""
        home = init_settings.init_kwargs.get("home")  # type: ignore[attr-defined]
        sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
        if home is not None:
            sources += (TomlConfigSettingsSource(settings_cls, Path(home) / SETTINGS_FILE),)
        return sources


def load_settings(home: Path, **changes: Any) -> Settings:
    """Read the settings of a home folder.

    Raises
    ------
    StoreError
        When the file or a variable cannot be read; the text names the setting.
    """
    file = home / SETTINGS_FILE
    try:
        with file_errors(file):
            return Settings(home=home, **changes)
    except ValidationError as error:
        first = error.errors()[0]
        what = _in_plain_words(first["type"], first["msg"], first.get("ctx", {}))
        if first["loc"]:
            what = f"{'.'.join(str(part) for part in first['loc'])}: {what}"
            # Those handed in are options of a command, which have the same names.
            if first["loc"][0] in changes:
                raise StoreError(f"--{what}") from error
        raise StoreError(f"{file} or the environment: {what}") from error
    except ValueError as error:
        raise StoreError(f"{file} or the environment cannot be read: {error}") from error


def _in_plain_words(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind == "extra_forbidden":
        return "there is no such setting"
    if kind == "string_pattern_mismatch":
        return f"must be {_PATTERNS[context['pattern']]}"
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}"
    return message.removeprefix("Value error, ").replace("Input should be", "must be", 1)
