import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from tests.tracing_core.exports import EXAMPLE, PUBLIC_KEY, SIGNER
from tests.tracing_core.refusals import may_refuse
from tracing_core.errors import ExportFileError
from tracing_core.export_file import (
    read_export_bytes,
    read_index,
    write_export,
    write_index,
)
from tracing_core.export_file.contents import HEADER

PACKED = write_export(EXAMPLE, [SIGNER])
with zipfile.ZipFile(io.BytesIO(PACKED)) as _archive:
    BIN, SIG = _archive.read("export.bin"), _archive.read("export.sig")
GENUINE = read_export_bytes(PACKED)


def stored(export_bin, export_sig):
    """Pack without compressing, so that the checksum of the zip hides no damage from us."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("export.bin", export_bin)
        archive.writestr("export.sig", export_sig)
    return out.getvalue()


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """Change, cut out, repeat and insert."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(changed) - 1)))
        end = min(len(changed), at + draw(st.integers(0, 20)))
        kind = draw(st.sampled_from(["flip", "set", "cut", "repeat", "insert", "end"]))
        if kind == "flip" and changed:
            changed[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set":
            changed[at:end] = draw(st.binary(min_size=end - at, max_size=end - at))
        elif kind == "cut":
            del changed[at:end]
        elif kind == "repeat":
            changed[at:at] = changed[at:end] * draw(st.integers(1, 20))
        elif kind == "insert":
            changed[at:at] = draw(st.binary(max_size=12))
        elif kind == "end":
            del changed[at:]
    return bytes(changed)


def use(export):
    """Whatever is accepted must be whole: every key can be made."""
    for key in (*export.keys, *export.revised_keys):
        assert len(key.key_data) == 16
    assert export.region.isprintable() in (True, False)
    assert 0 <= export.start_timestamp <= export.end_timestamp < 2**32 * 600
    write_export(export, [])


@given(mutated(BIN))
def test_a_mutated_file_is_read_or_refused(data):
    with may_refuse(ExportFileError):
        use(read_export_bytes(data))


@given(mutated(BIN[len(HEADER) :]) | st.binary(max_size=200))
def test_mutated_protobuf_is_read_or_refused(data):
    with may_refuse(ExportFileError):
        use(read_export_bytes(HEADER + data))


@given(mutated(PACKED))
def test_a_mutated_zip_is_read_or_refused(data):
    with may_refuse(ExportFileError):
        use(read_export_bytes(data))


@given(mutated(PACKED))
def test_a_mutated_zip_that_verifies_holds_the_genuine_keys(data):
    with may_refuse(ExportFileError):
        assert read_export_bytes(data, public_keys=[PUBLIC_KEY]) == GENUINE


@given(mutated(BIN), mutated(SIG) | st.just(SIG))
def test_mutated_members_that_verify_hold_the_genuine_keys(export_bin, export_sig):
    with may_refuse(ExportFileError):
        export = read_export_bytes(stored(export_bin, export_sig), public_keys=[PUBLIC_KEY])
        assert export == GENUINE


@given(mutated(SIG))
def test_mutated_signatures_are_read_or_refused(export_sig):
    with may_refuse(ExportFileError):
        export = read_export_bytes(stored(BIN, export_sig))
        assert export == GENUINE


def test_every_single_flipped_bit_of_a_signed_file_is_refused():
    for bit in range(len(BIN) * 8):
        flipped = bytearray(BIN)
        flipped[bit // 8] ^= 1 << bit % 8
        with may_refuse(ExportFileError):
            read_export_bytes(stored(flipped, SIG), public_keys=[PUBLIC_KEY])
            raise AssertionError(f"bit {bit} was not missed")


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_any_index_is_read_or_refused(data):
    with may_refuse(ExportFileError):
        names = read_index(data)
        assert read_index(write_index(names)) == names
