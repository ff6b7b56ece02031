import io
import os
import struct
import subprocess
import sys
import threading
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from tests.tracing_core.exports import EXAMPLE, SIGNER
from tests.tracing_core.refusals import check_one_line
from tracing_core.errors import ExportFileError, MalformedExport, UnsupportedHeader
from tracing_core.export_file import MAX_EXPORT_BYTES, read_export, read_export_bytes, write_export
from tracing_core.export_file.archive import prefix
from tracing_core.export_file.contents import HEADER
from tracing_core.export_file.reader import read_file

PLAIN = write_export(EXAMPLE, [SIGNER])


def zipped(*members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return bytearray(out.getvalue())


def end_record(data):
    return len(data) - 22


def directory(data):
    return struct.unpack_from("<L", data, end_record(data) + 16)[0]


def refused(data, text, kind=MalformedExport):
    data = bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(kind, match=text) as caught:
            read_export_bytes(data, name="batch.zip")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    check_one_line(caught.value)
    assert "batch.zip" in str(caught.value)
    return peak


def test_a_bomb_is_refused_unopened():
    bomb = zipped(("export.bin", HEADER + bytes(60 << 20)))
    assert len(bomb) < 1 << 20
    assert refused(bomb, "absurdly many bytes") < 1 << 20


def test_a_bomb_that_lies_about_its_size_is_cut_short():
    bomb = zipped(("export.bin", HEADER + bytes(60 << 20)))
    struct.pack_into("<L", bomb, directory(bomb) + 24, 1000)
    assert refused(bomb, "damaged zip") < 1 << 20


def test_a_size_beyond_the_limit_is_refused_unopened():
    data = zipped(("export.bin", HEADER))
    struct.pack_into("<L", data, directory(data) + 24, MAX_EXPORT_BYTES + 1)
    assert refused(data, "more than 67108864 bytes") < 1 << 20
    data = zipped(("export.bin", HEADER), ("export.sig", bytes(70_000)))
    refused(data, "export.sig unpacks to more than 65536 bytes")


def test_a_size_larger_than_what_is_there():
    data = zipped(("export.bin", HEADER + b"x" * 50))
    struct.pack_into("<L", data, directory(data) + 24, 4000)
    refused(data, r"damaged zip|shorter than it says")


def test_a_zip_in_a_zip_is_no_key_file():
    refused(zipped(("export.bin", PLAIN)), "not a key file", UnsupportedHeader)
    refused(zipped(("batch.zip", PLAIN)), "a zip without export.bin, and other files in it may be")
    refused(zipped(("export.sig", b"")), "a zip without export.bin, with the signature alone")
    refused(zipped(("notes.txt", b"")), "a zip without export.bin, so it is not a key file")


def test_many_members_are_refused_unread():
    crowd = zipped(*[(f"member{at}", b"") for at in range(20_000)])
    assert refused(crowd, "20000 members") < 1 << 20
    # zipfile believes the size of the directory and not this count.
    struct.pack_into("<2H", crowd, end_record(crowd) + 8, 2, 2)
    assert refused(crowd, "2 members|plain zip") < 1 << 20


@pytest.mark.slow
def test_a_second_directory_of_64_bits_is_refused_unread():
    crowd = zipped(*[(f"member{at}", b"") for at in range(20_000)])
    start, size = directory(crowd), end_record(crowd) - directory(crowd)
    # It hides in the comment of the only member that the plain directory lists.
    hidden = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size + 46, start)
    hidden += struct.pack("<4sLQL", b"PK\6\7", 0, end_record(crowd) + 46, 1)
    entry = struct.pack("<4s4B4H3L5H2L", b"PK\1\2", 20, 3, 20, 0, *[0] * 9, len(hidden), *[0] * 4)
    entry += hidden
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry), end_record(crowd), 0)
    data = crowd[: end_record(crowd)] + entry + end
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.infolist()) == 20_001
    assert refused(data, "plain zip") < 1 << 20


def test_a_member_may_not_be_there_twice():
    for name in ("export.bin", "export.sig"):
        members = [("export.bin", HEADER), ("export.sig", b"")]
        with pytest.warns(UserWarning, match="Duplicate name"):
            data = zipped(*members, (name, b"other"))
        refused(data, f"holds {name} twice")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_refused(method):
    refused(zipped(("export.bin", HEADER), method=method), "packed in a way key files are not")


def test_encrypted_members_are_refused():
    data = zipped(("export.bin", HEADER))
    data[directory(data) + 8] |= 1
    refused(data, "is encrypted: unpack it with its password")


def test_zips_with_something_before_them():
    refused(b"PK" + PLAIN, "plain zip|damaged")
    refused(PLAIN + PLAIN, "plain zip|damaged")
    refused(PLAIN[:-1], "truncated zip")
    refused(b"PK\3\4", "truncated zip")


@pytest.mark.parametrize("behind", [b"\0", b"\r\n", bytes(512), b"x" * 60_000])
def test_what_follows_the_end_of_a_zip_does_not_matter(behind):
    assert read_export_bytes(PLAIN + behind) == read_export_bytes(PLAIN)
    refused(PLAIN + bytes(70_000), "truncated zip")


@pytest.mark.parametrize("size", [1, 22, 0xFFFF])
def test_a_comment_does_not_matter(size, tmp_path):
    data = bytearray(PLAIN) + b"c" * size
    struct.pack_into("<H", data, end_record(PLAIN) + 20, size)
    assert read_export_bytes(bytes(data)) == read_export_bytes(PLAIN)
    path = tmp_path / "comment.zip"
    path.write_bytes(data)
    assert read_export(path) == read_export_bytes(PLAIN)
    assert prefix(path, 16) == HEADER


def test_a_second_end_in_a_comment_is_refused():
    crowd = zipped(*[(f"member{at}", b"") for at in range(20_000)])
    hidden = crowd[end_record(crowd) :]
    data = bytearray(PLAIN) + hidden
    struct.pack_into("<H", data, end_record(PLAIN) + 20, len(hidden))
    assert refused(data, "plain zip|members") < 1 << 20


def sixty_four_bits(data, *, members=2):
    """Return a zip with the records of 64 bits that streaming tools write."""
    plain = struct.unpack_from("<4s4H2LH", data, end_record(data))
    start, size = plain[6], plain[5]
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, members, members, size, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[: end_record(data)] + record + locator + end


def test_records_of_64_bits():
    assert read_export_bytes(sixty_four_bits(PLAIN)) == read_export_bytes(PLAIN)
    refused(sixty_four_bits(PLAIN, members=17), "17 members")
    crowd = zipped(*[(f"member{at}", b"") for at in range(20_000)])
    assert refused(sixty_four_bits(bytes(crowd)), "2 members") < 1 << 20


def streamed(*members):
    """Return a zip as a pipe gets it: sizes follow the members."""

    class Pipe(io.RawIOBase):
        data = b""

        def writable(self):
            return True

        def write(self, some):
            self.data += bytes(some)
            return len(some)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    return pipe.data


def test_sizes_that_follow_the_members():
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as archive:
        data = streamed(*((name, archive.read(name)) for name in archive.namelist()))
    assert data[6] & 8
    public_keys = [SIGNER.private_key.public_key()]
    assert read_export_bytes(data, public_keys=public_keys) == read_export_bytes(PLAIN)


@pytest.mark.parametrize(
    "where",
    ["{}", "./{}", "keys/{}", "2021-08-25/keys/{}", "keys\\{}"],
)
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
def test_members_in_a_folder_or_in_capitals(where, case):
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as archive:
        members = [(where.format(case(name)), archive.read(name)) for name in archive.namelist()]
    others = [("keys/", b""), ("__MACOSX/._export.bin", b"x"), (".DS_Store", b"x")]
    data = bytes(zipped(*others, *members))
    public_keys = [SIGNER.private_key.public_key()]
    assert read_export_bytes(data, public_keys=public_keys) == read_export_bytes(PLAIN)


def test_the_member_of_the_very_name_is_the_one():
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    data = bytes(zipped(*members, ("old/export.bin", b"x"), ("EXPORT.SIG", b"x")))
    assert read_export_bytes(data) == read_export_bytes(PLAIN)
    refused(zipped(("a/export.bin", HEADER), ("b/export.bin", HEADER)), "holds export.bin twice")


def test_a_wrong_checksum_is_refused():
    data = zipped(("export.bin", HEADER + b"x" * 50), method=zipfile.ZIP_STORED)
    data[60] ^= 1
    refused(data, "damaged zip")


def test_a_directory_that_points_elsewhere():
    data = zipped(("export.bin", HEADER))
    struct.pack_into("<L", data, directory(data) + 42, 0x7FFFFFFF)
    refused(data, "damaged zip")


def test_a_member_whose_own_header_names_another():
    data = zipped(("export.bin", HEADER))
    data[30:40] = b"export.sig"
    refused(data, "damaged zip")


def test_a_stream_that_ends_early():
    packed = zlib.compressobj(wbits=-15)
    whole = packed.compress(HEADER * 100) + packed.flush()
    data = zipped(("export.bin", HEADER * 100))
    at = data.index(whole)
    data[at : at + len(whole)] = b"\xff" * len(whole)
    refused(data, "damaged zip")


def test_a_name_with_no_room_for_a_signature_beside_it(tmp_path):
    path = tmp_path / ("x" * 253 + ".b")
    path.write_bytes(zipfile.ZipFile(io.BytesIO(PLAIN)).read("export.bin"))
    assert read_export(path).signatures == ()


def test_files_larger_than_the_limit(tmp_path):
    with pytest.raises(MalformedExport, match="larger than 67108864"):
        read_export_bytes(bytes(MAX_EXPORT_BYTES + 1))
    path = tmp_path / "export.bin"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(MalformedExport, match="larger than 67108864") as caught:
        read_export(path)
    check_one_line(caught.value)


# What protobuf would make of these takes forty times their size.
HOSTILE = """
import resource, sys
from tracing_core.errors import ExportFileError
from tracing_core.export_file import MAX_EXPORT_BYTES, read_export_bytes
from tracing_core.export_file.archive import prefix
from tracing_core.export_file.contents import HEADER
field = bytes.fromhex(sys.argv[1])
data = HEADER + field * ((MAX_EXPORT_BYTES - 16) // len(field))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_export_bytes(data)
except ExportFileError:
    pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "field",
    ["3a00", "4200", "3200", "3a02" + "0a00", "3a14" + "0a10" + "61" * 16 + "4801", "f80700"],
    ids=["keys", "revised keys", "infos", "keys of no bytes", "real keys", "unknown fields"],
)
def test_the_largest_hostile_file_takes_bounded_memory(field):
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE, field],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert int(done.stdout) < 10 * (MAX_EXPORT_BYTES >> 20)


def test_reading_leaves_no_file_open(tmp_path):
    path = tmp_path / "batch.zip"
    before = len(list(Path("/proc/self/fd").iterdir()))
    for data in (PLAIN, PLAIN[:-1], b""):
        path.write_bytes(data)
        try:
            read_export(path)
        except ExportFileError:
            continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_pipe_is_read_to_its_end(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write(data):
        with path.open("wb") as pipe:
            pipe.write(data)

    for size, limit in ((0, 10), (200_000, 200_000)):
        writer = threading.Thread(target=write, args=(bytes(size),))
        writer.start()
        assert read_file(path, limit) == bytes(size)
        writer.join()
    writer = threading.Thread(target=write, args=(bytes(11),))
    writer.start()
    with pytest.raises(MalformedExport, match="larger than 10 bytes"):
        read_file(path, 10)
    writer.join()
