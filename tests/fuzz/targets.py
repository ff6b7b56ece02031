"""What can be fuzzed, and one input's way through it."""

from __future__ import annotations

import collections
import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any
from unittest.mock import patch

from ble_agent.radio.replay import capture
from ble_agent.store.importers import cursor, microg, sqlite_source
from ble_agent.store.importers.leveldb import files as leveldb_files
from ble_agent.store.importers.leveldb import snappy
from matcher.columns import key_records as export_columns
from matcher.columns import log as log_columns
from matcher.kernels.loops import export_parsing, log_parsing
from tests.fuzz import agent_inputs, export_keys, imports, log_lines
from tests.fuzz.kernel_memory import Kernel, as_it_is, checked, guarded, python_body
from tracing_core.protocol import advertisement

__all__ = [
    "TARGETS",
    "KernelTarget",
    "Target",
    "read_seeds",
    "seeds_path",
    "steps_of",
    "write_seeds",
]

Check = Callable[[bytes], str]


@dataclass(frozen=True)
class Target:
    """A parser."""

    modules: tuple[ModuleType, ...]
    """Where it is written."""
    check: Check
    """Parses an input; "taken", "left" to a slower parser or "refused", or an error."""
    examples: Callable[[], Iterable[bytes]]
    """Inputs to begin with, all of them taken."""
    words: tuple[bytes, ...] = ()
    """What an input may well hold."""
    mutate: Callable[[bytes, int, int, Callable[[bytes, int], bytes]], bytes] | None = None
    """A mutator that knows the format: input, longest result, seed, libFuzzer's own mutator."""

    @property
    def sources(self) -> set[str]:
        """The files of the parser."""
        return {f"{module.__file__}" for module in self.modules}

    @contextlib.contextmanager
    def in_python(self, instrument: Callable[[Any], Any] = as_it_is) -> Iterator[Check]:
        """Give the check with each function of the parser so instrumented."""
        for module in self.modules:
            for owner in (module, *(each for each in vars(module).values() if type(each) is type)):
                for value in vars(owner).values():
                    function = getattr(value, "__func__", value)
                    if isinstance(function, FunctionType) and (
                        function.__code__.co_filename == module.__file__
                    ):
                        instrument(function)
        yield self.check

    @contextlib.contextmanager
    def as_used(self) -> Iterator[Check]:
        """Give the check with the parser as the product uses it."""
        yield self.check


@dataclass(frozen=True, kw_only=True)
class KernelTarget(Target):
    """A parser that is compiled; its check holds it against the slow one."""

    kernel: Kernel
    """The Python that is compiled."""
    caller: ModuleType
    """The module that calls it compiled."""
    loader: str
    """That module's name for the function that returns it compiled."""

    @contextlib.contextmanager
    def parsing_with(self, kernel: Kernel) -> Iterator[Check]:
        """Give the check with this in place of the compiled kernel."""
        with patch.object(self.caller, self.loader, lambda: kernel):
            yield self.check

    def in_python(
        self, instrument: Callable[[Any], Any] = as_it_is
    ) -> contextlib.AbstractContextManager[Check]:
        """Give the check with the kernel as Python, so instrumented, on checked arrays."""
        return self.parsing_with(checked(python_body(self.kernel, instrument)))

    def as_used(self) -> contextlib.AbstractContextManager[Check]:
        """Give the check with the compiled kernel on arrays beside unreadable pages."""
        return self.parsing_with(guarded(getattr(self.caller, self.loader)()))


TARGETS = {
    "advertisement": Target(
        (advertisement,), agent_inputs.check_advertisement, agent_inputs.advertisements
    ),
    "capture": Target((capture,), agent_inputs.check_capture, agent_inputs.captures),
    "database": Target(
        (sqlite_source, microg), imports.check_database, imports.databases, mutate=imports.mutate
    ),
    "export_keys": KernelTarget(
        (export_parsing,),
        export_keys.check,
        export_keys.examples,
        mutate=export_keys.mutate,
        kernel=export_parsing.parse_keys,
        caller=export_columns,
        loader="parse_function",
    ),
    "leveldb": Target(
        (leveldb_files, cursor, snappy), agent_inputs.check_leveldb, agent_inputs.leveldb_files
    ),
    "log_lines": KernelTarget(
        (log_parsing,),
        log_lines.check,
        log_lines.examples,
        log_lines.WORDS,
        log_lines.mutate,
        kernel=log_parsing.parse_lines,
        caller=log_columns,
        loader="parse_lines_function",
    ),
}


def steps_of(target: Target, data: bytes) -> set[tuple[Any, ...]]:
    """Return each step from line to line of a parser, with how often it was gone, up to 3."""
    steps: collections.Counter[tuple[Any, ...]] = collections.Counter()
    before: dict[FrameType, int] = {}
    sources = target.sources

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in sources:
            return None
        if event == "line":
            steps[frame.f_code.co_qualname, before.get(frame), frame.f_lineno] += 1
            before[frame] = frame.f_lineno
        return trace

    with target.in_python() as check:
        sys.settrace(trace)
        try:
            outcome = check(data)
        finally:
            sys.settrace(None)
    return {(outcome, *step, min(count, 3)) for step, count in steps.items()}


def seeds_path(name: str) -> Path:
    """Return where the inputs are kept that the tests try: a line of hex each."""
    return Path(__file__).with_name("seeds") / f"{name}.txt"


def read_seeds(path: Path) -> list[bytes]:
    """Read lines of hex, or a folder of files."""
    if path.is_dir():
        return [file.read_bytes() for file in sorted(path.iterdir())]
    return [bytes.fromhex(line) for line in path.read_text().splitlines()]


def write_seeds(path: Path, seeds: Iterable[bytes]) -> None:
    """Write lines of hex."""
    path.write_text("".join(f"{seed.hex()}\n" for seed in seeds))
