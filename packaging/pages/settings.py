"""The page of settings: every setting of the agent and of the server, with its reason."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import ble_agent.config
import server.config
from pages.source import attribute_docs, list_table
from tracing_core.texts import LANGUAGES

__all__ = ["page"]

_HEADS = ("setting", "type", "default", "unit", "what it is for")
_KINDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
_LIST = "list of texts"
_TABLE = "table of numbers"
_JSON_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
}
# By the end of a setting's name.
_UNITS = {"_seconds": "s", "_bytes": "bytes", "_dbm": "dBm", "_days": "days", "_minute": "1/min"}
_TEMPLATE = Path(__file__).with_name("settings.md")


def page() -> str:
    """Return the page."""
    text = _TEMPLATE.read_text()
    for mark, rows in (("AGENT", _agent_rows()), ("SERVER", _server_rows())):
        text = text.replace(f"<!-- {mark} -->", list_table(_HEADS, rows))
    return text


def _unit(name: str) -> str:
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")


def _shown(value: Any) -> str:
    """Return a default as it is written in TOML."""
    if isinstance(value, dict):
        pairs = ", ".join(f"{name} = {_plain(part)}" for name, part in value.items())
        return f"`{{{pairs}}}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(_plain, value))}]`"
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _agent_rows() -> list[tuple[str, ...]]:
    docs = attribute_docs(ble_agent.config, "AgentConfig")
    rows = []
    for part in dataclasses.fields(ble_agent.config.AgentConfig):
        if part.name == "home":  # it says where agent.toml is, so it is not set there
            continue
        kind = _KINDS.get(str(part.type), _LIST)
        default = "" if part.default is dataclasses.MISSING else _shown(part.default)
        if part.name == "lang":
            kind = " or ".join(f"`{_plain(language)}`" for language in sorted(LANGUAGES))
            default = "the locale's"
        rows.append((f"`{part.name}`", kind, default, _unit(part.name), docs[part.name]))
    return rows


def _server_rows() -> list[tuple[str, ...]]:
    docs = attribute_docs(server.config, "Settings")
    schema = server.config.Settings.model_json_schema()["properties"]
    rows = []
    for name, field in server.config.Settings.model_fields.items():
        if name == "home":
            continue
        default = "none" if field.default is None else _shown(field.default)
        rows.append((f"`{name}`", _json_kind(schema[name]), default, _unit(name), docs[name]))
    return rows


def _json_kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return _json_kind(next(each for each in schema["anyOf"] if each["type"] != "null"))
    if schema["type"] == "array":
        most = schema.get("maxItems")
        return _LIST if most is None else f"{_LIST}, at most {most}"
    if schema["type"] == "object":
        return _TABLE
    return _JSON_KINDS[schema["type"]] + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and schema["type"] == "integer" and "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + 1
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f", at least {low}"
    return ""
