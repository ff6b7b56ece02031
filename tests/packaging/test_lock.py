"""The locks: hashes for every version, checked by what installs from them (attacks.md T13)."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = (
    "requirements.lock",
    "packaging/server/requirements.lock",
    "packaging/raspberry-pi/requirements.lock",
)

BILLS = ("truyvet", "truyvet-server", "truyvet-agent")


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"packaging/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def entries(lock: str) -> dict[str, list[str]]:
    """Return the hashes of each version, by the line that names it."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / lock).read_text().splitlines():
        if line.startswith(" "):
            match = re.fullmatch(r" +--hash=sha256:([0-9a-f]{64})(?: \\)?", line)
            assert match, line
            found[list(found)[-1]].append(match[1])
        else:
            found[line.removesuffix(" \\")] = []
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_version_has_hashes(lock: str) -> None:
    found = entries(lock)
    assert len(found) > 30
    for line, hashes in found.items():
        assert re.match(r"[A-Za-z0-9._-]+==[0-9]", line), line
        assert hashes, line


def test_a_service_runs_what_is_tested() -> None:
    everything, server, agent = (
        {line.partition(" ;")[0]: hashes for line, hashes in entries(lock).items()}
        for lock in LOCKS
    )
    assert server.items() <= everything.items()
    assert agent.items() <= everything.items()
    names = {line.partition("==")[0] for line in server}
    assert {"fastapi", "psycopg", "sqlalchemy", "uvicorn"} <= names
    assert not {"bleak", "bumble", "numba", "pytest"} & names
    names = {line.partition("==")[0] for line in agent}
    assert {"bleak", "starlette", "zxing-cpp"} <= names
    assert not {"bumble", "fastapi", "numba", "numpy", "pytest"} & names


def test_what_installs_checks_the_hashes() -> None:
    install = re.compile(r"pip install(?! --no-build-isolation --no-deps \.$)(.*)", re.MULTILINE)
    for page in ("packaging/server/README.md", "docs/vi/may-chu.md"):
        lines = install.findall((ROOT / page).read_text())
        assert lines == [" --require-hashes --requirement packaging/server/requirements.lock"], page
    script = (ROOT / "packaging/set-up.sh").read_text()
    assert "*) $pip install --require-hashes --requirement requirements.lock ;;" in script
    assert "--no-deps --no-build-isolation --editable ." in script


def test_on_32_bit_arm_the_same_versions_come_without_hashes() -> None:
    script = (ROOT / "packaging/set-up.sh").read_text()
    match = re.search(r"(sed '[^']*' requirements\.lock) >", script)
    assert match
    done = subprocess.run(
        ["sh", "-c", match[1]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == list(entries("requirements.lock"))


def test_the_bill_of_materials_names_every_package_and_is_the_same_each_time(
    tmp_path: Path,
) -> None:
    made = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        command = [sys.executable, str(ROOT / "packaging/sbom.py"), str(folder)]
        subprocess.run(command, check=True, capture_output=True)
        made.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert made[0] == made[1]
    bills = [json.loads(made[0][f"{name}.cdx.json"]) for name in BILLS]
    for lock, bill in zip(LOCKS, bills, strict=True):
        assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
        assert re.fullmatch(
            r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"]
        )
        found = {
            f"{each['name']}=={each['version']}": sorted(
                reference["hashes"][0]["content"] for reference in each["externalReferences"]
            )
            for each in bill["components"]
        }
        named = {line.partition(" ;")[0]: sorted(hashes) for line, hashes in entries(lock).items()}
        assert found == named
        references = [each["bom-ref"] for each in bill["components"]]
        assert references == sorted(set(references))


@pytest.mark.parametrize("line", ["bleak==3.1.0", "bleak", "-r other.lock", "git+https://x.org/y"])
def test_a_lock_without_hashes_makes_no_bill(line: str) -> None:
    with pytest.raises(ValueError, match="is not a version with hashes"):
        module("sbom").components(line)
