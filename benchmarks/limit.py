"""The limit of this processor's units: the time of a key's instructions without any waiting.

Each micro-kernel runs as many instructions as one key needs of one unit, on independent registers.
Loads, look-ups, loops and dependencies cost nothing here. So no matcher of 144 identifiers per key
on one core that hashes first and then encrypts can take less than the sum of:

- AES: 144 blocks of ten rounds;
- hashing: the rounds and schedules of six blocks of SHA-256 (five schedules, as one block is the
  same for every key) by SHA instructions, or the rotations, sums and logic of them in lanes of
  512 bits, whichever is faster here: a slow SHA unit must not flatter us;
- the key schedule, as `aes.emit_expand` does it.

A matcher that does both together could take less: instructions of AES and of lanes, evenly mixed,
take 146 ns, and 159 ns one after the other (Xeon). But a whole kernel of that kind, which hashed
sixteen keys alongside the AES of the previous sixteen, took 4 % more cycles than the present
kernel, at a lower clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types, uint64, uintp

from matcher.kernels.emit.aes import EXPAND
from matcher.kernels.emit.hkdf import MultiBuffer, derived_words
from matcher.kernels.emit.vectors import QWORD, called, emitted
from matcher.kernels.processor import supported_kernels
from tracing_core.errors import InvalidValue

__all__ = [
    "aes_text",
    "hashing_operations",
    "key_schedules",
    "lanes_text",
    "limit_ns_per_key",
    "limit_samplers",
    "repetition",
    "sha_text",
]

_KEYS = 8000
_REGISTERS = 12


class _Counter(MultiBuffer):
    """Counts the instructions of a vector of lanes; `None` represents any vector."""

    def __init__(self) -> None:
        self.rotations = self.logic = self.sums = 0

    def rotate(self, word: Any, count: int) -> Any:
        if isinstance(word, int):
            return super().rotate(word, count)
        self.rotations += 1
        return None

    def shift(self, word: Any, count: int) -> Any:
        return self.rotate(word, count) if word is None else super().shift(word, count)

    def _logic(self, *words: Any) -> None:
        # AVX-512 computes any function of three operands at once.
        self.logic += 1

    def xor(self, *words: Any) -> Any:
        return self._logic() if None in words else super().xor(*words)

    def choice(self, which: Any, one: Any, other: Any) -> Any:
        return self._logic() if None in (which, one, other) else super().choice(which, one, other)

    def majority(self, a: Any, b: Any, c: Any) -> Any:
        return self._logic() if None in (a, b, c) else super().majority(a, b, c)

    def add(self, *words: Any) -> Any:
        if None not in words:
            return super().add(*words)
        known = any(isinstance(word, int) for word in words)
        self.sums += sum(word is None for word in words) - 1 + known
        return None


def hashing_operations() -> tuple[int, int, int]:
    """Return the rotations (and shifts), logic and sums that deriving one RPIK needs."""
    counter = _Counter()
    derived_words(counter, [None] * 4)
    return counter.rotations, counter.logic, counter.sums


_ROTATE, _LOGIC, _ADD = range(3)


def aes_text(width: int) -> list[str]:
    """Return the AES instructions for a key's identifiers."""
    name = {128: "xmm", 256: "ymm", 512: "zmm"}[width]
    three = "vaesenc %{0}0, %{0}{1}, %{0}{1}".format
    legacy = "aesenc %{0}0, %{0}{1}".format
    write = legacy if width == 128 else three
    count = 144 * 10 * 128 // width
    return [write(name, 1 + number % _REGISTERS) for number in range(count)]


def sha_text() -> list[str]:
    """Return the SHA instructions for a key: four states in turn, with their schedules."""
    text = ["vzeroupper"]
    for number in range(6 * 32):
        text.append(f"sha256rnds2 %xmm0, %xmm1, %xmm{2 + number % 4}")
        # Five schedules of twelve registers each: 60 of either message instruction.
        if number * 60 // 192 != (number + 1) * 60 // 192:
            text.append(f"sha256msg1 %xmm1, %xmm{6 + number % 2}")
            text.append(f"sha256msg2 %xmm1, %xmm{8 + number % 2}")
    return text


def lanes_text() -> list[str]:
    """Return one key's share of sixteen lanes of hashing."""
    shares = [count / 16 for count in hashing_operations()]
    done = [0, 0, 0]
    text = []
    for number in range(round(sum(shares))):
        register = 1 + number % _REGISTERS
        # Whichever kind lags behind its share comes next, so that the kinds are mixed evenly.
        kind = min(range(3), key=lambda each: (done[each] + 0.5) / shares[each])
        done[kind] += 1
        text.append(
            {
                _ROTATE: f"vprold $$7, %zmm{register}, %zmm{register}",
                _LOGIC: f"vpternlogd $$150, %zmm30, %zmm31, %zmm{register}",
                _ADD: f"vpaddd %zmm30, %zmm{register}, %zmm{register}",
            }[kind]
        )
    return text


def repetition(text: list[str]) -> Any:
    """Make an intrinsic that repeats instructions exactly as they are written."""
    binding.initialize_native_asmparser()
    lines = ["1:", *text, "sub $$1, $0", "jnz 1b", "vzeroupper"]
    changed = [f"~{{xmm{number}}}" for number in range(16)] + ["~{flags}", "~{memory}"]

    def emit(builder: Any, times: Any) -> Any:
        kind = ir.FunctionType(QWORD, [QWORD])
        constraints = ",".join(["=r", "0", *changed])
        return builder.asm(kind, "\n".join(lines), constraints, [times], True)

    run = emitted(types.uint64, [types.uint64], emit)

    @called
    def measured(times: Any) -> Any:
        return run(times)

    return measured


def key_schedules(expand: Any, lanes: int) -> Any:
    """Make a function that expands a key so many times."""

    @called
    def expanded(times: Any, memory: Any) -> None:
        rpiks = uintp((uint64(memory.ctypes.data) + uint64(63)) & ~uint64(63))
        for _ in range(0, times, lanes):
            expand(rpiks, uintp(rpiks + 64))

    memory = np.zeros(16 * 4 + 176 * 4 + 64, np.uint8)
    return lambda times: expanded(times, memory)


def limit_samplers() -> dict[str, Callable[[], float]]:
    """Return functions that measure one unit once, in nanoseconds per key, by name.

    ``aes``, ``schedule``, and those of ``hash_sha`` and ``hash_lanes`` that the processor has.
    Call them in turn with the rivals. The processor's limit is the sum of their minima, with the
    smaller of the two ``hash_`` values.

    Raises
    ------
    InvalidValue
        When the processor has no AES instructions, or neither SHA instructions nor AVX-512.
    """
    names = [kernel for kernel in supported_kernels() if kernel.machine == "x86_64"]
    hashing = [kernel.hkdf_lanes for kernel in names if kernel.hkdf_lanes in (None, 16)]
    if not hashing:
        raise InvalidValue("the limit is known for x86 processors with AES and SHA or AVX-512 only")
    widths = {kernel.aes: kernel for kernel in names if kernel.aes}
    width = max(widths)
    expand, lanes = EXPAND[width], width // 128
    measured = {"aes": repetition(aes_text(width)), "schedule": key_schedules(expand, lanes)}
    if None in hashing:
        measured["hash_sha"] = repetition(sha_text())
    if 16 in hashing:
        measured["hash_lanes"] = repetition(lanes_text())
    for function in measured.values():
        function(4)

    def sampler(function: Any) -> Callable[[], float]:
        def sample() -> float:
            began = time.perf_counter_ns()
            function(_KEYS)
            return (time.perf_counter_ns() - began) / _KEYS

        return sample

    return {name: sampler(function) for name, function in measured.items()}


def limit_ns_per_key(minima: Mapping[str, float]) -> float:
    """Return the limit from the minima of the functions of `limit_samplers`."""
    hashing = [value for name, value in minima.items() if name.startswith("hash_")]
    return minima["aes"] + minima["schedule"] + min(hashing)
