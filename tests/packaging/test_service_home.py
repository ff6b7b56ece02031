"""A home folder that a service manager made."""

from __future__ import annotations

from pathlib import Path

import pytest

from ble_agent.store.database import open_store
from ble_agent.store.home import erase_home


def test_erasing_leaves_the_folder_where_only_the_service_manager_may_remove_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    with open_store(tmp_path):
        pass
    monkeypatch.setattr(Path, "rmdir", refuse)
    erase_home(tmp_path)
    assert list(tmp_path.iterdir()) == []
