"""Key files to try the readers on: written here, and others' from the folder of recordings."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import strategies as st

from tests.tracing_core.strategies import diagnosis_keys
from tracing_core.export_file import ExportFile, Signer
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType, VariantOfConcern

SIGNING_KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC_KEY = SIGNING_KEY.public_key()
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
SIGNER = Signer(SIGNING_KEY, "452", "v1")

EXAMPLE = ExportFile(
    start_timestamp=1_606_089_600,
    end_timestamp=1_606_093_200,
    region="VN",
    keys=(
        DiagnosisKey(b"b" * 16, 2676000, 144, ReportType.CONFIRMED_TEST, -3, 4),
        DiagnosisKey(b"a" * 16, 2676144, 37, variant_of_concern=VariantOfConcern.TYPE_2),
    ),
    revised_keys=(DiagnosisKey(b"c" * 16, 2675856, 144, ReportType.REVOKED, 14),),
)


def exports() -> st.SearchStrategy[ExportFile]:
    keys = st.lists(diagnosis_keys(), max_size=5).map(tuple)
    return st.builds(
        lambda times, *rest: ExportFile(min(times), max(times), *rest),
        st.tuples(*[st.integers(0, 2**32 * 600 - 1)] * 2),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        keys,
        keys,
        st.integers(-(2**31), 2**31 - 1),
        st.integers(-(2**31), 2**31 - 1),
    )


def some_keys(count: int) -> list[DiagnosisKey]:
    return [
        DiagnosisKey(hashlib.sha256(b"%d" % at).digest()[:16], 2676000 + at % 14 * 144)
        for at in range(count)
    ]


def recordings() -> Path:
    """Return the folder of others' recordings; without it the test is skipped."""
    folder = os.environ.get("TRUYVET_RECORDINGS")
    if not folder:
        pytest.skip("TRUYVET_RECORDINGS does not name the folder of recordings")
    return Path(folder)
