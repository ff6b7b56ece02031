"""Key files: ``export.bin`` and ``export.sig`` in a zip, and the index of them."""

from tracing_core.export_file.bluezone_file import BLUEZONE_LIST_NAME, BLUEZONE_SIGNATURES_NAME
from tracing_core.export_file.contents import (
    MAX_EXPORT_BYTES,
    MAX_SIGNATURES,
    ExportFile,
    Signature,
    SignatureInfo,
)
from tracing_core.export_file.index import (
    INDEX_NAME,
    MAX_INDEX_BYTES,
    SIGNED_INDEX_NAME,
    FoundExports,
    find_exports,
    read_index,
    search_exports,
    write_index,
)
from tracing_core.export_file.public_key import (
    MAX_PUBLIC_KEY_BYTES,
    VerificationKey,
    read_public_key,
)
from tracing_core.export_file.reader import (
    VerifiedExport,
    parse_export,
    read_export,
    read_export_bytes,
    read_verified,
    verify_export_bytes,
)
from tracing_core.export_file.signature import Signer
from tracing_core.export_file.writer import write_export

__all__ = [
    "BLUEZONE_LIST_NAME",
    "BLUEZONE_SIGNATURES_NAME",
    "INDEX_NAME",
    "MAX_EXPORT_BYTES",
    "MAX_INDEX_BYTES",
    "MAX_PUBLIC_KEY_BYTES",
    "MAX_SIGNATURES",
    "SIGNED_INDEX_NAME",
    "ExportFile",
    "FoundExports",
    "Signature",
    "SignatureInfo",
    "Signer",
    "VerificationKey",
    "VerifiedExport",
    "find_exports",
    "parse_export",
    "read_export",
    "read_export_bytes",
    "read_index",
    "read_public_key",
    "read_verified",
    "search_exports",
    "verify_export_bytes",
    "write_export",
    "write_index",
]
