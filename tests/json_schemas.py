"""What commands print with --json, held against the schemas of docs/schemas."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema_rs

__all__ = ["FOLDER", "load_schema", "printed", "strict"]

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"


def load_schema(command: str) -> Any:
    return json.loads((FOLDER / f"{command.replace(' ', '-')}.json").read_text())


def strict(schema: Any) -> Any:
    """A schema that takes no field beyond those it names; readers of old versions must."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(value) for name, value in schema.items()}
    return {**found, "additionalProperties": False} if "properties" in schema else found


@functools.cache
def _validator(command: str) -> Any:
    return jsonschema_rs.validator_for(strict(load_schema(command)))


def printed(command: str, text: str) -> Any:
    """Return the object that a command printed, after holding it against its schema."""
    value = json.loads(text)
    _validator(command).validate(value)
    return value
