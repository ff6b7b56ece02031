"""Risk configurations by name, or from a file."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.errors import InvalidValue
from tracing_core.store.files import file_errors

__all__ = ["MAX_CONFIGURATION_BYTES", "load_configuration", "preset_names"]

MAX_CONFIGURATION_BYTES = 1 << 20
"""The largest file read; presets have up to two thousand bytes."""

_PRESETS = resources.files("matcher.risk") / "presets"


def preset_names() -> list[str]:
    """Return the names of the configurations that come with the package, sorted.

    >>> preset_names()[:3]
    ['enx', 'narrow-v1', 'narrow-v2']
    """
    return sorted(file.name.removesuffix(".json") for file in _PRESETS.iterdir())


def load_configuration(name_or_path: str | Path) -> ExposureConfiguration:
    """Load a preset by its name, else a file in the JSON form of `ExposureConfiguration`.

    >>> load_configuration("enx").daily_summaries.attenuation_thresholds_db
    (30, 50, 60)

    Raises
    ------
    InvalidValue
        When the name is neither, or the file's content is not a configuration.
    StoreError
        When the file cannot be read.
    """
    if str(name_or_path) in preset_names():
        text = (_PRESETS / f"{name_or_path}.json").read_bytes()
    else:
        text = _read(Path(name_or_path))
    try:
        return ExposureConfiguration.from_json(json.loads(text))
    except InvalidValue as error:
        raise InvalidValue(f"{name_or_path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"{name_or_path} is not JSON") from error


def _read(path: Path) -> bytes:
    if not path.exists():
        raise InvalidValue(
            f"{path} is neither a preset nor a file: use a JSON file, or one of"
            f" {', '.join(preset_names())}"
        )
    with file_errors(path), path.open("rb") as file:
        text = file.read(MAX_CONFIGURATION_BYTES + 1)
    if len(text) > MAX_CONFIGURATION_BYTES:
        raise InvalidValue(f"{path} is larger than {MAX_CONFIGURATION_BYTES} bytes")
    return text
