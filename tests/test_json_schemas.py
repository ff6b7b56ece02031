"""Every command with --json has a schema, and the schemas say what the code says.

Outputs themselves are held against them where the commands are tested (`tests.json_schemas`).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema_rs
import pytest
from click.testing import CliRunner

from tests.json_schemas import FOLDER, load_schema, printed, strict
from tracing_core.cli import truyvet
from tracing_core.protocol.diagnosis_key import ReportType
from tracing_core.protocol.exposure_window import CalibrationConfidence, Infectiousness


def json_commands(group: click.Group, name: str = "") -> Iterator[str]:
    context = click.Context(group)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        assert command is not None
        path = f"{name} {each}".strip()
        if isinstance(command, click.Group):
            yield from json_commands(command, path)
        elif any("--json" in parameter.opts for parameter in command.params):
            yield path


COMMANDS = sorted(json_commands(truyvet))


def test_every_command_with_json_has_a_schema_and_no_other() -> None:
    assert len(COMMANDS) >= 19
    assert {f"{name.replace(' ', '-')}.json" for name in COMMANDS} == {
        path.name for path in FOLDER.glob("*.json")
    }


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    yield schema
    inner = [*schema.get("properties", {}).values()]
    for name in ("items", "additionalProperties"):
        inner += [schema[name]] if name in schema else []
    for each in inner:
        yield from parts(each)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_schema_is_one_and_describes_every_field(command: str) -> None:
    schema = load_schema(command)
    jsonschema_rs.meta.validate(schema)
    assert schema["title"] == f"truyvet {command} --json"
    for part in parts(schema):
        assert part["description"].endswith(".")
        assert set(part.get("required", ())) <= set(part.get("properties", ()))
        assert (part.get("type") == "object") == bool(
            "properties" in part or "additionalProperties" in part
        )


def test_names_of_enumerations_are_those_of_the_code() -> None:
    window = load_schema("match")["properties"]["exposure_windows"]["items"]["properties"]

    def names(kind: Any, *without: str) -> set[str]:
        return {each.name.lower() for each in kind} - set(without)

    assert set(window["report_type"]["enum"]) == names(ReportType)
    assert set(window["infectiousness"]["enum"]) == names(Infectiousness, "none")
    assert set(window["calibration_confidence"]["enum"]) == names(CalibrationConfidence)


def test_what_the_server_s_commands_print_is_as_described(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    home = str(tmp_path / "home")
    keys = tmp_path / "keys.json"
    start = int(time.time()) // 600 // 144 * 144 - 144
    key = {
        "key": base64.b64encode(bytes(range(16))).decode(),
        "rollingStartNumber": start,
        "rollingPeriod": 144,
    }
    keys.write_text(json.dumps({"temporaryExposureKeys": [key]}))
    for command in (
        ["init"],
        ["issue", "--test-type", "likely"],
        ["publish-keys", str(keys)],
        ["export"],
        ["cleanup"],
        ["join"],
        ["clock"],
        *(["rotate-keys", kind] for kind in ("export", "config", "operator")),
    ):
        done = CliRunner().invoke(truyvet, ["server", *command, "--home", home, "--json"])
        assert done.exit_code == 0, (command, done.output)
        printed(f"server {command[0]}", done.output)


def test_the_check_finds_what_is_wrong() -> None:
    assert printed("agent export", '{"exported": 3}') == {"exported": 3}
    for wrong in ('{"exported": -1}', '{"exported": "3"}', "{}", '{"exported": 3, "at": 5}', "[]"):
        with pytest.raises(jsonschema_rs.ValidationError):
            printed("agent export", wrong)
    # A field that a later version adds is no mistake for readers.
    lenient = jsonschema_rs.validator_for(load_schema("agent export"))
    assert lenient.is_valid({"exported": 3, "at": 5})
    assert strict({"properties": {}}) == {"properties": {}, "additionalProperties": False}
