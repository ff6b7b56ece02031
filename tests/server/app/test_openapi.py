"""Requests generated from the OpenAPI document: every answer is as described."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import given, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode

from server.app.app import create_app, openapi_document
from tests.server.homes import NOW, OPERATOR_KEY, make_settings, open_server
from tracing_core.clock import ManualClock

load_all_checks()

# A request of the right form may still break a rule, which a schema cannot express.
_LEFT_OUT = {"positive_data_acceptance", "missing_required_header", "ignored_auth"}
_OPERATIONS = [
    (path, method, mode)
    for path, methods in openapi_document(make_settings(Path("/nonexistent")))["paths"].items()
    for method, described in methods.items()
    # Any text is valid in a path, so only bodies can be wrong.
    for mode in (GenerationMode if "requestBody" in described else [GenerationMode.POSITIVE])
]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    home = tmp_path_factory.mktemp("openapi") / "home"
    open_server(home).close()
    limits = {"verify_requests_per_minute": 10**9, "max_consecutive_code_failures": 10**9}
    app = create_app(make_settings(home, **limits), ManualClock(NOW))
    yield schemathesis.openapi.from_asgi("/openapi.json", app)
    app.server.close()


@pytest.mark.parametrize(("path", "method", "mode"), _OPERATIONS)
def test_answers_are_as_described(
    schema: schemathesis.BaseSchema, path: str, method: str, mode: GenerationMode
) -> None:
    operation = schema[path][method.upper()]
    checks = [CHECKS.get_one(name) for name in CHECKS.get_all_names() if name not in _LEFT_OUT]

    @given(operation.as_strategy(generation_mode=mode))
    @settings(max_examples=15)
    def answer(case: schemathesis.Case) -> None:
        # Cover traffic is answered alike, whatever its body.
        is_cover = bool(dict(case.headers or {}).get("x-chaff"))
        left_out = [CHECKS.get_one("negative_data_rejection")] if is_cover else []
        case.call_and_validate(
            headers={"X-API-Key": OPERATOR_KEY},
            checks=[check for check in checks if check not in left_out],
        )

    answer()
