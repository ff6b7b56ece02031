"""The page with all data, opened from the disk: offline, without scripts, at every width."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ble_agent.app.all_data import export_page
from ble_agent.config import AgentConfig
from ble_agent.messages.catalogue import say
from ble_agent.owner.all_rows import tables_of
from ble_agent.store.database import open_store
from tests.ble_agent.app.page.browser.browsing import (
    LANGUAGES,
    ZONE,
    Tab,
    chromium,
    needs_chromium,
)
from tests.ble_agent.app.page.browser.states import STATES, in_state
from tests.ble_agent.app.test_whom_it_concerns import NOW
from tests.ble_agent.fake_server import FakeServer
from tests.ble_agent.owner.whole_store import exported, fill, joined, new_home, sightings
from tracing_core.clock import ManualClock
from tracing_core.store.sighting import insert_sightings
from tracing_core.store.sqlite import transaction

pytestmark = [needs_chromium, pytest.mark.slow]


def saved(home: Path, folder: Path, language: str, *, with_keys: bool) -> Path:
    (home / "agent.toml").write_text('notify_command = ["/usr/bin/notify", "<b>&amp;</b>"]\n')
    file = folder / f"{language}.html"
    config = AgentConfig(home, language)
    export_page(config, ManualClock(NOW), file, overwrite=True, with_keys=with_keys)
    return file


@pytest.mark.parametrize("state", ["exposed", "well", "taken_back", "joined_by_file", "damaged"])
def test_the_file_in_a_browser_without_network_and_scripts(
    state: str, tmp_path: Path, server: FakeServer
) -> None:
    with in_state(STATES[state], tmp_path / "home", server) as device, chromium() as browser:
        for language in LANGUAGES:
            file = saved(device.home, tmp_path, language, with_keys=state == "exposed")
            for scripts in (False, True):
                context = browser.new_context(
                    offline=True, java_script_enabled=scripts, timezone_id=ZONE
                )
                tab = Tab(context.new_page(), "file://")
                tab.watch()
                tab.page.goto(file.as_uri())
                shown = tab.page.locator("body").inner_text()
                assert say("file_title", language) in shown
                assert say("file_found", language) in shown
                # The data is in the file, and folded away.
                assert len(shown) < 12_000
                assert not re.search(r"\b\d\d:\d\d\b", shown)
                assert tab.page.locator("html").get_attribute("lang") == language
                if scripts:
                    tab.page.locator("summary").click()
                    assert "<b>&amp;</b>" in tab.page.locator("pre").inner_text()
                    assert tab.examine() == []
                # Only the file itself was asked for, and the browser complained of nothing.
                assert [url for url in tab.requests if url != file.as_uri()] == []
                assert tab.faults == []
                context.close()


def test_it_names_every_table_and_its_rows(tmp_path: Path, server: FakeServer) -> None:
    home = new_home(tmp_path / "home")
    with open_store(home) as db:
        joined(db, server)
        fill(db)
        counts = {table: str(db.table(table).count) for table in tables_of(db)}
    file = exported(home, tmp_path / "all.html")
    with chromium() as browser:
        context = browser.new_context(offline=True, java_script_enabled=False)
        page = context.new_page()
        page.goto(file.as_uri())
        rows = page.locator("table").last.locator("tbody tr").all()
        shown = {
            row.locator("th").inner_text().rpartition(" (")[2].rstrip(")"): (
                row.locator("td").inner_text()
            )
            for row in rows
        }
        assert shown == counts
        assert say("file_of_other", "en") not in page.locator("body").inner_text()
        context.close()


def test_a_long_log_opens_too(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    with open_store(home) as db, transaction(db):
        insert_sightings(db, sightings(150_000))
    file = exported(home, tmp_path / "all.html")
    assert file.stat().st_size > 1 << 20
    with chromium() as browser:
        page = browser.new_context(offline=True, java_script_enabled=False).new_page()
        page.goto(file.as_uri())
        assert "150000" in page.locator("body").inner_text()
