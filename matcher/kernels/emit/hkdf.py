"""HKDF emitters: from key to RPIK, SHA-256 without a salt and 16 bytes of output (RFC 5869).

The problem: HKDF hashes six blocks of SHA-256 per key. A block is 64 rounds, and each round needs
the result of the one before. So the naive way, one key after the other, leaves most of the
processor idle, and takes longer than the 144 AES encryptions that follow.

The rounds of *different* keys do not depend on each other. There are two ways to interleave them,
and the faster one depends on the processor:

`MultiBuffer` hashes one key per lane of a vector, word by word, in LLVM's own vectors, which become
ymm, xmm or NEON registers. More lanes than a vector has would spill. Sixteen lanes fit only zmm
registers, whose instructions are emitted as text (`hkdf_text`).

`ShaInstructions` uses x86's SHA extensions on several keys in turn, because `sha256rnds2` waits
4 cycles for its own result. Four keys fill Zen 4's unit (81 ns per key at 3.67 GHz, 84 with three,
98 with six: the legacy encoding reaches only 16 registers). Intel's unit takes three cycles per
`sha256rnds2` and four per `sha256msg1`. There 16 lanes of AVX-512 (79 ns, 89 % of its ports' rate)
beat any number of streams (158 ns), so `matcher.kernels.processor` chooses by maker.

An operand may be a Python integer. What is the same for every key (two initial states, one block's
message schedule) is computed in Python, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from llvmlite import ir
from numba import types

from matcher.kernels.emit import vectors as v
from matcher.kernels.emit.hkdf_text import emit_compression
from matcher.kernels.emit.sha256 import (
    EXTRACT_INNER,
    EXTRACT_OUTER,
    INITIAL,
    ROUND_CONSTANTS,
    RPIK_INFO,
    info_schedule,
    rotate_right,
)

__all__ = [
    "MultiBuffer",
    "ShaInstructions",
    "derived_words",
    "emit_multi_buffer",
    "emit_sha_instructions",
    "hkdf_4_lanes",
    "hkdf_8_lanes",
    "hkdf_16_lanes",
    "hkdf_sha",
]

_INNER, _OUTER = 0x36363636, 0x5C5C5C5C
_END = 0x80000000
# Padding after a key's 16 bytes and a digest's 32, each after HMAC's block of 64 (in bits).
_KEY_PADDING = [_END, *[0] * 10, 8 * (64 + 16)]
_DIGEST_PADDING = [_END, *[0] * 6, 8 * (64 + 32)]


class MultiBuffer:
    """SHA-256 of `lanes` blocks together; a word is a vector, or an integer for all lanes."""

    def __init__(self, builder: Any, lanes: int) -> None:
        self.builder = builder
        self.lanes = lanes
        self.kind = v.vector(v.WORD, lanes)
        self._rotate = v.declared(builder, f"llvm.fshr.v{lanes}i32", self.kind, [self.kind] * 3)

    def _vector(self, word: Any) -> Any:
        return v.constant(self.kind, word) if isinstance(word, int) else word

    def rotate(self, word: Any, count: int) -> Any:
        """Return a word rotated right."""
        if isinstance(word, int):
            return rotate_right(word, count)
        return self.builder.call(self._rotate, [word, word, self._vector(count)])

    def shift(self, word: Any, count: int) -> Any:
        """Return a word shifted right."""
        if isinstance(word, int):
            return word >> count
        return self.builder.lshr(word, self._vector(count))

    def both(self, one: Any, other: Any) -> Any:
        """Return the bits that both words have."""
        if isinstance(one, int) and isinstance(other, int):
            return one & other
        return self.builder.and_(self._vector(one), self._vector(other))

    def xor(self, *words: Any) -> Any:
        """Return the bits that an odd number of words have."""
        known, sum_ = 0, None
        for word in words:
            if isinstance(word, int):
                known ^= word
            else:
                sum_ = word if sum_ is None else self.builder.xor(sum_, word)
        if sum_ is None:
            return known
        return self.builder.xor(sum_, self._vector(known)) if known else sum_

    def choice(self, which: Any, one: Any, other: Any) -> Any:
        """Return bits of one word or the other, as `which` selects (FIPS 180-4, Ch)."""
        return self.xor(other, self.both(which, self.xor(one, other)))

    def majority(self, a: Any, b: Any, c: Any) -> Any:
        """Return the bits that two of three words have (FIPS 180-4, Maj)."""
        return self.xor(self.both(a, b), self.both(c, self.xor(a, b)))

    def add(self, *words: Any) -> Any:
        """Return the sum modulo 2^32; integers are added here."""
        known, sum_ = 0, None
        for word in words:
            if isinstance(word, int):
                known = known + word & 0xFFFFFFFF
            else:
                sum_ = word if sum_ is None else self.builder.add(sum_, word)
        if sum_ is None:
            return known
        return self.builder.add(sum_, self._vector(known)) if known else sum_

    def schedule(self, words: Sequence[Any]) -> list[Any]:
        """Extend 16 words to 64; a schedule of 64 is returned unchanged."""
        extended = list(words)
        for _ in range(64 - len(extended)):
            early, late = extended[-15], extended[-2]
            small0 = self.xor(self.rotate(early, 7), self.rotate(early, 18), self.shift(early, 3))
            small1 = self.xor(self.rotate(late, 17), self.rotate(late, 19), self.shift(late, 10))
            extended.append(self.add(extended[-16], small0, extended[-7], small1))
        return extended

    def compress(
        self,
        state: Sequence[Any],
        words: Sequence[Any],
        constants: Iterable[Any] = ROUND_CONSTANTS,
    ) -> list[Any]:
        """Return the state after a block, given as 16 words or as its whole schedule."""
        a, b, c, d, e, f, g, h = state
        for known, word in zip(constants, self.schedule(words), strict=True):
            # The order of the sums matters: operands that are ready early come first.
            big1 = self.xor(self.rotate(e, 6), self.rotate(e, 11), self.rotate(e, 25))
            first = self.add(h, self.add(word, known), self.choice(e, f, g), big1)
            big0 = self.xor(self.rotate(a, 2), self.rotate(a, 13), self.rotate(a, 22))
            second = self.add(big0, self.majority(a, b, c))
            a, b, c, d, e, f, g, h = self.add(first, second), a, b, c, self.add(d, first), e, f, g
        return [
            self.add(old, new) for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)
        ]


def derived_words(sha: MultiBuffer, key: Sequence[Any]) -> list[Any]:
    """Return the four words of an RPIK from those of a key, with all constants folded."""
    digest = sha.compress(EXTRACT_INNER, [*key, *_KEY_PADDING])
    prk = sha.compress(EXTRACT_OUTER, digest + _DIGEST_PADDING)
    inner = sha.compress(INITIAL, [sha.xor(word, _INNER) for word in prk] + [_INNER] * 8)
    digest = sha.compress(inner, info_schedule(RPIK_INFO))
    outer = sha.compress(INITIAL, [sha.xor(word, _OUTER) for word in prk] + [_OUTER] * 8)
    return sha.compress(outer, digest + _DIGEST_PADDING)[:4]


class _Memory:
    """Consecutive vectors of words on the stack."""

    def __init__(self, builder: Any, kind: Any, address: Any) -> None:
        self._builder, self._kind, self.address = builder, kind, address
        self._size = kind.count * 4

    @classmethod
    def allocated(cls, builder: Any, kind: Any, count: int) -> _Memory:
        with builder.goto_entry_block():
            memory = builder.alloca(kind, count)
            memory.align = kind.count * 4
        return cls(builder, kind, builder.ptrtoint(memory, v.QWORD))

    def read(self, count: int) -> list[Any]:
        return [
            v.load(self._builder, self.address, self._kind, self._size * at, self._size)
            for at in range(count)
        ]

    def write(self, words: Sequence[Any]) -> None:
        for at, word in enumerate(words):
            value = v.constant(self._kind, word) if isinstance(word, int) else word
            v.store(self._builder, value, self.address, self._size * at, self._size)


def _table(builder: Any, name: str, words: Sequence[int]) -> Any:
    """Return the address of a table of constants in the module."""
    table = builder.module.globals.get(name)
    if table is None:
        kind = ir.ArrayType(v.WORD, len(words))
        table = ir.GlobalVariable(builder.module, kind, name)
        table.linkage, table.global_constant, table.align = "internal", True, 64
        table.initializer = v.constant(kind, list(words))
    # Hidden from LLVM, which would otherwise load the address again for each constant.
    hidden = ir.FunctionType(v.QWORD, [v.QWORD])
    return builder.asm(hidden, "", "=r,0", [builder.ptrtoint(table, v.QWORD)], False)


def _compression(builder: Any, lanes: int, *, known: bool) -> Any:
    """Return a function of the module that compresses a block into a state.

    It may change the block. Its last parameter is a table: the round constants or, for a known
    block, their sums with its words. Then a round's constant is an operand in memory.
    """
    name = f"truyvet_compress_{'known' if known else 'block'}_{lanes}"
    if name in builder.module.globals:
        return builder.module.globals[name]
    addresses = [v.QWORD] * (2 if known else 3)
    function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), addresses), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    inside = ir.IRBuilder(function.append_basic_block())
    *memories, table = function.args
    if lanes == 16:
        emit_compression(inside, memories[0], None if known else memories[1], table)
    else:
        sha = MultiBuffer(inside, lanes)
        state, *block = (_Memory(inside, sha.kind, address) for address in memories)
        loads = (v.load(inside, table, v.WORD, 4 * at, 4) for at in range(64))
        constants = (v.splat(inside, word, lanes) for word in loads)
        words = block[0].read(16) if block else [0] * 64
        state.write(sha.compress(state.read(8), words, constants))
    inside.ret_void()
    return function


def emit_multi_buffer(builder: Any, keys: Any, rpiks: Any, lanes: int) -> None:
    """Derive the RPIKs of `lanes` keys of 16 bytes in a row; the addresses may be equal.

    It calls two functions, five times and once, instead of unrolling six blocks with all constants
    folded (`derived_words`). Those 10 000 instructions would not fit the cache of decoded
    instructions, and would take three times as long to compile.
    """
    sha = MultiBuffer(builder, lanes)
    compress = _compression(builder, lanes, known=False)
    compress_info = _compression(builder, lanes, known=True)
    rounds = _table(builder, "truyvet_rounds", ROUND_CONSTANTS)
    known = zip(ROUND_CONSTANTS, info_schedule(RPIK_INFO), strict=True)
    info = _table(builder, "truyvet_info", [sum(pair) & 0xFFFFFFFF for pair in known])
    state, outer, block = (_Memory.allocated(builder, sha.kind, size) for size in (8, 8, 16))

    def hash_into(where: _Memory, words: Sequence[Any]) -> None:
        block.write(words)
        builder.call(compress, [where.address, block.address, rounds])

    whole = v.vector(v.WORD, 4 * lanes)
    swap = v.declared(builder, f"llvm.bswap.v{4 * lanes}i32", whole, [whole])
    text = builder.call(swap, [v.load(builder, keys, whole)])
    key = [
        v.shuffled(builder, text, text, [4 * lane + word for lane in range(lanes)])
        for word in range(4)
    ]
    state.write(EXTRACT_INNER)
    hash_into(state, key + _KEY_PADDING)
    digest = state.read(8)
    state.write(EXTRACT_OUTER)
    hash_into(state, digest + _DIGEST_PADDING)
    prk = state.read(8)
    outer.write(INITIAL)
    hash_into(outer, [sha.xor(word, _OUTER) for word in prk] + [_OUTER] * 8)
    state.write(INITIAL)
    hash_into(state, [sha.xor(word, _INNER) for word in prk] + [_INNER] * 8)
    builder.call(compress_info, [state.address, info])
    hash_into(outer, state.read(8) + _DIGEST_PADDING)
    words = outer.read(4)
    low = v.shuffled(builder, words[0], words[1], range(2 * lanes))
    high = v.shuffled(builder, words[2], words[3], range(2 * lanes))
    order = [word * lanes + lane for lane in range(lanes) for word in range(4)]
    v.store(builder, builder.call(swap, [v.shuffled(builder, low, high, order)]), rpiks)


_QUAD = v.vector(v.WORD, 4)


class ShaInstructions:
    """SHA-256 of several blocks in turn by x86's SHA extensions.

    A state is a pair of registers, (F E B A) and (H G D C) from the lowest lane up; a block is
    four registers of four words.
    """

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        self._rounds = v.declared(builder, "llvm.x86.sha256rnds2", _QUAD, [_QUAD] * 3)
        self._message1 = v.declared(builder, "llvm.x86.sha256msg1", _QUAD, [_QUAD] * 2)
        self._message2 = v.declared(builder, "llvm.x86.sha256msg2", _QUAD, [_QUAD] * 2)

    @staticmethod
    def state(words: Sequence[int]) -> tuple[Any, Any]:
        """Return the registers of a constant state."""
        a, b, c, d, e, f, g, h = words
        return v.constant(_QUAD, [f, e, b, a]), v.constant(_QUAD, [h, g, d, c])

    def digest(self, state: tuple[Any, Any]) -> list[Any]:
        """Return the words in their order, as two registers."""
        return [
            v.shuffled(self.builder, *state, [3, 2, 7, 6]),
            v.shuffled(self.builder, *state, [1, 0, 5, 4]),
        ]

    def _next_words(self, block: list[Any]) -> Any:
        first = self.builder.call(self._message1, [block[-4], block[-3]])
        middle = v.shuffled(self.builder, block[-2], block[-1], [1, 2, 3, 4])
        return self.builder.call(self._message2, [self.builder.add(first, middle), block[-1]])

    def compress(
        self, states: Sequence[tuple[Any, Any]], blocks: Sequence[Sequence[Any]]
    ) -> list[tuple[Any, Any]]:
        """Return the states after one block each; a block is 4 registers, or all 16."""
        builder = self.builder
        current = list(states)
        schedules = [list(block) for block in blocks]
        for four in range(16):
            known = v.constant(_QUAD, list(ROUND_CONSTANTS[4 * four : 4 * four + 4]))
            for stream, block in enumerate(schedules):
                if four >= len(block):
                    block.append(self._next_words(block))
                words = builder.add(block[four], known)
                abef, cdgh = current[stream]
                cdgh = builder.call(self._rounds, [cdgh, abef, words])
                words = v.shuffled(builder, words, words, [2, 3, 2, 3])
                current[stream] = builder.call(self._rounds, [abef, cdgh, words]), cdgh
        return [
            (builder.add(old[0], new[0]), builder.add(old[1], new[1]))
            for old, new in zip(states, current, strict=True)
        ]


def emit_sha_instructions(builder: Any, keys: Any, rpiks: Any, streams: int) -> None:
    """Derive the RPIKs of `streams` keys of 16 bytes in a row; the addresses may be equal."""
    # Instructions in legacy encoding are slow while upper halves of registers are dirty.
    builder.call(v.declared(builder, "llvm.x86.avx.vzeroupper", ir.VoidType(), []), [])
    sha = ShaInstructions(builder)
    swap = v.declared(builder, "llvm.bswap.v4i32", _QUAD, [_QUAD])
    each = range(streams)

    def quads(words: Sequence[int]) -> list[Any]:
        return [v.constant(_QUAD, list(words[at : at + 4])) for at in range(0, len(words), 4)]

    def keyed(words: Sequence[Any], pad: int) -> list[Any]:
        mask = v.constant(_QUAD, pad)
        return [*(builder.xor(word, mask) for word in words), mask, mask]

    def run(state: Sequence[int], blocks: Sequence[Sequence[Any]]) -> list[tuple[Any, Any]]:
        return sha.compress([sha.state(state)] * streams, blocks)

    def digests(states: Sequence[tuple[Any, Any]]) -> list[list[Any]]:
        return [[*sha.digest(state), *quads(_DIGEST_PADDING)] for state in states]

    texts = [builder.call(swap, [v.load(builder, keys, _QUAD, 16 * stream)]) for stream in each]
    inner = run(EXTRACT_INNER, [[text, *quads(_KEY_PADDING)] for text in texts])
    prks = [sha.digest(state) for state in run(EXTRACT_OUTER, digests(inner))]
    inner = run(INITIAL, [keyed(prk, _INNER) for prk in prks])
    inner = sha.compress(inner, [quads(info_schedule(RPIK_INFO))] * streams)
    outer = run(INITIAL, [keyed(prk, _OUTER) for prk in prks])
    for stream, state in enumerate(sha.compress(outer, digests(inner))):
        v.store(builder, builder.call(swap, [sha.digest(state)[0]]), rpiks, 16 * stream)


_TYPES = types.void, (types.uintp, types.uintp)

hkdf_4_lanes = v.emitted(*_TYPES, partial(emit_multi_buffer, lanes=4))
hkdf_8_lanes = v.emitted(*_TYPES, partial(emit_multi_buffer, lanes=8))
hkdf_16_lanes = v.emitted(*_TYPES, partial(emit_multi_buffer, lanes=16))
hkdf_sha = v.emitted(*_TYPES, partial(emit_sha_instructions, streams=4))
