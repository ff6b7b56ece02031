"""Compiled kernels, kept between processes.

Numba keeps what it compiled beside the file of the function it compiled, and compares that file
alone: an edited emitter in another file would go unnoticed. Here an entry counts only if every
source file of this package and of what its kernels take numbers from, this project's version,
Numba's and llvmlite's are the same. Each kind of processor has files of its own, as Numba's index
and what it tells of are written one after the other. What cannot be read is compiled again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import inspect
import logging
import os
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import caching
from numba.core.registry import cpu_target

from matcher import definition
from matcher.kernels import processor
from tracing_core.protocol import interval

__all__ = ["cache_folder", "candidate_folders", "compiled", "kept_if_right", "source_stamp"]

_LOGGER = logging.getLogger(__name__)


def _version() -> str:
    try:
        return importlib.metadata.version("truyvet")
    except importlib.metadata.PackageNotFoundError:
        return "uninstalled"


def _source_digest() -> str:
    digest = hashlib.sha256()
    for part in (_version(), numba.__version__, llvmlite.__version__, sys.version):
        digest.update(part.encode() + b"\0")
    others = [Path(inspect.getfile(module)) for module in (definition, processor, interval)]
    for source in sorted(Path(__file__).parent.rglob("*.py")) + others:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


# Of what is imported now, not of what an upgrade puts there before the first kernel is compiled.
_SOURCE_STAMP = _source_digest()


def source_stamp() -> str:
    """Return a digest of all that decides what a kernel compiles to, but for the processor."""
    return _SOURCE_STAMP


@functools.cache
def _processor() -> str:
    """Return a digest of the processor and the features that Numba compiles for."""
    target = cpu_target.target_context.codegen().magic_tuple()
    return hashlib.sha256(repr(target).encode()).hexdigest()[:16]


def candidate_folders() -> Iterator[Path]:
    """Yield the folders that may hold the cache, the preferred ones first."""
    for variable in ("TRUYVET_CACHE_DIR", "NUMBA_CACHE_DIR"):
        if chosen := os.environ.get(variable):
            yield Path(chosen) / "truyvet-kernels"
    home = os.environ.get("XDG_CACHE_HOME")
    with contextlib.suppress(RuntimeError):  # no home folder
        yield (Path(home) if home else Path.home() / ".cache") / "truyvet" / "kernels"
    yield Path(tempfile.gettempdir()) / f"truyvet-kernels-{os.getuid()}"


def _usable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # What is loaded from here is run, so nobody else may be able to write it.
        facts = folder.lstat()
        if facts.st_uid != os.getuid() or facts.st_mode & 0o022 or folder.is_symlink():
            return False
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@functools.cache
def cache_folder() -> Path | None:
    """Return the first folder that can be written, and by us alone; None if there is none.

    ``$TRUYVET_CACHE_DIR``, ``$NUMBA_CACHE_DIR``, the user's cache folder, the system's temporary.
    """
    for folder in candidate_folders():
        if _usable(folder):
            return folder
    _LOGGER.warning("no folder to keep compiled kernels in; set TRUYVET_CACHE_DIR")
    return None


# Numba's own names, without types; the tests of this module notice if they change.
_CACHING: Any = caching


class _Locator(_CACHING._CacheLocator):  # type: ignore[misc]
    def __init__(self, folder: Path, source: str) -> None:
        self._folder = folder
        # What Numba warns of that cannot be kept, such as code that was not optimised, it names so.
        self._py_file = source

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return source_stamp()

    def get_disambiguator(self) -> str:
        return "kernel"


class _Results(_CACHING.CompileResultCacheImpl):  # type: ignore[misc]
    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Locator(folder, function.__code__.co_filename)
        self._filename_base = self.get_filename_base(
            f"{function.__module__}.{function.__qualname__}-{_processor()}", sys.abiflags
        )


class _Cache(_CACHING.FunctionCache):  # type: ignore[misc]
    def __init__(
        self, function: Callable[..., Any], folder: Path, first_run: Callable[[], None] | None
    ) -> None:
        self._impl_class = functools.partial(_Results, folder=folder)
        self._first_run = first_run
        super().__init__(function)

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        found = self._load(signature, target_context)
        if found is None and self._first_run is not None:
            self._first_run()
            found = self._load(signature, target_context)
        return found

    def _load(self, signature: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(signature, target_context)
        except Exception as error:
            # A file cut short by a full disk or a crash raises whatever pickle meets in it.
            _LOGGER.info("compiling again what the cache cannot give: %s", error)
            with contextlib.suppress(OSError):
                self.flush()  # or saving would read the same damaged index
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        if _held is not None:
            _held.append(functools.partial(self._save, signature, data))
        else:
            self._save(signature, data)

    def _save(self, signature: Any, data: Any) -> None:
        try:
            # Whatever was edited about when it was imported may be in there or not.
            if _source_digest() != source_stamp():
                _LOGGER.info("not kept, as this process runs other sources than there are now")
                return
            super().save_overload(signature, data)
        except OSError as error:
            _LOGGER.warning("a compiled kernel could not be kept: %s", error)


_held: list[Callable[[], None]] | None = None


@contextlib.contextmanager
def kept_if_right() -> Iterator[None]:
    """Keep what is compiled herein only if the end is reached."""
    global _held
    held: list[Callable[[], None]] = []
    _held = held
    try:
        yield
    finally:
        _held = None
    for keep in held:
        keep()


def compiled(
    function: Callable[..., Any],
    signature: Any,
    *,
    name: str = "",
    first_run: Callable[[], None] | None = None,
    **names: Any,
) -> Callable[..., Any]:
    """Compile a function for one signature, or load it compiled.

    Parameters
    ----------
    function
        Plain Python that Numba can compile; not a closure.
    signature
        The Numba signature; arrays that are only read should be marked so, then both kinds fit.
    name
        What distinguishes this version of the function from others made of it.
    first_run
        What to do before compiling, if anything; it may raise, or leave it compiled in the cache.
    names
        Global names to bind in the function. One loop so serves several kernels: what a closure
        held, Numba's cache would never find again.
    """
    chosen = types.FunctionType(
        function.__code__, {**function.__globals__, **names}, function.__name__
    )
    chosen.__module__ = function.__module__
    chosen.__qualname__ = f"{function.__name__}_{name}" if name else function.__name__
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy", boundscheck=False)(chosen)
    if folder := cache_folder():
        dispatcher._cache = _Cache(chosen, folder, first_run)
    elif first_run is not None:
        first_run()
    dispatcher.compile(signature)
    dispatcher.disable_compile()
    compiled_function: Callable[..., Any] = dispatcher
    return compiled_function
