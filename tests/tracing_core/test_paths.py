from pathlib import Path

import pytest

from tracing_core.paths import is_folder, is_there


def test_what_is_there(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    assert is_there(file)
    assert is_there(tmp_path)
    assert is_folder(tmp_path)
    assert not is_folder(file)


def test_what_is_not_there(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "none", tmp_path / "file" / "none", tmp_path / "loop", Path("a\0b")):
        assert not is_there(path)
        assert not is_folder(path)


@pytest.mark.parametrize("asked", [is_there, is_folder])
def test_what_cannot_be_known(tmp_path, asked):
    with pytest.raises(OSError, match="File name too long"):
        asked(tmp_path / ("x" * 300))
