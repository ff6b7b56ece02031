"""Write a bill of materials of each lock, as CycloneDX 1.6 in JSON.

Usage: sbom.py FOLDER. The files depend on the locks alone, so the same locks give the same bytes.
Only the standard library is used: the list can be made before anything is installed.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "truyvet": ROOT / "requirements.lock",
    "truyvet-server": ROOT / "packaging/server/requirements.lock",
    "truyvet-agent": ROOT / "packaging/raspberry-pi/requirements.lock",
}
"""The locks, by the name of their bill."""

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(lock: str) -> list[dict[str, Any]]:
    """Return the components of a lock.

    A package is one or more files, one of which is installed. So the hashes are in external
    references, one per file, rather than of the component.

    Raises
    ------
    ValueError
        When a line is neither a version nor a hash, or a version has no hash.
    """
    found: list[dict[str, Any]] = []
    for entry in re.sub(r" \\\n +(?=--hash)", " ", lock).splitlines():
        requirement, *_ = entry.partition(" --hash=")
        match = _LINE.fullmatch(requirement.strip())
        hashes = _HASH.findall(entry)
        if match is None or not hashes:
            raise ValueError(f"{requirement!r} is not a version with hashes")
        name = re.sub(r"[-_.]+", "-", match["name"]).lower()
        purl = f"pkg:pypi/{name}@{match['version']}"
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": match["version"],
            "purl": purl,
            "externalReferences": [
                {
                    "type": "distribution",
                    "url": purl,
                    "hashes": [{"alg": "SHA-256", "content": digest}],
                }
                for digest in sorted(hashes)
            ],
        }
        if match["marker"]:
            component["properties"] = [{"name": "truyvet:marker", "value": match["marker"]}]
        found.append(component)
    return sorted(found, key=lambda each: str(each["bom-ref"]))


def bill(name: str, version: str, lock: str) -> dict[str, Any]:
    """Return the bill of materials of a lock."""
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # A name of the contents, since a random number or a date would make each bill another one.
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, f'{name} {version} {lock}')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": f"{name}@{version}",
                "name": name,
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": components(lock),
    }


def main() -> int:
    """Write the bills."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name, lock in LOCKS.items():
        made = bill(name, version, lock.read_text())
        file = folder / f"{name}.cdx.json"
        file.write_text(json.dumps(made, indent=2) + "\n")
        print(f"{file}: {len(made['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
