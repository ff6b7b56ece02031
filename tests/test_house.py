"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, entry_points
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tracing_core", "ble_agent", "matcher", "server", "truyvet")
LONGEST_FILE = 600
LONGEST_FUNCTION = 60
LARGEST_FOLDER = 15
# Text that would tie the project to one machine, or to whoever works on it.
FOREIGN = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<![\w}\"'])/root\b",
        r"(?<![\w.])/wo" + r"rk/",
        r"/home/\w+/",
        r"/opt/wh" + r"eels",
        r"\bpy" + r"pi\.org\b",
        r"pythonhost" + r"ed\.org",
        r"\bindex-url\b\s*=",
        r"clau" + r"de|anthro" + r"pic|chat" + r"gpt|copi" + r"lot",
    )
]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def generated(path: Path) -> bool:
    return "_pb2" in path.name


def sources() -> list[Path]:
    return sorted(
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if not generated(path)
    )


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def public_names(tree: ast.Module) -> set[str]:
    """The names a module defines for others: no underscore, and not only for its own use.

    A function that a decorator registers or a list of the module holds is reached through these;
    aliases of types and type variables are for annotations.
    """
    names: set[str] = set()
    listed: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names |= set() if node.decorator_list else {node.name}
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {
                name.id
                for target in targets
                for name in ast.walk(target)
                if isinstance(name, ast.Name) and not is_alias(node.value)
            }
            listed |= {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)}
    return {name for name in names - listed if not name.startswith("_")}


def is_alias(value: ast.expr) -> bool:
    made = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
    return isinstance(value, (ast.Subscript, ast.BinOp)) or made in {"TypeVar", "ParamSpec"}


def exported(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "__all__":
            value = ast.literal_eval(node.value)
            return list(value)
    return None


def is_kernel(path: Path) -> bool:
    """Kernels are written for a compiler, and some only for one processor."""
    return "kernels" in path.parts


def migration(path: Path) -> bool:
    return "versions" in path.parts or path.name == "env.py"


@pytest.mark.parametrize("path", [p for p in sources() if not is_kernel(p)], ids=short)
def test_all_names_what_is_public(path: Path) -> None:
    # That it is sorted is ruff's RUF022, that every name exists its F822.
    tree = ast.parse(path.read_text())
    names, public = exported(tree), public_names(tree)
    if names is None:
        assert migration(path) or path.name == "__main__.py" or not public, f"no __all__: {public}"
        return
    assert len(set(names)) == len(names)
    assert not public - set(names), f"public and not in __all__: {public - set(names)}"


@pytest.mark.parametrize(
    "path",
    [p for p in tracked() if p.suffix in {".py", ".sh"} and not generated(p)],
    ids=short,
)
def test_no_file_and_no_function_is_too_long(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST_FILE
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not is_kernel(path):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= LONGEST_FUNCTION, f"{node.name}: {length} lines"


def test_no_folder_shows_more_than_a_person_takes_in() -> None:
    shown: dict[Path, set[str]] = {}
    for path in sources():
        for folder in path.relative_to(ROOT).parents:
            inside = path.relative_to(ROOT / folder).parts[0]
            shown.setdefault(folder, set()).add(inside)
    del shown[Path()]
    crowded = {str(folder): len(names) for folder, names in shown.items()}
    assert not {name: count for name, count in crowded.items() if count > LARGEST_FOLDER}


def test_every_module_says_what_it_is() -> None:
    mute = [short(path) for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not mute


def test_nothing_tracked_names_a_machine_or_an_index() -> None:
    found = []
    for path in tracked():
        if path == Path(__file__) or path.suffix in {".png", ".zip", ".bin"}:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            found += [f"{short(path)}:{number}: {line.strip()}" for p in FOREIGN if p.search(line)]
    assert not found, "\n".join(found)


def test_licence_and_notice_are_there_and_in_the_package() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert "truyvet" in (ROOT / "NOTICE").read_text()
    metadata = distribution("truyvet").metadata
    assert metadata["License-Expression"] == "Apache-2.0"
    assert {"LICENSE", "NOTICE"} <= set(metadata.get_all("License-File") or [])


def test_every_entry_point_is_a_documented_command() -> None:
    found = list(entry_points(group="truyvet.commands"))
    assert {entry.name for entry in found} >= {"agent", "air", "demo", "match", "server"}
    for entry in found:
        command = entry.load()
        assert isinstance(command, click.Command)
        assert command.help, entry.name


def imported_by(statement: str) -> set[str]:
    """The top-level modules in a fresh interpreter after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return set(done.stdout.splitlines()[-1].split())


HEAVY = {
    *("numpy", "numba", "llvmlite", "bumble", "bleak", "httpx2", "rich"),
    *("fastapi", "sqlalchemy", "pydantic", "uvicorn", "obstore", "alembic"),
}
HEAVY_FOR_ALL_HELP = HEAVY | {"sqlite_utils", "sqlite3", "cryptography", "google"}


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_imports_no_heavy_library(package: str) -> None:
    assert not imported_by(f"import {package}") & HEAVY


def test_the_agent_and_the_core_need_no_numpy() -> None:
    # A library may import numpy where it finds it, so here nothing may be found.
    names = [
        module_name(path)
        for path in sources()
        if path.relative_to(ROOT).parts[0] in {"tracing_core", "ble_agent"}
        # Android's own library is nowhere else.
        and 'import_module("java")' not in path.read_text()
    ]
    absent = "import sys; sys.modules.update(dict.fromkeys(['numpy', 'numba', 'llvmlite']))\n"
    imported_by(f"{absent}import {', '.join(names)}")


@pytest.mark.slow
@pytest.mark.parametrize("command", [[], ["agent"], ["server"], ["match"], ["demo"], ["air"]])
def test_help_imports_no_heavy_library(command: list[str]) -> None:
    statement = (
        f"import sys; sys.argv = {['truyvet', *command, '--help']!r}\n"
        "from tracing_core.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    assert not imported_by(statement) & (HEAVY if command else HEAVY_FOR_ALL_HELP)


@pytest.mark.parametrize(
    ("command", "library", "extra"),
    [("server openapi", "fastapi", "server"), ("air scenario.toml", "bumble", "hci")],
)
def test_a_missing_library_is_one_line_with_what_to_type(
    command: str, library: str, extra: str
) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None; sys.argv[1:] = {command.split()!r}\n"
        "from tracing_core.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    install = f"run pip install '.[{extra}]' in the project's folder"
    assert done.stderr == f"truyvet: {library} is not installed: {install}\n"


def floors() -> dict[str, tuple[str, str]]:
    """By the name of each contract of layers, a module of its lowest floor and its highest."""
    found = {}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    for contract in settings["contracts"]:
        if contract["type"] == "layers":
            container = f"{contract['containers'][0]}." if "containers" in contract else ""
            highest = contract["layers"][0].partition("|")[0].strip()
            lowest = contract["layers"][-1].rpartition("|")[2].strip()
            found[contract["name"]] = (container + lowest, container + highest)
    return found


def test_a_planted_import_upwards_breaks_every_contract_of_floors(tmp_path: Path) -> None:
    for package in PACKAGES:
        only_sources = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=only_sources)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for lowest, highest in floors().values():
        path = tmp_path / lowest.replace(".", "/")
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        with file.open("a") as source:
            source.write(f"\nimport {highest}\n")
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [program, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    broken = {line.removesuffix(" BROKEN") for line in done.stdout.splitlines() if "BROKEN" in line}
    assert set(floors()) <= broken


def test_migrations_follow_one_another() -> None:
    """Two branches that each add one would leave a database that no server opens."""
    pairs = []
    for path in sorted((ROOT / "server/migrations/versions").glob("*.py")):
        text = path.read_text()
        revision, before = (
            re.search(rf'^{name} = (?:"(\d+)"|None)$', text, re.MULTILINE)
            for name in ("revision", "down_revision")
        )
        assert revision, path
        assert before, path
        assert path.name.startswith(f"{revision[1]}_")
        pairs.append((revision[1], before[1]))
    names = [revision for revision, _ in pairs]
    assert pairs == list(zip(names, [None, *names[:-1]], strict=True))
    assert names == [f"{number:04}" for number in range(1, len(names) + 1)]
