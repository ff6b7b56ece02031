"""Configurations with and without a risk model, for agents that know it and agents that do not."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from ble_agent.app.status import status
from ble_agent.authority.client import ServerClient
from ble_agent.authority.membership import load_membership
from ble_agent.config import AgentConfig
from ble_agent.exposures.advice import owner_text
from ble_agent.exposures.check import check
from ble_agent.exposures.weighing import choose_weighing
from tests.ble_agent.exposures.test_exposure_check import met
from tests.ble_agent.fake_server import FakeServer
from tracing_core.configuration.env2 import Classification, ExposureConfiguration
from tracing_core.configuration.risk_model import RiskModelConfiguration
from tracing_core.store.database import Database

OWN = replace(
    ExposureConfiguration.default(),
    classifications=(Classification("cam", per_day_sum_erv_seconds=1),),
)
LATER = RiskModelConfiguration("of-a-later-version", {"half_life_minutes": 12.5})


def answers(db: Database, server: FakeServer) -> tuple[str, str]:
    """Return the level, and what the owner reads in English."""
    with ServerClient(server.url, server.clock) as client:
        result = check(db, client, server.clock)
    return result.level, owner_text(result, load_membership(db), "en")


def test_a_document_without_a_model_is_weighed_by_risk(db: Database, server: FakeServer) -> None:
    server.add_file("1-2-00001.zip", [met(db)])
    level, text = answers(db, server)
    assert level == "high"
    assert "cannot use" not in text


def test_a_known_model_takes_the_place_of_risk(db: Database, server: FakeServer) -> None:
    server.configure(2, risk_model=RiskModelConfiguration("env2", OWN.to_json()))
    server.add_file("1-2-00001.zip", [met(db)])
    level, text = answers(db, server)
    assert level == "cam"
    assert "cannot use" not in text


@pytest.mark.parametrize("name", ["of-a-later-version", "env2"])
def test_an_agent_that_cannot_use_the_model_uses_risk_and_says_so(
    db: Database, server: FakeServer, name: str
) -> None:
    server.configure(2, risk=OWN, risk_model=LATER)
    server.add_file("1-2-00001.zip", [met(db)])
    level, text = answers(db, server)
    assert level == "cam"
    assert "“of-a-later-version”, which this version cannot use" in text
    # Parameters that came after this version are as good as another model.
    config = replace(load_membership(db).config, risk_model=replace(LATER, name=name))
    weighing = choose_weighing(config)
    assert (weighing.parameters, weighing.unusable) == (OWN, name)


def test_the_line_is_in_status_and_where_nothing_was_recorded(
    tmp_path: Path, db: Database, server: FakeServer
) -> None:
    server.configure(2, risk_model=LATER)
    _, text = answers(db, server)
    assert text.count("update truyvet") == 1
    for language, words in (("en", "update truyvet"), ("vi", "hãy cập nhật truyvet")):
        assert status(AgentConfig(tmp_path, language), server.clock).text.count(words) == 1


def test_an_agent_of_4f04a2b_reads_a_document_with_a_model(server: FakeServer) -> None:
    """The rules of the reader of commit 4f04a2b (tracing_core/trust.py, `SignedConfig._read`).

    - The document is a JWS in compact form of at most 64 KiB, signed with ES256, of the type
      ``truyvet-config+jwt``; its payload is a JSON object.
    - region, sequence, issued_at, risk, health_authority_id, contact and check_interval_seconds
      are there, of these types; unknown fields beside them are ignored.
    - In ``risk`` an unknown field is an error, so nothing new may ever stand in there.
    """
    server.configure(2, risk_model=LATER)
    document = server.config
    assert len(document) <= 64 << 10
    header, payload, _ = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in document.split(".")
    )
    assert json.loads(header)["alg"] == "ES256"
    assert json.loads(header)["typ"] == "truyvet-config+jwt"
    claims = json.loads(payload)
    kinds = {
        "region": str,
        "sequence": int,
        "issued_at": int,
        "risk": dict,
        "health_authority_id": str,
        "contact": dict,
        "check_interval_seconds": int,
    }
    assert {name: type(claims[name]) for name in kinds} == kinds
    assert claims["risk_model"] == LATER.to_json()
    assert set(claims["risk"]) == {
        "name",
        "source",
        "daily_summaries",
        "days_since_onset_to_infectiousness",
        "infectiousness_when_days_since_onset_missing",
        "report_type_when_missing",
        "classifications",
    }
    assert set(claims["risk"]["daily_summaries"]) == {
        "attenuation_thresholds_db",
        "attenuation_bucket_weights",
        "report_type_weights",
        "infectiousness_weights",
        "days_since_exposure_threshold",
        "minimum_window_score",
    }
