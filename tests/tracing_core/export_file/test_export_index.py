import dataclasses
import os
import re
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracing_core.exports import EXAMPLE, SIGNER
from tests.tracing_core.refusals import check_one_line
from tracing_core.errors import ExportFileError, InvalidValue, MalformedExport
from tracing_core.export_file import (
    MAX_EXPORT_BYTES,
    MAX_INDEX_BYTES,
    find_exports,
    read_export,
    read_index,
    search_exports,
    write_export,
    write_index,
)

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,20}(/[A-Za-z0-9][\w.-]{0,20}){0,2}", re.ASCII)
names = st.lists(st.from_regex(NAME, fullmatch=True), max_size=5)


@given(names)
def test_what_is_written_is_read_back(listed):
    text = write_index(listed)
    assert text == "\n".join(listed)
    assert read_index(text) == read_index(text.encode()) == listed


def test_line_ends_of_other_servers():
    assert read_index(b"VN/1-2-00001.zip\r\nVN/2-3-00001.zip\r\n") == [
        "VN/1-2-00001.zip",
        "VN/2-3-00001.zip",
    ]
    assert read_index(b"") == []


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfa.zip\nVN/b.zip\n",  # Notepad
        b"\xef\xbb\xbfa.zip\r\nVN/b.zip\r\n\r\n",
        "a.zip\r\nVN/b.zip\r\n".encode("utf-16"),  # PowerShell
        b"./a.zip\n./VN/b.zip\n",  # find
        b"a.zip \n\tVN/b.zip\n \n\n",
        b"a.zip\rVN/b.zip\r",
    ],
)
def test_what_editors_and_scripts_put_into_an_index(text):
    assert read_index(text) == ["a.zip", "VN/b.zip"]


def test_the_longest_name():
    assert read_index(write_index(["x" * 1024])) == ["x" * 1024]


@pytest.mark.parametrize(
    "line",
    [
        "/etc/passwd",
        "../other.zip",
        "VN/../../other.zip",
        "VN/./a.zip",
        "./../a.zip",
        ".//a.zip",
        "././a.zip",
        "VN//a.zip",
        "VN/",
        ".hidden",
        "https://elsewhere.example/a.zip",
        "C:\\a.zip",
        "VN\\a.zip",
        "a.zip?x=1",
        "a.zip#x",
        "a%2e.zip",
        "a b.zip",
        "a\0.zip",
        "é.zip",
        "x" * 1025,
    ],
)
def test_lines_that_lead_elsewhere(line):
    with pytest.raises(MalformedExport, match="line 2 of the index") as caught:
        read_index(f"VN/a.zip\n{line}".encode())
    check_one_line(caught.value)
    with pytest.raises(InvalidValue, match="cannot be listed in an index"):
        write_index([line])


def test_an_index_beyond_the_limit():
    with pytest.raises(MalformedExport, match="larger than 1048576"):
        read_index(b"a\n" * (MAX_INDEX_BYTES // 2 + 1))


def write(path, start, end=None):
    export = dataclasses.replace(EXAMPLE, start_timestamp=start, end_timestamp=end or start + 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(write_export(export, [SIGNER]))
    return path


def test_a_folder_without_an_index_is_read_in_the_order_of_time(tmp_path):
    last = write(tmp_path / "a.zip", 30)
    second = write(tmp_path / "b.zip", 20, 22)
    first = write(tmp_path / "c.zip", 20, 21)
    tie = write(tmp_path / "d.zip", 30)
    (tmp_path / "readme.md").write_text("no key file")
    assert find_exports([tmp_path]) == [first, second, last, tie]


def test_files_that_cannot_be_read_come_last_and_say_why_when_read(tmp_path):
    whole = write(tmp_path / "z.zip", 10)
    (tmp_path / "a.zip").write_bytes(b"PK")
    (tmp_path / "b.bin").write_bytes(b"EK Export v1    \xff")
    assert find_exports([tmp_path]) == [whole, tmp_path / "a.zip", tmp_path / "b.bin"]


def test_a_zip_packed_in_another_way_comes_last(tmp_path):
    whole, packed = write(tmp_path / "z.zip", 10), tmp_path / "a.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("export.bin", b"EK Export v1    " * 9)
    data = packed.read_bytes()
    # Behind the headers of the member and of its packing.
    packed.write_bytes(data[:49] + b"\xff" * 9 + data[58:])
    assert find_exports([tmp_path]) == [whole, packed]


def test_a_key_file_without_an_extension_is_used_by_its_content(tmp_path):
    # cwa-documentation#466: days as the CDN names them, beside a zip.
    older, day = write(tmp_path / "older.zip", 10), write(tmp_path / "2021-08-25", 20)
    hour = tmp_path / "13"
    with zipfile.ZipFile(day) as archive:
        hour.write_bytes(archive.read("export.bin"))
        hour.with_suffix(".sig").write_bytes(archive.read("export.sig"))
    assert find_exports([tmp_path]) == [older, hour, day]
    assert search_exports([tmp_path]).passed_over == []


def test_what_is_not_used_in_a_folder_is_named(tmp_path):
    used = write(tmp_path / "a.zip", 10)
    write(tmp_path / "sub" / "b.zip", 10)
    cut = tmp_path / "2021-08-25"
    cut.write_bytes(used.read_bytes()[:-30])
    office = tmp_path / "notes.docx"
    with zipfile.ZipFile(office, "w") as archive:
        archive.writestr("content.xml", "")
    (tmp_path / "a.sig").write_bytes(b"")
    (tmp_path / "readme.md").write_text("")
    (tmp_path / "gone").symlink_to("nowhere")
    found = search_exports([tmp_path])
    assert found.files == [used]
    names = ["2021-08-25", "a.sig", "gone", "notes.docx", "readme.md", "sub"]
    assert [path.name for path in found.passed_over] == names
    assert search_exports([used]).passed_over == []


def test_a_folder_without_key_files_says_what_it_holds(tmp_path):
    for name in ("VN", "b.md", "a.md", "\x1b"):
        (tmp_path / name).mkdir()
    with pytest.raises(ExportFileError, match=r"index.txt\), but VN, a.md, b.md: name") as caught:
        find_exports([tmp_path])
    check_one_line(caught.value)
    with pytest.raises(ExportFileError, match=r"index.txt\): name the folder that does"):
        find_exports([tmp_path / "VN"])


def test_what_an_index_does_not_list_is_named(tmp_path):
    listed, other = write(tmp_path / "a.zip", 10), write(tmp_path / "b.zip", 10)
    for name in ("index.txt", "index.jws"):
        (tmp_path / name).write_text("a.zip")
    assert search_exports([tmp_path]).files == [listed]
    assert search_exports([tmp_path]).passed_over == [other]
    assert search_exports([tmp_path / "index.txt"]).passed_over == []


def test_a_folder_whose_files_an_index_lists_is_used(tmp_path):
    (tmp_path / "vn").mkdir()
    listed = write(tmp_path / "vn" / "a.zip", 10)
    (tmp_path / "index.txt").write_text("vn/a.zip")
    found = search_exports([tmp_path])
    assert (found.files, found.passed_over) == ([listed], [])


def test_a_key_file_comes_whole_through_a_pipe(tmp_path):
    data = write(tmp_path / "a.zip", 10).read_bytes()
    reader, writer = os.pipe()
    try:
        os.write(writer, data)
        os.close(writer)
        [path] = find_exports([Path(f"/dev/fd/{reader}")])
        assert read_export(path).start_timestamp == 10
    finally:
        os.close(reader)


def test_a_large_archive_beside_key_files_is_not_read_whole(tmp_path):
    """An archive with a comment is opened without it, so its size must be bounded first."""
    listed, other = write(tmp_path / "a.zip", 10), tmp_path / "photos.cbz"
    with other.open("wb") as file:
        # Most of it is a hole.
        file.write(b"PK\3\4")
        file.seek(MAX_EXPORT_BYTES)
        with zipfile.ZipFile(file, "w") as archive:
            archive.comment = b"a comment"
            archive.writestr("photo.jpg", bytes(100))
    tracemalloc.start()
    found = search_exports([tmp_path])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.files, found.passed_over) == ([listed], [other])
    assert peak < 4 << 20


def test_names_no_disk_has(tmp_path):
    (tmp_path / "index.txt").write_text("x" * 300)
    for path in (tmp_path, tmp_path / ("x" * 300)):
        with pytest.raises(ExportFileError, match="cannot be read: File name too long") as caught:
            find_exports([path])
        assert str(caught.value).isprintable()


def test_the_index_of_a_folder_is_its_order(tmp_path):
    late, early = write(tmp_path / "late.zip", 30), write(tmp_path / "early.zip", 10)
    write(tmp_path / "unlisted.zip", 20)
    (tmp_path / "index.txt").write_text("late.zip\nearly.zip\nmissing.zip")
    expected = [late, early, tmp_path / "missing.zip"]
    assert find_exports([tmp_path]) == expected
    assert find_exports([tmp_path / "index.txt"]) == expected


def test_paths_from_the_root_of_a_store_as_googles_server_writes_them(tmp_path):
    file = write(tmp_path / "VN" / "1-2-00001.zip", 1)
    (tmp_path / "VN" / "index.txt").write_text("VN/1-2-00001.zip")
    assert find_exports([tmp_path / "VN"]) == [file]
    nearer = write(tmp_path / "VN" / "VN" / "1-2-00001.zip", 1)
    assert find_exports([tmp_path / "VN"]) == [nearer]


def test_given_files_are_put_in_the_order_of_time_around_what_an_index_lists(tmp_path):
    late, early = write(tmp_path / "late.zip", 30), write(tmp_path / "early.zip", 10)
    listed = write(tmp_path / "listed" / "x.zip", 20)
    (tmp_path / "listed" / "index.txt").write_text("x.zip")
    assert find_exports([late, early]) == [early, late]
    assert find_exports([late, tmp_path / "listed", early]) == [late, listed, early]
    assert find_exports([]) == []


def test_bare_files(tmp_path):
    late = write(tmp_path / "late.zip", 30)
    bare = tmp_path / "export.bin"
    with zipfile.ZipFile(write(tmp_path / "x" / "early.zip", 10)) as archive:
        bare.write_bytes(archive.read("export.bin"))
    assert find_exports([tmp_path]) == [bare, late]


def test_what_is_not_there(tmp_path):
    with pytest.raises(ExportFileError, match="does not exist") as caught:
        find_exports([tmp_path / "none.zip"])
    check_one_line(caught.value)
    with pytest.raises(ExportFileError, match="holds no key files") as caught:
        find_exports([tmp_path])
    check_one_line(caught.value)
    with pytest.raises(ExportFileError, match="cannot be read"):
        find_exports([tmp_path / "index.txt"])
    (tmp_path / "index.txt").write_bytes(b"\xff")
    with pytest.raises(MalformedExport, match="line 1 of the index"):
        find_exports([tmp_path])
