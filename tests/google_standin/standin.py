"""The stand-in as a process, and the join file that its authority publishes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

_ROOT = Path(__file__).resolve().parents[2]


@dataclass
class GoogleStandIn:
    """A running deployment."""

    facts: dict[str, Any]

    def control(self, action: str, **fields: Any) -> Any:
        response = httpx2.post(f"{self.facts['control_url']}/{action}", json=fields, timeout=60)
        assert response.status_code == 200, response.text
        return response.json()

    def issue(self, test_type: str = "confirmed", symptom_date: str = "") -> str:
        return str(self.control("issue", testType=test_type, symptomDate=symptom_date))

    def asked(self) -> list[dict[str, Any]]:
        return list(self.control("asked"))

    def join_file(self, path: Path, *, export_keys: Any = None, **changes: Any) -> Path:
        """Write a join file with the present export keys, unless `export_keys` gives others."""
        fields: dict[str, Any] = {
            "region": "VN",
            "health_authority_id": self.facts["health_authority_id"],
            "index_url": f"{self.facts['bucket_url']}/bucket/vn/index.txt",
            "verification_url": self.facts["verification_url"],
            "device_api_key": self.facts["device_api_key"],
            "key_server_url": self.facts["key_server_url"],
            "risk": "enx",
            **changes,
        }
        lines = [
            # A text in JSON is one in TOML too.
            f"{name} = {json.dumps(value)}"
            for name, value in fields.items()
        ]
        for key in export_keys or self.control("signers"):
            lines.append("[[export_keys]]")
            lines += [f"{name} = {json.dumps(value)}" for name, value in key.items()]
        path.write_text("\n".join(lines))
        return path


@contextlib.contextmanager
def google_standin() -> Iterator[GoogleStandIn]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.google_standin"], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield GoogleStandIn(json.loads(process.stdout.readline()))
    finally:
        process.kill()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()
