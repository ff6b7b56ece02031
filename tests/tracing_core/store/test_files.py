import errno

import pytest

from tests.tracing_core.refusals import check_one_line
from tracing_core.errors import StoreDamaged, StoreError, StoreFull, StoreReadOnly
from tracing_core.store.files import file_errors


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (errno.ENOSPC, StoreFull, "is full: free some space"),
        (errno.EDQUOT, StoreFull, "is full: free some space"),
        (errno.EROFS, StoreReadOnly, "can only be read: check or replace it"),
        (errno.EACCES, StoreError, "cannot be used .denied.: check the path"),
    ],
)
def test_an_error_of_the_system_says_what_to_do(code, kind, text):
    with pytest.raises(kind, match=text) as caught, file_errors("settings.toml"):
        raise OSError(code, "denied")
    check_one_line(caught.value)
    assert caught.value.path == "settings.toml"


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xff")
    text = r"settings\.toml is not text in UTF-8"
    with pytest.raises(StoreDamaged, match=text) as caught, file_errors(path):
        path.read_text("utf-8")
    check_one_line(caught.value)


def test_other_errors_pass():
    with pytest.raises(ValueError, match="seven"), file_errors("settings.toml"):
        raise ValueError("seven")
