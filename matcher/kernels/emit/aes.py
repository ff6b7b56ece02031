"""AES emitters for x86: from RPIK to identifiers, with the filter's probes between the rounds.

`width` is the width of a register: 512 or 256 bits (VAES) or 128 (AES-NI). A register holds
width/128 blocks. The unit takes 4 blocks per cycle at 512 or 256 bits and 2 at 128. So 144
identifiers of ten rounds take 360 or 720 cycles, and everything else must fit between them.

`expand` writes round keys round by round, and within a round key by key:
round r of key k at ``176 * (k - k % n) + 16 * (n * r + k % n)`` with n = width/128.

Identifiers are derived in groups of 24, each into a *slot* of a ring:

======  =====================================================================
0       24 identifiers of 16 bytes
384     for each, the place of its filter word (bytes, 64 bits)
576     for each, its first 8 bytes; bytes 4 to 7 select bits of the word
768     a bit per eighth identifier: whether all of them are absent
784     the key's row and the number of the group (64 bits each; `scan` writes them)
======  =====================================================================

(128- and 256-bit kernels use the identifiers and the last line only.) A slot is probed several
groups after it was written. A load of 8 bytes out of a store of 64 waits until the store has left
the store buffer: to probe the group just written costs 50 ns per key (Xeon).

The *counters* of a group are 24 blocks of 16 bytes: zeros, then the interval. They are the same for
every key of a day, so they are made once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from llvmlite import ir

from matcher.kernels.emit import vectors as v
from matcher.kernels.emit.abi import (
    DERIVE_TYPES,
    ENCRYPT_TYPES,
    EXPAND_TYPES,
    DeriveArguments,
)
from matcher.kernels.layout import GROUP

__all__ = [
    "BIT_SHIFTS",
    "DERIVE",
    "ENCRYPT",
    "EXPAND",
    "PADDED_DATA",
    "ROUND_CONSTANTS",
    "SLOT_BYTES",
    "ScalarProbes",
    "emit_derive",
    "emit_encrypt",
    "emit_expand",
]

SLOT_BYTES = 1024
"""Size of a slot."""

BIT_SHIFTS = (56, 48, 40, 32)
"""Where an identifier's first 64 bits hold the places of its filter bits, six bits each."""
PADDED_DATA = b"EN-RPI" + bytes(10)
"""The plain text of an identifier without its interval (GAEN crypto v1.2)."""
ROUND_CONSTANTS = (1, 2, 4, 8, 16, 32, 64, 128, 0x1B, 0x36)
_PLACES, _FIRSTS, _ABSENT = 16 * GROUP, 24 * GROUP, 32 * GROUP
_LOWEST_BITS = 0x0101010100000000  # of the four bytes that select bits of a word


def _aes(builder: Any, width: int, *, last: bool = False) -> Any:
    kind = v.vector(v.QWORD, width // 64)
    name = "llvm.x86.aesni.aesenc" + ("last" if last else "")
    return v.declared(builder, name if width == 128 else f"{name}.{width}", kind, [kind, kind])


def emit_expand(builder: Any, rpiks: Any, schedules: Any, width: int) -> None:
    """Expand the keys that a register holds, 16 bytes each in a row (FIPS 197, 5.2).

    `aesenclast` is SubBytes here: its ShiftRows does nothing to four equal columns.
    """
    keys, size = width // 128, width // 8
    octets = v.vector(v.BYTE, size)
    words, qwords = v.vector(v.WORD, size // 4), v.vector(v.QWORD, size // 8)
    zero = v.constant(octets, 0)
    last = _aes(builder, width, last=True)

    def lanes(order: list[int]) -> list[int]:
        return [16 * key + at for key in range(keys) for at in order]

    def shifted(value: Any, by: int) -> Any:
        order = [
            16 * key + at - by if at >= by else size + at for key in range(keys) for at in range(16)
        ]
        return v.shuffled(builder, value, zero, order)

    key = v.load(builder, rpiks, octets)
    v.store(builder, key, schedules)
    for number, round_constant in enumerate(ROUND_CONSTANTS, start=1):
        rotated = v.shuffled(builder, key, zero, lanes([13, 14, 15, 12] * 4))
        added = builder.bitcast(v.constant(words, round_constant), qwords)
        word = builder.call(last, [builder.bitcast(rotated, qwords), added])
        key = builder.xor(key, shifted(key, 4))
        key = builder.xor(key, shifted(key, 8))
        key = builder.xor(key, builder.bitcast(word, octets))
        v.store(builder, key, schedules, number * size)


def _count(builder: Any, first: Any, width: int) -> list[Any]:
    """Return a group's counters, computed from its first interval."""
    blocks = width // 128
    kind = v.vector(v.WORD, 4 * blocks)
    interval = builder.and_(
        v.splat(builder, first, 4 * blocks), v.constant(kind, [0, 0, 0, -1] * blocks)
    )
    registers = []
    for register in range(GROUP // blocks):
        steps = [word for block in range(blocks) for word in (0, 0, 0, register * blocks + block)]
        registers.append(builder.add(interval, v.constant(kind, steps)))
    return registers


def _round_key(builder: Any, schedule: Any, number: int, width: int) -> Any:
    blocks = width // 128
    key = v.load(builder, schedule, v.vector(v.QWORD, 2), number * width // 8, 16)
    return v.shuffled(builder, key, key, [0, 1] * blocks) if blocks > 1 else key


def _read_counters(builder: Any, counters: Any, width: int) -> list[Any]:
    """Return a group's counters, loaded from memory."""
    size = width // 8
    kind = v.vector(v.WORD, size // 4)
    return [v.load(builder, counters, kind, at, 16) for at in range(0, 16 * GROUP, size)]


def _whitened(builder: Any, schedule: Any, counters: list[Any], width: int) -> list[Any]:
    """Return a group's registers with the first round key added."""
    blocks = width // 128
    words, qwords = v.vector(v.WORD, 4 * blocks), v.vector(v.QWORD, 2 * blocks)
    # The constant words of the padded data go into the first key, not into every block.
    whitening = builder.xor(
        builder.bitcast(_round_key(builder, schedule, 0, width), words),
        v.constant(words, v.advanced(PADDED_DATA, blocks)),
    )
    return [builder.bitcast(builder.xor(counter, whitening), qwords) for counter in counters]


def _pinned(builder: Any, registers: list[Any]) -> list[Any]:
    """Stop LLVM from moving instructions past here that use memory or these registers."""
    kind = registers[0].type
    results = ir.LiteralStructType([kind] * len(registers))
    constraints = ["=v"] * len(registers) + [str(number) for number in range(len(registers))]
    function = ir.FunctionType(results, [kind] * len(registers))
    held = builder.asm(function, "", ",".join([*constraints, "~{memory}"]), registers, True)
    return [builder.extract_value(held, number) for number in range(len(registers))]


def _rounds(
    builder: Any, schedule: Any, registers: list[Any], width: int, *, pinned: bool
) -> Iterator[list[Any]]:
    """Encrypt a group; yield the registers after each round, so that callers can emit between."""
    encrypt, last = _aes(builder, width), _aes(builder, width, last=True)
    for number in range(1, 11):
        key = _round_key(builder, schedule, number, width)
        step = last if number == 10 else encrypt
        registers = [builder.call(step, [register, key]) for register in registers]
        if pinned:
            registers = _pinned(builder, registers)
        yield registers


class ScalarProbes:
    """Probes of one identifier after another: two bits of its word, by shifts."""

    def __init__(self, builder: Any, slot: Any, words: Any, mask: Any) -> None:
        self._builder, self._slot, self._words, self._mask = builder, slot, words, mask
        self._absent: Any = None

    def steps(self) -> list[Callable[[], None]]:
        """Return functions that emit the probes, to call between other instructions."""
        return [partial(self._probe, identifier) for identifier in range(GROUP)]

    def _probe(self, identifier: int) -> None:
        builder = self._builder
        low = v.load(builder, self._slot, v.QWORD, 16 * identifier)
        place = builder.add(self._words, builder.and_(low, self._mask))
        word = v.load(builder, place, v.QWORD, 0, 8)
        bits = []
        for shift in BIT_SHIFTS[:2]:
            shifted = builder.lshr(low, v.constant(v.QWORD, shift))
            bits.append(builder.lshr(word, builder.and_(shifted, v.constant(v.QWORD, 63))))
        absent = builder.or_(*bits)
        self._absent = absent if self._absent is None else builder.and_(self._absent, absent)

    def result(self) -> Any:
        """Return nonzero if both bits of an identifier of the slot are clear."""
        builder = self._builder
        return builder.and_(builder.not_(self._absent), v.constant(v.QWORD, 1))


class _VectorProbes:
    """Probes of eight identifiers at a time: four bits of each word, by one `vpmultishiftqb`.

    Its operands are eight bytes per word that hold bit places, and eight words of the filter. The
    lowest bit of each byte of its result is the selected bit. One `vptestmq` finds the words with
    any of the four bits. All this, with the loads and unpacks that gather the words, runs on the
    port that AES leaves idle, at no measurable cost. `vpgatherqq` and `vpshufbitqmb` need fewer
    instructions, but they use AES's port (4 to 12 and 7 ns per key). So does `kmovb` to a general
    register; therefore the mask goes to memory and is read one group later.
    """

    def __init__(self, builder: Any, slot: Any, words: Any, checked: Any) -> None:
        self._builder, self._slot, self._words, self._checked = builder, slot, words, checked
        self._octets = v.vector(v.QWORD, 8)
        self._gathered: Any = None
        self._absent: Any = None

    def steps(self) -> list[Callable[[], None]]:
        steps: list[Callable[[], None]] = []
        for eight in range(GROUP // 8):
            steps += [partial(self._gather, eight, at) for at in range(8)]
            steps.append(partial(self._test, eight))
        return steps

    def _gather(self, eight: int, at: int) -> None:
        builder = self._builder
        place = v.load(builder, self._slot, v.QWORD, _PLACES + 64 * eight + 8 * at, 8)
        word = v.load(builder, builder.add(self._words, place), v.QWORD, 0, 8)
        before = self._gathered if at else ir.Constant(self._octets, ir.Undefined)
        self._gathered = builder.insert_element(before, word, v.constant(v.WORD, at))

    def _test(self, eight: int) -> None:
        builder = self._builder
        octets = v.vector(v.BYTE, 64)
        shift = v.declared(builder, "llvm.x86.avx512.pmultishift.qb.512", octets, [octets, octets])
        firsts = v.load(builder, self._slot, octets, _FIRSTS + 64 * eight, 64)
        bits = builder.call(shift, [firsts, builder.bitcast(self._gathered, octets)])
        lowest = v.constant(self._octets, _LOWEST_BITS)
        set_bits = builder.and_(builder.bitcast(bits, self._octets), lowest)
        absent = builder.icmp_unsigned("!=", set_bits, v.constant(self._octets, 0))
        self._absent = absent if self._absent is None else builder.and_(self._absent, absent)
        if eight == GROUP // 8 - 1:
            v.store(builder, builder.bitcast(self._absent, v.BYTE), self._slot, _ABSENT)

    def result(self) -> Any:
        """Return nonzero if an identifier probed by the previous call may be in the filter."""
        absent = v.load(self._builder, self._checked, v.BYTE, _ABSENT)
        return self._builder.zext(self._builder.xor(absent, v.constant(v.BYTE, 255)), v.QWORD)


def _emit_interleaved(
    builder: Any,
    schedule: Any,
    counters: list[Any],
    width: int,
    steps: list[Callable[[], None]],
) -> list[Any]:
    registers = _whitened(builder, schedule, counters, width)
    for number, current in enumerate(
        _rounds(builder, schedule, registers, width, pinned=bool(steps) and width >= 256)
    ):
        registers = current
        for step in steps[len(steps) * number // 10 : len(steps) * (number + 1) // 10]:
            step()
    return registers


def emit_encrypt(builder: Any, schedule: Any, first: Any, out: Any, width: int) -> None:
    """Derive a group of 24 identifiers without probing."""
    registers = _emit_interleaved(builder, schedule, _count(builder, first, width), width, [])
    for number, register in enumerate(registers):
        v.store(builder, register, out, number * width // 8)


def emit_derive(builder: Any, given: DeriveArguments, width: int) -> Any:
    """Derive one group of identifiers into a slot and probe another group.

    Return nonzero if any identifier probed may be in the filter. At 512 bits the answer is for the
    group probed by the previous call, in the slot `checked`.
    """
    probes: Any
    if width == 512:
        probes = _VectorProbes(builder, given.probed, given.words, given.checked)
    else:
        probes = ScalarProbes(builder, given.probed, given.words, given.mask)
    read = _read_counters(builder, given.counters, width)
    registers = _emit_interleaved(builder, given.schedule, read, width, probes.steps())
    result = probes.result()
    if width == 512:
        _emit_slot(builder, registers, given.slot, given.mask)
    else:
        for number, register in enumerate(registers):
            v.store(builder, register, given.slot, number * width // 8, 16)
    return result


def _emit_slot(builder: Any, registers: list[Any], slot: Any, mask: Any) -> None:
    """Write a group's slot, 512 bits."""
    masks = v.splat(builder, mask, 8)
    for number, register in enumerate(registers):
        v.store(builder, register, slot, 64 * number, 16)
    for eight in range(GROUP // 8):
        low, high = registers[2 * eight : 2 * eight + 2]
        # vpunpcklqdq: the low halves of eight identifiers, in an order that does not matter.
        firsts = v.shuffled(builder, low, high, [0, 8, 2, 10, 4, 12, 6, 14])
        v.store(builder, builder.and_(firsts, masks), slot, _PLACES + 64 * eight, 64)
        v.store(builder, firsts, slot, _FIRSTS + 64 * eight, 64)


def _derive(builder: Any, *values: Any, width: int) -> Any:
    return emit_derive(builder, DeriveArguments(*values), width)


_WIDTHS = (128, 256, 512)

EXPAND = {width: v.emitted(*EXPAND_TYPES, partial(emit_expand, width=width)) for width in _WIDTHS}
"""`expand` by register width."""
ENCRYPT = {
    width: v.emitted(*ENCRYPT_TYPES, partial(emit_encrypt, width=width)) for width in _WIDTHS
}
"""`encrypt` by register width."""
DERIVE = {width: v.emitted(*DERIVE_TYPES, partial(_derive, width=width)) for width in _WIDTHS}
"""`derive` by register width."""
