"""Settings changed by a program: what a hand wrote stays, and nothing is lost or half written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ble_agent.app.settings import CHANGEABLE, change_settings, read_settings
from ble_agent.config import load_config
from ble_agent.store.home import erase_home, exclusive_use
from tests.ble_agent import cards
from tracing_core.errors import InvalidSetting, NotPossible, StoreError, StoreReadOnly

HAND = """\
# Ours, since 2026.
lang   =  'vi'  # của tôi
radio = "auto"

notify_command = [
    "/usr/local/bin/truyvet-notify",  # my own
]
  cover_traffic=true\t# keep

# the end"""


def write(home: Path, text: str) -> Path:
    path = home / "agent.toml"
    path.write_bytes(text.encode())
    return path


def change(home: Path, **changes: Any) -> tuple[str, ...]:
    return change_settings(home, changes, read_settings(home, {}).digest).names


def test_everything_else_stays_as_a_hand_wrote_it(tmp_path: Path) -> None:
    path = write(tmp_path, HAND)
    assert change(tmp_path, lang="en", cover_traffic=False, quiet_hours="22:00-07:00") == (
        *("lang", "cover_traffic", "quiet_hours"),
    )
    expected = HAND.replace("'vi'", '"en"').replace("=true", "=false")
    assert path.read_text() == expected + '\nquiet_hours = "22:00-07:00"\n'
    config = load_config(tmp_path, {})
    assert (config.lang, config.cover_traffic) == ("en", False)
    assert config.notify_command == ("/usr/local/bin/truyvet-notify",)


def test_a_home_without_a_file_gets_a_private_one(tmp_path: Path) -> None:
    stored = read_settings(tmp_path, {})
    assert stored.digest == ""
    changed = change_settings(tmp_path, {"notify_desktop": False}, stored.digest)
    path = tmp_path / "agent.toml"
    assert path.read_text() == "notify_desktop = false\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert changed.config == read_settings(tmp_path, {}).config


def test_what_is_so_already_is_not_written(tmp_path: Path) -> None:
    path = write(tmp_path, HAND)
    before = path.stat()
    assert change(tmp_path, lang="vi", quiet_hours="", notify_desktop=True) == ()
    assert path.stat() == before
    assert path.read_text() == HAND


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_mode_and_owner_stay(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path, HAND)
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(tmp_path, 4321, 4321)
        os.chown(path, 4321, 4322)
    before = path.stat()
    change(tmp_path, lang="en")
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        *(before.st_mode, before.st_uid, before.st_gid),
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_a_new_file_is_for_the_owner_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 4321, 4322)
    change(tmp_path, lang="en")
    status = (tmp_path / "agent.toml").stat()
    assert (status.st_uid, status.st_gid) == (4321, 4322)


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path, HAND)
    digest = read_settings(tmp_path, {}).digest
    write(tmp_path, HAND + "\n")
    with pytest.raises(NotPossible) as caught:
        change_settings(tmp_path, {"lang": "en"}, digest)
    assert caught.value.code == "settings_changed"
    assert caught.value.vi
    path.unlink()
    with pytest.raises(NotPossible):
        change_settings(tmp_path, {"lang": "en"}, digest)
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "value", "english"),
    [
        ("lang", "fr", "must be vi or en"),
        ("quiet_hours", "late", "22:00-07:00"),
        ("cover_traffic", "yes", "true or false"),
        ("radio", 3, "text in quotes"),
        ("radio", "\ud800", "text in quotes"),
        ("scan_seconds", 90.0, "1 to 60"),
        ("scan_seconds", float("nan"), "1 to 60"),
        ("least_scan_gap_seconds", 500.0, "at least 60"),
        ("notify_command", ("/bin/sh",), "by hand"),
        ("colour", "red", "by hand"),
    ],
)
def test_a_wrong_value_names_its_setting(
    tmp_path: Path, name: str, value: object, english: str
) -> None:
    path = write(tmp_path, HAND)
    with pytest.raises(InvalidSetting) as caught:
        change(tmp_path, **{name: value})
    assert caught.value.place == name
    assert english in str(caught.value)
    assert caught.value.vi.startswith(f"{name}: ")
    assert path.read_text() == HAND


@pytest.mark.parametrize(
    "text",
    [
        "lang = ",
        'lang = "vi"\nlang = "en"\n',
        "colour = 1\n",
        "[lang]\nx = 1\n",
        "scan_seconds = 0\n",
        'lang = "vi"\r',
        "\ufefflang = 'vi'\n",
    ],
)
def test_a_file_that_is_wrong_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    digest = sha256(text.encode()).hexdigest()
    with pytest.raises(InvalidSetting) as caught:
        change_settings(tmp_path, {"radio": "mgmt"}, digest)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert caught.value.vi
    with pytest.raises(InvalidSetting):
        read_settings(tmp_path, {})
    assert path.read_bytes() == text.encode()


def test_a_wrong_value_can_be_mended(tmp_path: Path) -> None:
    path = write(tmp_path, "scan_seconds = 0 # oh\n")
    digest = sha256(path.read_bytes()).hexdigest()
    change_settings(tmp_path, {"scan_seconds": 5.0}, digest)
    assert path.read_text() == "scan_seconds = 5.0 # oh\n"


def test_a_link_within_the_folder_is_followed_and_one_out_of_it_refused(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside.toml"
    home.mkdir(mode=0o700)
    (home / "mine.toml").write_text('lang = "vi"\n')
    (home / "agent.toml").symlink_to("mine.toml")
    change(home, lang="en")
    assert (home / "mine.toml").read_text() == 'lang = "en"\n'
    assert (home / "agent.toml").is_symlink()
    outside.write_text('lang = "vi"\n')
    for target in (outside, tmp_path / "nothing.toml", Path("agent.toml")):
        (home / "agent.toml").unlink()
        (home / "agent.toml").symlink_to(target)
        with pytest.raises((NotPossible, StoreError)):
            change_settings(home, {"lang": "en"}, "")
    assert outside.read_text() == 'lang = "vi"\n'
    assert not (tmp_path / "nothing.toml").exists()


def test_what_is_not_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "agent.toml")
    with pytest.raises(NotPossible):
        change_settings(tmp_path, {"lang": "en"}, "")


def test_a_folder_that_others_may_write_to_is_closed_first(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    change(home, lang="en")
    assert not home.stat().st_mode & 0o022


def test_a_running_agent_takes_them_up_after_a_restart(tmp_path: Path) -> None:
    assert change_settings(tmp_path, {"lang": "en"}, "").after_restart == ()
    with exclusive_use(tmp_path):
        digest = read_settings(tmp_path, {}).digest
        changed = change_settings(tmp_path, {"lang": "vi", "radio": ""}, digest)
    assert changed.names == changed.after_restart == ("lang",)


def test_a_variable_of_the_environment_comes_first(tmp_path: Path) -> None:
    write(tmp_path, HAND)
    stored = read_settings(tmp_path, {"TRUYVET_LANG": "en", "TRUYVET_RADIO": ""})
    assert stored.overridden == {"lang": "TRUYVET_LANG"}
    assert stored.config.lang == "vi"


def test_a_disk_that_cannot_be_written_keeps_the_old_file(tmp_path: Path) -> None:
    if not cards.can_mount():
        pytest.skip("mounting needs name spaces")
    with cards.card(tmp_path / "card") as card:
        script = (
            "from pathlib import Path\n"
            "from ble_agent.app.settings import change_settings, read_settings\n"
            f"home = Path({str(card.folder)!r}, 'home')\n"
            "home.mkdir(mode=0o700, exist_ok=True)\n"
            "change_settings(home, {'lang': 'en'}, read_settings(home, {}).digest)\n"
        )
        run = [*card.prefix, sys.executable, "-c", script]
        subprocess.run(run, check=True, cwd=Path(__file__).parents[3])
        script = script.replace("'en'", "'vi'")
        card.make_read_only()
        run[-1] = script
        done = subprocess.run(run, capture_output=True, text=True, cwd=Path(__file__).parents[3])
        assert StoreReadOnly.__name__ in done.stderr


def test_what_a_killed_change_leaves_is_erased(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / ".agent.toml.0123456789abcdef").write_text("x")
    assert erase_home(home) == []
    assert not home.exists()


SPACES = st.sampled_from(["", " ", "\t", "   "])
COMMENTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\x7f"),
    max_size=12,
).map(lambda text: f"#{text}")
VALUES: dict[str, list[str]] = {
    "lang": ['"vi"', "'en'", '"""vi"""', "'''\nen'''", '"\\u0076i"'],
    "radio": ['"auto"', "''", '"hci:usb:0"', '"# \\" = "'],
    "scan_seconds": ["4.0", "5", "0x0A", "1_0.5e0", "+3.25"],
    "transmit_power_dbm": ["-7", "0", "+1_0", "0b11"],
    "cover_traffic": ["true", "false"],
    "notify_desktop": ["true", "false"],
    "quiet_hours": ['"22:00-07:00"', '""'],
    "notify_command": ["[]", '["a",\n  # why\n "b", ]', "[ 'x' ]", '["#"]'],
}
CHANGES: dict[str, list[object]] = {
    "lang": ["vi", "en"],
    "radio": ["", "mgmt:hci1", 'a "quoted" \\ path', "đài\t\n", "'''\"\"\""],
    "scan_seconds": [1.0, 60, 4.5, 1e1],
    "transmit_power_dbm": [-50, 0, 20],
    "cover_traffic": [True, False],
    "notify_desktop": [True, False],
    "quiet_hours": ["", "9:00-17:00"],
}


@st.composite
def documents(draw: st.DrawFn) -> tuple[list[str], dict[str, int]]:
    """Draw the pieces of a document, each a line or a value of several, and where names are."""
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True))
    pieces, places = [], {}
    for name in names:
        for _ in range(draw(st.integers(0, 2))):
            blank = draw(
                st.sampled_from(["", " ", "\t"]) | st.tuples(SPACES, COMMENTS).map("".join)
            )
            pieces.append(blank + line_end)
        key = draw(st.sampled_from([name, f'"{name}"', f"'{name}'"]))
        value = draw(st.sampled_from(VALUES[name])).replace("\n", line_end)
        comment = draw(st.just("") | COMMENTS)
        parts = [draw(SPACES), key, draw(SPACES), "=", draw(SPACES), value, draw(SPACES), comment]
        places[name] = len(pieces)
        pieces.append("".join(parts) + line_end)
    if draw(st.booleans()):
        pieces.append(draw(COMMENTS) + line_end)
    if pieces and draw(st.booleans()):
        pieces[-1] = pieces[-1].removesuffix(line_end)
    return pieces, places


@settings(max_examples=150, deadline=None)
@given(documents(), st.data())
def test_only_the_changed_value_changes(
    document: tuple[list[str], dict[str, int]], data: st.DataObject
) -> None:
    pieces, places = document
    text = "".join(pieces)
    name = data.draw(st.sampled_from(sorted(CHANGES)))
    value = data.draw(st.sampled_from(CHANGES[name]))
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), text)
        names = change(Path(folder), **{name: value})
        after = path.read_bytes().decode()
    if not names:
        assert after == text
    elif name in places:
        before, behind = pieces[: places[name]], pieces[places[name] + 1 :]
        assert after.startswith("".join(before))
        assert after.endswith("".join(behind))
        changed = after[len("".join(before)) : len(after) - len("".join(behind))]
        head, _, _ = pieces[places[name]].partition("=")
        assert changed.startswith(head)
    else:
        assert after.startswith(text)
        assert after[len(text) :].lstrip("\r\n").startswith(f"{name} = ")
    assert tomllib.loads(after) == {**tomllib.loads(text), **({name: value} if names else {})}


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("lang=\"'vi#[]{}\n\r\t\\.,0123 x\u00a0\ufeff"), max_size=40))
def test_any_text_is_changed_rightly_or_left_alone(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), text)
        try:
            change(Path(folder), radio="mgmt")
        except (InvalidSetting, NotPossible):
            assert path.read_bytes() == text.encode()
            return
        after = path.read_bytes().decode()
        assert after.startswith(text)
        assert tomllib.loads(after) == tomllib.loads(text) | {"radio": "mgmt"}


def test_every_setting_but_the_command_can_be_changed() -> None:
    assert "notify_command" not in CHANGEABLE
    assert {"lang", "radio", "cover_traffic", "notify_desktop", "quiet_hours"} < set(CHANGEABLE)
