"""What people give in place of a log or a key file is named, with what to give instead."""

import io
import json
import zipfile

import pytest

from tests.tracing_core.exports import EXAMPLE, SIGNER
from tracing_core.export_file import write_export
from tracing_core.export_file.file_kind import (
    FileKind,
    advice_for_key_file,
    advice_for_log,
    file_kind,
)

KEY_FILE = write_export(EXAMPLE, [SIGNER])


def zipped(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def member(name):
    with zipfile.ZipFile(io.BytesIO(KEY_FILE)) as archive:
        return archive.read(name)


# corona-warn-companion-android#118, and what iOS exports (COVID-19-ExposeChecker#45).
ANDROID = [{"timestamp": "25 August 2021, 20:41", "keyCount": 2380, "matchesCount": 0}]
IOS = {"Build": "x", "ExportVersion": 1, "ExposureChecks": [{"Hash": "x", "MatchCount": 0}]}

KINDS = [
    (KEY_FILE, FileKind.KEY_FILE),
    (member("export.bin"), FileKind.KEY_FILE),
    (member("export.sig"), FileKind.SIGNATURE),
    (b"VN/1-2-00001.zip\nVN/2-3-00001.zip", FileKind.INDEX),
    (b"\xef\xbb\xbfa.zip\r\n", FileKind.INDEX),
    (b"-----BEGIN PUBLIC KEY-----\n", FileKind.PUBLIC_KEY),
    (b"SQLite format 3\0", FileKind.DATABASE),
    (b'{"rpi": "00", "aem": "00"}\n', FileKind.LOG),
    (b'[{"rpi": "00", "aem": "00"}]', FileKind.LOG),
    (json.dumps(ANDROID).encode(), FileKind.CHECKS),
    (json.dumps(ANDROID, indent=2).encode(), FileKind.CHECKS),
    (json.dumps(IOS, indent=4).encode(), FileKind.CHECKS),
    (b'{"batches": ["1.zip"]}', FileKind.JSON),
    (b"\r\n<!DOCTYPE html><html>", FileKind.PAGE),
    (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', FileKind.PAGE),
    (b"%PDF-1.7", FileKind.PDF),
    (b"\x89PNG\r\n\x1a\n", FileKind.IMAGE),
    (b"\xff\xd8\xff\xe0", FileKind.IMAGE),
    (b"btsnoop\0\0\0\0\1", FileKind.CAPTURE),
    (b"PAR1", FileKind.PARQUET),
    (b"\x1f\x8b\x08", FileKind.ARCHIVE),
    (zipped(notes="x"), FileKind.ARCHIVE),
]


# Not by their bytes, which differ between runs.
_KIND_IDS = [f"{number} {kind.name.lower()}" for number, (_, kind) in enumerate(KINDS)]


@pytest.mark.parametrize(("beginning", "kind"), KINDS, ids=_KIND_IDS)
def test_kinds(beginning, kind):
    assert file_kind(beginning) is kind


@pytest.mark.parametrize("beginning", [b"", b"hello\n", bytes(100), b"PK\5\6", b"rpi,aem\n"])
def test_anything_else_is_unknown(beginning):
    assert file_kind(beginning) is None
    assert advice_for_log(beginning) is advice_for_key_file(beginning) is None


@pytest.mark.parametrize(("beginning", "kind"), KINDS, ids=_KIND_IDS)
def test_every_kind_has_advice_where_it_does_not_belong(beginning, kind):
    right = {FileKind.DATABASE, FileKind.LOG, FileKind.JSON}
    assert (advice_for_log(beginning) is None) == (kind in right)
    fine = {FileKind.KEY_FILE, FileKind.CAPTURE, FileKind.PARQUET}
    assert (advice_for_key_file(beginning) is None) == (kind in fine)
