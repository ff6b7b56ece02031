"""Two libraries unpack zips, the faster where it is installed: what comes out must be the same."""

import io
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing_core.errors import MalformedExport
from tracing_core.export_file import archive

isal_zlib = pytest.importorskip("isal.isal_zlib")

CONTENTS = st.one_of(
    st.binary(max_size=2000),
    st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 4000)).map(lambda x: x[0] * x[1]),
)


def zipped(contents, level, strategy):
    """Pack a member with any of the strategies that zlib has; zipfile offers but one."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    packed = packer.compress(contents) + packer.flush()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        made.writestr("export.bin", packed)
    data = bytearray(out.getvalue())
    directory = data.rindex(b"PK\1\2")
    for method_at, crc_at in ((8, 14), (directory + 10, directory + 16)):
        data[method_at] = zipfile.ZIP_DEFLATED
        data[crc_at : crc_at + 4] = zlib.crc32(contents).to_bytes(4, "little")
        data[crc_at + 8 : crc_at + 12] = len(contents).to_bytes(4, "little")
    return data, 30 + len("export.bin"), len(packed)


def unpacked(data, inflater):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "_inflater", inflater)
        try:
            return archive.unpack(bytes(data), "x")
        except MalformedExport as error:
            return str(error)


@given(CONTENTS, st.integers(0, 9), st.integers(0, 4))
def test_both_unpack_what_was_packed(contents, level, strategy):
    data, _, _ = zipped(contents, level, strategy)
    if len(contents) > 65536 + 32 * (len(data) - 200):
        return
    assert unpacked(data, isal_zlib) == unpacked(data, zlib) == (contents, None)


@given(CONTENTS, st.integers(0, 9), st.integers(0, 4), st.data())
def test_both_refuse_what_was_damaged(contents, level, strategy, data):
    zip_data, begin, length = zipped(contents, level, strategy)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(begin, begin + max(0, length - 1)))
        zip_data[at] = data.draw(st.integers(0, 255))
    # isal takes some streams that zlib finds ill-formed; the checksum says that nothing is lost.
    assert unpacked(zip_data, isal_zlib) in (unpacked(zip_data, zlib), (contents, None))
