"""Compute `own.json` with the program `openssl`, sharing no code with the project.

Nobody published vectors for periods other than 144 or for metadata of version 1.1; these are ours.
``python -m tests.vectors.own`` writes the file anew.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_suffix(".json")
FIRST_INTERVALS_AND_PERIODS = [
    (2649980, 1),
    (2700001, 6),
    (2700144, 60),
    (2899263, 143),
    (0, 2),
    (4294967295, 1),
]
# Version 1.1 with each calibration confidence; then 1.0, the reserved bytes, the extremes of power.
METADATA = ["50f10000", "54000000", "580c0000", "5ce80000", "407f0000", "50800000", "5cff1234"]


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True)
    return done.stdout


def hkdf(tek: str, info: str) -> str:
    options = ["-kdfopt", "digest:SHA256", "-kdfopt", f"hexkey:{tek}", "-kdfopt", f"info:{info}"]
    return openssl("kdf", "-keylen", "16", "-binary", *options, "HKDF").hex()


def encrypt(cipher: str, key: str, data: str, *more: str) -> str:
    arguments = ["enc", f"-aes-128-{cipher}", "-K", key, "-nopad", *more]
    return openssl(*arguments, data=bytes.fromhex(data)).hex()


def vectors() -> list[dict[str, Any]]:
    found = []
    for number, (first, period) in enumerate(FIRST_INTERVALS_AND_PERIODS):
        tek = hashlib.sha256(f"truyvet vector {number}".encode()).hexdigest()[:32]
        rpik, aemk = hkdf(tek, "EN-RPIK"), hkdf(tek, "EN-AEMK")
        entry: dict[str, Any] = {
            "tek": tek,
            "rolling_start_interval_number": first,
            "rolling_period": period,
            "rpik": rpik,
            "aemk": aemk,
            "sent": [],
        }
        for interval in sorted({first, first + period // 2, first + period - 1}):
            padded = b"EN-RPI".hex() + "00" * 6 + interval.to_bytes(4, "little").hex()
            rpi = encrypt("ecb", rpik, padded)
            aems = {plain: encrypt("ctr", aemk, plain, "-iv", rpi) for plain in METADATA}
            entry["sent"].append({"interval": interval, "rpi": rpi, "aem_of_metadata": aems})
        found.append(entry)
    return found


def text() -> str:
    contents = {
        "source": "ours: computed by tests/vectors/own.py with the program openssl",
        "licence": "Apache-2.0",
        "vectors": vectors(),
    }
    return json.dumps(contents, indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())
