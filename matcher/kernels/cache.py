"""Compiled kernels, kept between processes.

Numba checks a cached function against its own source file only, so it would miss an edited emitter
in another file. Here an entry counts only if nothing has changed that decides its code: the sources
of this package, the modules whose numbers it uses, and the versions of truyvet, Numba and llvmlite.
Each type of processor has files of its own, because Numba writes the index and the code one after
the other. An entry that cannot be read is compiled again.
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


# Taken at import: an upgrade may replace the files before the first kernel is compiled.
_SOURCE_STAMP = _source_digest()


def source_stamp() -> str:
    """Return a digest of everything but the processor that decides a kernel's code."""
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
        # Code from here is executed, so no other user may be able to write it.
        facts = folder.lstat()
        if facts.st_uid != os.getuid() or facts.st_mode & 0o022 or folder.is_symlink():
            return False
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@functools.cache
def cache_folder() -> Path | None:
    """Return the first folder that this user, and no other, can write to; None if there is none.

    ``$TRUYVET_CACHE_DIR``, ``$NUMBA_CACHE_DIR``, the user's cache folder, the temporary folder.
    """
    for folder in candidate_folders():
        if _usable(folder):
            return folder
    _LOGGER.warning(
        "no folder can hold compiled kernels, so each run compiles them: set TRUYVET_CACHE_DIR"
    )
    return None


# Numba's own names, without types; the tests of this module notice if they change.
_CACHING: Any = caching


class _Locator(_CACHING._CacheLocator):  # type: ignore[misc]
    def __init__(self, folder: Path, source: str) -> None:
        self._folder = folder
        # Numba names this file in its warnings about code that it cannot keep.
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
            # pickle may raise anything for a file cut short by a full disk or a crash.
            _LOGGER.info("compiling again, because the cache cannot be read: %s", error)
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
            # A source edited during the import may or may not be part of this code.
            if _source_digest() != source_stamp():
                _LOGGER.info(
                    "a compiled kernel is not kept, because its sources changed since the import"
                )
                return
            super().save_overload(signature, data)
        except OSError as error:
            _LOGGER.warning("a compiled kernel could not be kept: %s", error)


_held: list[Callable[[], None]] | None = None


@contextlib.contextmanager
def kept_if_right() -> Iterator[None]:
    """Keep kernels compiled in this context only if it ends without an exception."""
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
        The Numba signature; arrays that are only read should be marked read-only.
    name
        A name for this version of the function.
    first_run
        Called before compilation; it may raise an error, or leave the function in the cache.
    names
        Global names to bind in the function, so that one loop serves several kernels. Numba's
        cache never finds a function again that holds them in a closure.
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
