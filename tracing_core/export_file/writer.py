"""Writer of key files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracing_core.export_file.archive import pack
from tracing_core.export_file.contents import HEADER, ExportFile
from tracing_core.export_file.signature import Signer, write_info, write_signatures
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType, VariantOfConcern
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD

if TYPE_CHECKING:
    from tracing_core.export_file import export_pb2

__all__ = ["write_export"]


def _fill(message: export_pb2.TemporaryExposureKey, key: DiagnosisKey) -> None:
    message.key_data = key.key_data
    message.rolling_start_interval_number = key.rolling_start_interval_number
    if key.transmission_risk_level:
        message.transmission_risk_level = key.transmission_risk_level
    if key.rolling_period != TEK_ROLLING_PERIOD:
        message.rolling_period = key.rolling_period
    if key.report_type != ReportType.UNKNOWN:
        message.report_type = key.report_type.value  # type: ignore[assignment]
    if key.days_since_onset_of_symptoms is not None:
        message.days_since_onset_of_symptoms = key.days_since_onset_of_symptoms
    if key.variant_of_concern != VariantOfConcern.UNKNOWN:
        message.variant_of_concern = key.variant_of_concern.value  # type: ignore[assignment]


def write_export(export: ExportFile, signers: Sequence[Signer]) -> bytes:
    """Return a key file as a zip, signed by each signer.

    Keys are sorted by their bytes, so their order does not show who uploaded when. Apart from
    the signatures, the same contents give the same bytes.

    Raises
    ------
    InvalidValue
        When there are more than ten signers.
    """
    # Imported only where a key file is read or written.
    from tracing_core.export_file import export_pb2

    message = export_pb2.TemporaryExposureKeyExport(
        start_timestamp=export.start_timestamp,
        end_timestamp=export.end_timestamp,
        region=export.region,
        batch_num=export.batch_num,
        batch_size=export.batch_size,
    )
    for signer in signers:
        write_info(message.signature_infos.add(), signer.info)
    for messages, keys in (
        (message.keys, export.keys),
        (message.revised_keys, export.revised_keys),
    ):
        for key in sorted(keys, key=lambda key: key.key_data):
            _fill(messages.add(), key)
    export_bin = HEADER + message.SerializeToString(deterministic=True)
    return pack(export_bin, write_signatures(export_bin, export, signers))
