"""Settings of the server: from the environment, else HOME/server.toml, else the defaults here."""

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
    """What an operator may change.

    A setting's variable is ``TRUYVET_SERVER_`` followed by its name in capitals.
    """

    model_config = SettingsConfigDict(
        env_prefix="TRUYVET_SERVER_", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    home: Path
    """Folder for the database, the keys and the published files; readable by its owner only."""
    region: Annotated[str, Field(pattern=_REGION)] = "VN"
    """The region keys are published for: a country code, as in the export file's `region`."""
    url: Annotated[str, Field(pattern=_ADDRESS)] = "http://127.0.0.1:8080"
    """Where devices reach this server; it is part of the join line."""
    health_authority_id: Annotated[str, Field(min_length=1, max_length=100)] = "truyvet"
    """The `healthAuthorityID` that uploads must name."""
    mirrors: Annotated[
        tuple[Annotated[str, Field(pattern=_ADDRESS)], ...],
        Field(max_length=MOST_MIRRORS),
    ] = ()
    """Other addresses of the published files, in folders like ``/exports/VN``. Devices use them
    when this server does not answer."""
    database_url: str | None = None
    """SQLAlchemy's URL of the database. Without it: the SQLite file ``server.db`` in the home."""

    max_body_bytes: Count = 64_000
    """Largest request body, as in Google's servers."""
    max_requests_at_once: Count = 32
    """Requests that may use the database at the same time; others wait."""
    max_connections: Count = 1_000
    """Clients connected at the same time. With the largest body each, this bounds the memory. A
    further client replaces the one that has kept the server waiting longest. In a burst faster than
    the server accepts, this can be an honest one, which then tries again; a proxy prevents that."""
    request_seconds: Seconds = 60
    """Time to send a request; then the client is disconnected. The largest body takes this long at
    9 kbit/s, and the slowest phones are faster."""
    answer_seconds: Seconds = 120
    """Time to receive the data that waits to be sent, 64 KiB at most; then the client is
    disconnected."""
    response_padding_min_bytes: Count = 1_024
    """Least padding of every answer to a device."""
    response_step_bytes: Count = 4_096
    """The length of every answer to a device is a multiple of this. No answer needs more, so its
    length shows an observer neither what it says nor whether it answers cover traffic."""

    max_keys_on_publish: Count = 30
    """Keys in one upload: 15 days, two per day after a reset, as in Google's server."""
    max_same_start_interval_keys: Count = 3
    """Keys that may start in the same interval: a device that was reset makes a second key that
    day."""
    max_key_age_seconds: Seconds = 15 * _DAY
    """Greatest age of a key's last interval; older keys are dropped. 14 days, plus one for time
    zones."""
    truncate_window_seconds: Seconds = _HOUR
    """Arrival times are rounded down to this before they are stored, so that no row shows when a
    person reported."""
    max_symptom_onset_age_seconds: Seconds = 28 * _DAY
    """Greatest age of an onset of symptoms; an older one counts as a mistake, so as unknown."""
    default_symptom_onset_days: Annotated[int, Field(ge=0, le=28)] = 4
    """Days before the upload at which an unknown onset is assumed."""
    max_days_since_onset: Annotated[int, Field(ge=0, le=14)] = 14
    """Greatest distance of a key from the onset; keys further away are of no use to devices, and
    are dropped."""
    risk_by_onset: bool = False
    """Whether the transmission risk of a key follows the days from the onset, by the table of the
    Corona-Warn-App, instead of the report type; then devices state it, and the server fills it in
    for others. Only old apps weigh exposures by it. Turn it on before the first report: later, the
    levels show which keys are older."""
    revision_token_keys: Count = 28
    """Number of keys that a revision token is padded to, so that its length shows nothing."""

    issuer: Annotated[str, Field(min_length=1)] = "truyvet-verification"
    """`iss` of the verification certificate."""
    audience: Annotated[str, Field(min_length=1)] = "truyvet-publish"
    """`aud` of the verification certificate."""
    certificate_seconds: Seconds = 15 * _MINUTE
    """Lifetime of a verification certificate; the upload follows immediately."""
    certificate_leeway_seconds: Annotated[int, Field(ge=0)] = 5
    """Allowed difference between the clocks of a certificate's signer and its reader."""

    code_digits: Annotated[int, Field(ge=6, le=10)] = 8
    """Digits of a code that is read out over the phone."""
    code_seconds: Annotated[int, Field(gt=0, le=_HOUR)] = 15 * _MINUTE
    """Lifetime of a short code; brief, because such a code could be guessed in time."""
    long_code_length: Annotated[int, Field(ge=12, le=64)] = 16
    """Letters and digits of a code that is sent in a message."""
    long_code_seconds: Annotated[int, Field(gt=0, le=2 * _DAY)] = 24 * _HOUR
    """Lifetime of a long code."""
    token_seconds: Seconds = 24 * _HOUR
    """Lifetime of the token that a code is exchanged for."""
    forget_codes_seconds: Seconds = 48 * _HOUR
    """Time for which expired codes and tokens are kept, so that a person reads "expired" and not
    "unknown". After that they are deleted."""
    max_test_age_seconds: Seconds = 28 * _DAY
    """Greatest age of a test or onset for which a code is issued."""
    max_batch_issue: Count = 10
    """Codes in one request of ``/api/batch-issue``, as in Google's server."""
    verify_requests_per_minute: Count = 120
    """Requests from one client to the verification endpoints and ``/v1/publish``, counted in memory
    only. A report takes three, so many devices can share one address, and cover traffic cannot keep
    the server busy without end."""
    max_counted_clients: Count = 10_000
    """Clients that the counter remembers, so that a flood of addresses cannot fill the memory."""
    max_consecutive_code_failures: Count = 50
    """Wrong codes in a row after which a client's codes are refused for `ban_seconds`."""
    ban_seconds: Seconds = _HOUR
    """Time for which a client's codes are refused after too many wrong ones."""
    max_wrong_codes_per_site: Count = 100
    """Wrong codes per hour from an IPv6 network of 56 bits, after which its short codes are refused
    until fewer are left in the hour. Such a network is one household or company."""
    max_wrong_codes_per_network: Count = 300
    """The same for an IPv6 network of 48 bits, the largest that one customer gets, and for an IPv4
    network of 24 bits. A mobile provider's customers share one, and many of them mistype."""
    wrong_codes_per_hour_alarm: Count = 1_000
    """Wrong codes per hour from everywhere, above which the server logs a warning and brakes: with
    twice as many, every limit on wrong codes is halved, and so on, down to three. Each process
    counts by itself, so several nodes allow as many times these numbers."""

    check_interval_seconds: Annotated[int, Field(ge=60, le=7 * _DAY)] = 4 * _HOUR
    """How often devices look for new key files; by default as often as new files appear."""
    config_seconds: Annotated[int, Field(ge=2 * _HOUR)] = 30 * _DAY
    """Lifetime of the signed configuration. The server signs it again after half this time; a
    device that was off for longer first fetches a new configuration."""

    worker_interval_seconds: Seconds = _MINUTE
    """How often the background worker looks for due windows and expired rows."""
    export_period_seconds: Annotated[int, Field(ge=_MINUTE, le=_DAY)] = 4 * _HOUR
    """Length of a window of keys; it must divide a day. Phones let an app check six times per day.
    Shorter windows reveal more of when people report, and below a minute the index outgrows what
    devices read."""
    export_min_window_age_seconds: Annotated[int, Field(ge=0)] = 2 * _HOUR
    """Least age of a window's end when the window is exported: keys never leave within the two
    hours in which devices still accept their identifiers."""
    index_seconds: Annotated[int, Field(ge=2 * _HOUR)] = _DAY
    """Lifetime of the signed index. It is signed with each export, and again after half this time;
    a copy that stands still for longer is refused. Raise it if mirrors copy the files less often
    than twice a day."""
    export_max_keys_per_file: Annotated[int, Field(gt=0, le=1_000_000)] = 500_000
    """Most keys in one key file; a window with more becomes several files. Devices limit a file's
    size."""
    export_padding_keys: Count = 1_500
    """Average number of padding keys per window, whatever the number of real ones. One made-up
    upload of every kind takes 330 keys per report type, and may take half of the padding."""
    export_padding_spread: Count = 150
    """Variation of that number: an upload of k keys changes the odds of any size of a key file by
    at most exp(k / spread), 1.22 for 30 keys."""
    export_padding_report_types: dict[
        Literal["confirmed", "likely", "user-report"],
        Annotated[float, Field(ge=0, allow_inf_nan=False)],
    ] = {
        "confirmed": 0.9,
        "likely": 0.1,
    }
    """Relative frequency of each report type among padding keys. It should match the codes that the
    authority issues, since a type that it never issues shows which keys are padding."""
    retention_seconds: Annotated[int, Field(gt=0, le=14 * _DAY)] = 14 * _DAY
    """Greatest age of keys and key files; older ones are deleted. No device needs them longer, and
    less than 10 days would break notification."""
    debug: bool = False
    """Accept settings that no real service may have; for trials only."""

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
            raise ValueError(
                "export_padding_report_types must give at least one report type a weight above 0"
            )
        if self.retention_seconds < _LEAST_RETENTION_SECONDS and not self.debug:
            raise ValueError(
                f"retention_seconds must be at least {_LEAST_RETENTION_SECONDS}, which is 10 days"
            )
        return self

    @property
    def database(self) -> str | URL:
        """SQLAlchemy's URL of the database."""
        # A URL object, not text: some characters in a folder name would be parsed.
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
        """Order the sources: arguments, the environment, the home's file."""
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
            # Arguments come from a command's options, which have the same names.
            if first["loc"][0] in changes:
                raise StoreError(f"--{what}") from error
        raise StoreError(f"invalid setting in {file} or the environment: {what}") from error
    except ValueError as error:
        raise StoreError(f"{file} or the environment cannot be read: {error}") from error


def _in_plain_words(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind == "extra_forbidden":
        return "unknown setting"
    if kind == "string_pattern_mismatch":
        return f"must be {_PATTERNS[context['pattern']]}"
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}"
    return message.removeprefix("Value error, ").replace("Input should be", "must be", 1)
