"""Key files: ``export.bin`` and ``export.sig`` in a zip, and the index of them."""

from tracing_core.export_file.contents import (
    MAX_EXPORT_BYTES,
    MAX_SIGNATURES,
    ExportFile,
    Signature,
    SignatureInfo,
)
from tracing_core.export_file.index import MAX_INDEX_BYTES, find_exports, read_index, write_index
from tracing_core.export_file.reader import (
    VerifiedExport,
    parse_export,
    read_export,
    read_export_bytes,
    read_verified,
)
from tracing_core.export_file.signature import Signer, load_public_key
from tracing_core.export_file.writer import write_export

__all__ = [
    "MAX_EXPORT_BYTES",
    "MAX_INDEX_BYTES",
    "MAX_SIGNATURES",
    "ExportFile",
    "Signature",
    "SignatureInfo",
    "Signer",
    "VerifiedExport",
    "find_exports",
    "load_public_key",
    "parse_export",
    "read_export",
    "read_export_bytes",
    "read_index",
    "read_verified",
    "write_export",
    "write_index",
]
