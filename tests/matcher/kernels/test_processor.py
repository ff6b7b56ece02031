"""A kernel is chosen by what the processor has, and one it lacks is an error of one line."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from matcher.kernels import processor
from matcher.kernels.processor import KERNELS, choose_kernel, supported_kernels
from tracing_core.errors import InvalidValue

ON_X86 = platform.machine() == "x86_64"
OURS = "neon-aes" if ON_X86 else "aesni-sse"

ICE_LAKE = ["aes", "vaes", "avx", "avx2", "sha", "sse4.1"]
ICE_LAKE += ["avx512f", "avx512bw", "avx512vl", "avx512vbmi"]


def pretend(
    monkeypatch: pytest.MonkeyPatch, features: list[str], machine: str = "x86_64", name: str = "any"
) -> None:
    for variable in ("TRUYVET_KERNEL", "NUMBA_CPU_FEATURES", "NUMBA_ENABLE_AVX"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(processor, "host_features", lambda: frozenset(features))
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setenv("NUMBA_CPU_NAME", name)


@pytest.mark.parametrize(
    ("features", "machine", "name", "best"),
    [
        (ICE_LAKE, "x86_64", "icelake-server", "vaes512-avx512"),
        (ICE_LAKE, "x86_64", "znver4", "vaes512-sha"),
        (ICE_LAKE, "AMD64", "znver5", "vaes512-sha"),
        (["aes", "vaes", "avx", "avx2", "sha", "sse4.1"], "x86_64", "znver3", "vaes256-sha"),
        (["aes", "vaes", "avx", "avx2", "sse4.1"], "x86_64", "any", "vaes256-avx2"),
        (["aes", "avx", "avx2", "avx512f", "avx512bw", "sse4.1"], "x86_64", "any", "aesni-avx512"),
        (["aes", "avx", "avx2", "sha", "sse4.1"], "x86_64", "znver2", "aesni-sha"),
        (["aes", "avx", "avx2", "sse4.1"], "x86_64", "haswell", "aesni-avx2"),
        (["aes", "sse4.1"], "x86_64", "westmere", "aesni-sse"),
        (["sse4.1"], "x86_64", "penryn", "table"),
        (["neon", "aes", "sha2"], "aarch64", "cortex-a76", "neon-aes"),
        (["neon"], "aarch64", "cortex-a72", "table"),
    ],
)
def test_the_best_kernel(
    monkeypatch: pytest.MonkeyPatch, features: list[str], machine: str, name: str, best: str
) -> None:
    pretend(monkeypatch, features, machine, name)
    assert choose_kernel().name == best
    assert [kernel.name for kernel in supported_kernels()][-2:] == ["table", "portable"]


def test_numbas_variables_are_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, ICE_LAKE, name="generic")
    assert choose_kernel().name == "table"
    monkeypatch.setenv("NUMBA_CPU_NAME", "icelake-server")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+aes,+sse4.1,-avx")
    assert choose_kernel().name == "aesni-sse"
    # What the variable promises and the processor lacks would end the process.
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+aes,+sse4.1,+avx2,+avx10.1")
    pretend_less = frozenset({"aes", "sse4.1"})
    monkeypatch.setattr(processor, "host_features", lambda: pretend_less)
    assert choose_kernel().name == "aesni-sse"
    monkeypatch.delenv("NUMBA_CPU_FEATURES")
    monkeypatch.setattr(processor, "host_features", lambda: frozenset(ICE_LAKE))
    monkeypatch.setenv("NUMBA_ENABLE_AVX", "0")
    assert choose_kernel().name == "aesni-sse"


def test_every_kernel_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for kernel in supported_kernels():
        monkeypatch.setenv("TRUYVET_KERNEL", kernel.name)
        assert choose_kernel() is kernel is KERNELS[kernel.name]
    assert choose_kernel("portable").name == "portable"


@pytest.mark.parametrize("name", [OURS, "fastest", "vaes512-sha; rm", "é" * 100])
def test_another_name_is_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TRUYVET_KERNEL", name)
    with pytest.raises(InvalidValue) as caught:
        choose_kernel()
    assert "\n" not in str(caught.value)
    assert "portable" in str(caught.value)


def test_a_kernel_numba_will_not_compile_is_an_error_and_no_abort() -> None:
    code = (
        "from matcher.kernels.processor import KERNELS, supported_kernels;"
        "from matcher.kernels.registry import scan_function;"
        "from tracing_core.errors import InvalidValue\n"
        "for kernel in KERNELS.values():\n"
        "    if kernel.compiled and kernel not in supported_kernels():\n"
        "        try: scan_function(kernel)\n"
        "        except InvalidValue as error: print('refused', error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"NUMBA_CPU_FEATURES": "+sse4.1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-1000:]
    assert run.stdout.count("refused") == len(KERNELS) - 2


def test_choosing_imports_no_numba() -> None:
    code = (
        "import sys, matcher.kernels.processor as p; k = p.choose_kernel('portable');"
        "assert not {'numba', 'numpy', 'llvmlite'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
