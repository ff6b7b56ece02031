"""SHA-256 of sixteen blocks, one per lane of AVX-512, as assembly text.

A core assigns an instruction to one of its two ports for such vectors before the operands are
ready, to the shorter queue. Rotations run only on the first port. LLVM places them together, so
they wait for each other while the second port idles, at 82 % of the ports' rate. With rotations and
other instructions alternating it is 89 % (Xeon).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import binding, ir

from matcher.kernels.emit.vectors import QWORD

__all__ = ["emit_compression"]

# LLVM ends the process when it meets assembly text without a parser.
binding.initialize_native_asmparser()

_STATE = [f"%zmm{number}" for number in range(8)]


def _round_text(state: Sequence[str], word: str | None, constant: str) -> list[str]:
    """Return the text of a round (FIPS 180-4, 6.2.2); h becomes the new a, and d the new e."""
    a, b, c, d, e, f, g, h = state
    x0, x1, x2, x3, x4, x5 = (f"%zmm{number}" for number in range(8, 14))
    return [
        f"vprord $$6, {e}, {x0}",
        *([f"vpaddd {word}, {h}, {h}"] if word else []),
        f"vprord $$11, {e}, {x1}",
        f"vpaddd {constant}{{1to16}}, {h}, {h}",
        f"vprord $$25, {e}, {x2}",
        f"vmovdqa64 {e}, {x3}",
        f"vpternlogd $$0xca, {g}, {f}, {x3}",  # Ch
        f"vprord $$2, {a}, {x4}",
        f"vpternlogd $$0x96, {x1}, {x0}, {x2}",  # Σ1
        f"vprord $$13, {a}, {x5}",
        f"vpaddd {x3}, {h}, {h}",
        f"vprord $$22, {a}, {x0}",
        f"vpaddd {x2}, {h}, {h}",
        f"vmovdqa64 {a}, {x1}",
        f"vpternlogd $$0xe8, {b}, {c}, {x1}",  # Maj
        f"vpaddd {h}, {d}, {d}",
        f"vpternlogd $$0x96, {x5}, {x4}, {x0}",  # Σ0
        f"vpaddd {x1}, {h}, {h}",
        f"vpaddd {x0}, {h}, {h}",
    ]


def _schedule_text(words: Sequence[str]) -> list[str]:
    """Return the text that replaces the first of 16 words by the word 16 rounds later."""
    early, late, y0, y1, y2, y3, y4, y5, new = (f"%zmm{number}" for number in range(14, 23))
    return [
        f"vmovdqa64 {words[1]}, {early}",
        f"vprord $$7, {early}, {y0}",
        f"vmovdqa64 {words[0]}, {new}",
        f"vprord $$18, {early}, {y1}",
        f"vpaddd {words[9]}, {new}, {new}",
        f"vpsrld $$3, {early}, {y2}",
        f"vmovdqa64 {words[14]}, {late}",
        f"vprord $$17, {late}, {y3}",
        f"vpternlogd $$0x96, {y1}, {y0}, {y2}",  # σ0
        f"vprord $$19, {late}, {y4}",
        f"vpaddd {y2}, {new}, {new}",
        f"vpsrld $$10, {late}, {y5}",
        f"vpternlogd $$0x96, {y4}, {y3}, {y5}",  # σ1
        f"vpaddd {y5}, {new}, {new}",
        f"vmovdqa64 {new}, {words[0]}",
    ]


def _spread(*streams: list[str]) -> list[str]:
    """Merge streams into one, with each spread evenly over the whole."""
    placed = [
        ((number + 0.5) / len(stream), line)
        for stream in streams
        for number, line in enumerate(stream)
    ]
    return [line for _, line in sorted(placed, key=lambda each: each[0])]


def emit_compression(builder: Any, state: Any, block: Any, constants: Any) -> None:
    """Compress sixteen blocks into sixteen states.

    Parameters
    ----------
    state
        Address of eight registers, written.
    block
        Address of 16 registers, which are changed; None for a known block.
    constants
        Address of the 64 round constants, or of their sums with the words of a known block.
    """
    known = block is None
    text = [f"vmovdqa64 {64 * number}($0), {_STATE[number]}" for number in range(8)]
    registers = _STATE
    for number in range(64):
        words = [f"{(number + word) % 16 * 64}($2)" for word in range(16)]
        text += _spread(
            _round_text(registers, None if known else words[0], f"{4 * number}($1)"),
            _schedule_text(words) if number < 48 and not known else [],
        )
        registers = [registers[-1], *registers[:-1]]
    for number in range(8):
        place = f"{64 * number}($0)"
        text += [
            f"vpaddd {place}, {registers[number]}, {registers[number]}",
            f"vmovdqa64 {registers[number]}, {place}",
        ]
    operands = [state, constants] if known else [state, constants, block]
    changed = [f"~{{xmm{number}}}" for number in range(23)]
    constraints = ",".join([*["r"] * len(operands), *changed, "~{memory}"])
    kind = ir.FunctionType(ir.VoidType(), [QWORD] * len(operands))
    builder.asm(kind, "\n".join(text), constraints, operands, True)
