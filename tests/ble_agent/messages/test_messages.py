from __future__ import annotations

import datetime
import string
import unicodedata
from pathlib import Path

import pytest

from ble_agent.authority.requests import GOOGLE_REFUSALS, REFUSALS
from ble_agent.config import load_config
from ble_agent.messages.catalogue import MESSAGES, say, with_home
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import LANGUAGES, date_text, default_language, size_text
from ble_agent.messages.refusals import not_possible, refused
from tracing_core.errors import (
    InvalidJoinLine,
    InvalidKey,
    InvalidLog,
    InvalidSetting,
    InvalidSignature,
    LogFault,
    MissingExtra,
    RadioError,
    RadioFault,
    SchemaMismatch,
    ServerUnreachable,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreSealed,
    TracingError,
    TrustError,
)
from tracing_core.store.files import file_errors


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("name", MESSAGES)
def test_both_languages_say_the_same_with_the_same_placeholders(name: str) -> None:
    text = MESSAGES[name]
    assert placeholders(text.en) == placeholders(text.vi)
    assert placeholders(text.one) <= placeholders(text.en)
    assert not text.one or "count" in placeholders(text.en)
    for language in LANGUAGES:
        said = getattr(text, language)
        assert said.strip("\n ") == said.lstrip("\n ").rstrip() or name == "recorded_day"
        assert said == unicodedata.normalize("NFC", said)
        assert "  " not in said.strip()
        if name.startswith("error_"):
            assert "\n" not in said
            assert not placeholders(said)
    assert text.en != text.vi


def test_vietnamese_is_written_with_its_diacritics() -> None:
    marks = set("ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ")
    for name, text in MESSAGES.items():
        # "Cao" and "ho" are written so.
        assert name in ("level_high", "sign_cough") or marks & set(text.vi.lower()), name
        assert not marks & set(text.en.lower()), name


def test_no_text_claims_that_there_was_no_contact() -> None:
    claims = ("no contact", "not exposed", "you are safe", "không có tiếp xúc", "an toàn")
    for text in MESSAGES.values():
        for language in LANGUAGES:
            assert not [claim for claim in claims if claim in getattr(text, language).lower()]
    assert "may still have been exposed" in MESSAGES["nothing_recorded"].en
    assert "vẫn có thể đã tiếp xúc gần với người nhiễm bệnh" in MESSAGES["nothing_recorded"].vi


ERRORS: list[TracingError] = [
    ServerUnreachable("x"),
    TrustError("x"),
    InvalidJoinLine("x"),
    StoreBusy("x"),
    StoreFull("x"),
    SchemaMismatch("x"),
    StoreDamaged("x"),
    StoreError("x"),
    StoreReadOnly("x"),
    StoreSealed("x"),
    InvalidSignature("x"),
    *(InvalidLog("x", fault) for fault in LogFault),
    *(RadioError(reason, "x") for reason in RadioFault),
    *(not_possible(word) for word in ("not_joined", "no_home", "no_keys", "own_file", "running")),
    not_possible("server_by_file"),
    not_possible("bell"),
    *(refused(word) for word in ("api_key", "file_region", "pinned_keys")),
    *(refused(word) for word in sorted({*REFUSALS.values(), *GOOGLE_REFUSALS.values()})),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_every_error_a_person_meets_has_a_vietnamese_line(error: TracingError) -> None:
    said = explain(error, "vi")
    assert said in {text.vi for text in MESSAGES.values()}
    assert explain(error, "en")


def test_english_keeps_what_an_error_names() -> None:
    assert explain(StoreBusy("/srv/agent.db is in use"), "en") == "/srv/agent.db is in use"
    assert explain(InvalidKey("a key must be 16 bytes"), "vi") == "a key must be 16 bytes"


def test_what_names_a_file_names_it_in_both_languages() -> None:
    line = InvalidLog(
        "/srv/log.jsonl, line 3: not JSON", LogFault.LINE, path="/srv/log.jsonl", line=3
    )
    said = "/srv/log.jsonl, line 3: not JSON; nothing was added: export the log again"
    assert explain(line, "en").startswith(said)
    assert explain(line, "vi").startswith("/srv/log.jsonl, dòng 3: dòng này không đọc được")
    damaged = StoreDamaged("/srv/agent.db is not readable", "/srv/agent.db")
    assert explain(damaged, "vi").startswith("/srv/agent.db: tệp này không phải là cơ sở dữ liệu")


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "vi_VN.UTF-8"}, "vi"),
        ({"LANG": "vi_VN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "vi_VN"}, "vi"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({"LC_ALL": "en_US.UTF-8", "TRUYVET_LANG": "vi"}, "vi"),
        ({}, "en"),
    ],
)
def test_the_language_is_the_variables_or_the_locales(
    environment: dict[str, str], language: str
) -> None:
    assert default_language(environment) == language


def test_days_are_written_as_readers_do() -> None:
    day = datetime.date(2026, 3, 9)
    assert (date_text(day, "vi"), date_text(day, "en")) == ("09/03/2026", "9 March 2026")
    assert say("status_keys", "vi", count=3).endswith("3 ngày")


def test_one_thing_is_counted_as_one() -> None:
    assert say("ago_minutes", "en", count=1) == "1 minute ago"
    assert say("ago_minutes", "en", count=2) == "2 minutes ago"
    assert say("ago_minutes", "vi", count=1) == "1 phút trước"
    asked = say("report_question", "en", count=1, first="30 November 2026", last="-", url="-")
    assert "keys for 1 day (30 November 2026)" in asked


def test_a_size_is_written_in_the_unit_that_fits() -> None:
    assert [size_text(count) for count in (0, 9_999_999_999, 71_443_000_000)] == [
        "0 MB",
        "9999 MB",
        "71 GB",
    ]


def test_the_system_s_reason_is_said_in_vietnamese_too(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught, file_errors(tmp_path):
        tmp_path.read_bytes()
    assert "Is a directory" in explain(caught.value, "en")
    said = explain(caught.value, "vi")
    assert said.startswith(f"{tmp_path}: không dùng được tệp hoặc thư mục này (đây là thư mục)")
    with pytest.raises(StoreError) as caught, file_errors(tmp_path):
        raise OSError(9999, "Unheard of")
    assert "thư mục này: hãy" in explain(caught.value, "vi")


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ("lng = 1", "lng: chương trình không có cài đặt nào có tên này: hãy sửa lại"),
        ('lang = "fr"', "lang: phải là vi hoặc en, không phải 'fr': hãy sửa lại"),
        ("scan_seconds = 0", "scan_seconds: phải từ 1 đến 60: hãy sửa lại"),
        ("radio = 1", "radio: phải là chữ đặt trong dấu ngoặc kép: hãy sửa lại"),
        ("\nlang 1", "tệp không đúng định dạng TOML (ở dòng 2, cột 6)"),
    ],
)
def test_a_setting_s_fault_is_as_full_in_vietnamese(
    tmp_path: Path, settings: str, what: str
) -> None:
    (tmp_path / "agent.toml").write_text(settings)
    with pytest.raises(InvalidSetting) as caught:
        load_config(tmp_path, {})
    assert what in explain(caught.value, "vi")


def test_a_missing_library_is_said_in_vietnamese_too() -> None:
    error = MissingExtra("bumble", extra="hci")
    assert explain(error, "en") == str(error)
    assert explain(error, "vi").startswith("chưa cài bumble: hãy chạy pip install '.[hci]'")


@pytest.mark.parametrize("name", [name for name in MESSAGES if not name.startswith("help_")])
def test_every_command_of_a_text_names_the_home(name: str) -> None:
    # ux.md section 2, 11: "Start it with: truyvet agent run" after `--home an join`.
    for language in LANGUAGES:
        said = getattr(MESSAGES[name], language)
        named = with_home(said, "my home")
        commands = said.count("truyvet agent ")
        assert named.count("--home 'my home'") == commands
        assert with_home(named, "my home") == named
        assert with_home(said, "") == said


def test_a_home_stands_behind_the_whole_command() -> None:
    for before, after in (
        ("truyvet agent self-test, then", "truyvet agent self-test --home a, then"),
        ("run `truyvet agent join` first", "run `truyvet agent join --home a` first"),
    ):
        assert with_home(before, "a") == after


def test_where_the_agent_is_a_service_commands_are_as_the_owner_types_them() -> None:
    service = {"TRUYVET_COMMAND": "sudo truyvet-agent"}
    said = say("status_not_joined", "en")
    assert "Run sudo truyvet-agent join with" in with_home(said, "", service)
    # Whoever names a home folder does not speak of the service.
    assert "truyvet agent join --home a" in with_home(said, "a", service)
    assert with_home(said, "", {}) == said
