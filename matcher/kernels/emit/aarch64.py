"""Emitters for ARM: `aese`, `aesmc` and NEON.

`aese` adds the round key before it substitutes. Cores since Cortex-A57 fuse it with an `aesmc` that
follows directly, so each pair is emitted together. Four keys are hashed at a time, one per lane of
a NEON register (`hkdf.MultiBuffer`; eight lanes would spill).

Numba compiles these emitters on an ARM machine. On any machine `emit_object` makes an object file
of them for Cortex-A76 (Raspberry Pi 5), which is tested under emulation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import binding, ir

from matcher.kernels.emit import vectors as v
from matcher.kernels.emit.abi import (
    DERIVE_TYPES,
    ENCRYPT_TYPES,
    EXPAND_TYPES,
    DeriveArguments,
)
from matcher.kernels.emit.aes import PADDED_DATA, ROUND_CONSTANTS, ScalarProbes
from matcher.kernels.emit.hkdf import emit_multi_buffer
from matcher.kernels.layout import GROUP

__all__ = [
    "derive_neon",
    "emit_assembly",
    "emit_object",
    "encrypt_neon",
    "expand_neon",
]

_TRIPLE = "aarch64-unknown-linux-gnu"
_PROCESSOR, _FEATURES = "cortex-a76", "+neon,+aes,+sha2"

_OCTETS = v.vector(v.BYTE, 16)
_WORDS = v.vector(v.WORD, 4)
# Eight blocks and eleven round keys leave thirteen of 32 registers, and eight hide aese's latency.
_TOGETHER = 8


def _substitute(builder: Any, state: Any, key: Any) -> Any:
    return builder.call(
        v.declared(builder, "llvm.aarch64.crypto.aese", _OCTETS, [_OCTETS] * 2), [state, key]
    )


def _mix(builder: Any, state: Any) -> Any:
    return builder.call(
        v.declared(builder, "llvm.aarch64.crypto.aesmc", _OCTETS, [_OCTETS]), [state]
    )


def emit_expand(builder: Any, rpik: Any, schedule: Any) -> None:
    """Expand a key to 11 round keys; `aese` with a zero key substitutes four equal columns."""
    zero = v.constant(_OCTETS, 0)
    key = v.load(builder, rpik, _OCTETS)
    v.store(builder, key, schedule)
    for number, round_constant in enumerate(ROUND_CONSTANTS, start=1):
        rotated = v.shuffled(builder, key, zero, [13, 14, 15, 12] * 4)
        word = _substitute(builder, rotated, zero)
        word = builder.xor(word, builder.bitcast(v.constant(_WORDS, round_constant), _OCTETS))
        for by in (4, 8):
            order = [at - by if at >= by else 16 + at for at in range(16)]
            key = builder.xor(key, v.shuffled(builder, key, zero, order))
        key = builder.xor(key, word)
        v.store(builder, key, schedule, 16 * number)


def _emit_group(
    builder: Any, schedule: Any, first: Any, out: Any, steps: list[Callable[[], None]]
) -> None:
    """Derive 24 identifiers, eight at a time, with the steps spread between the rounds."""
    keys = [v.load(builder, schedule, _OCTETS, 16 * number) for number in range(11)]
    whitening = builder.xor(
        builder.bitcast(keys[0], _WORDS), v.constant(_WORDS, v.advanced(PADDED_DATA, 1))
    )
    keys[0] = builder.bitcast(whitening, _OCTETS)
    interval = builder.and_(v.splat(builder, first, 4), v.constant(_WORDS, [0, 0, 0, -1]))
    rounds = 0
    for first_block in range(0, GROUP, _TOGETHER):
        states = [
            builder.bitcast(
                builder.add(interval, v.constant(_WORDS, [0, 0, 0, first_block + block])), _OCTETS
            )
            for block in range(_TOGETHER)
        ]
        for number in range(10):
            states = [_substitute(builder, state, keys[number]) for state in states]
            if number < 9:
                states = [_mix(builder, state) for state in states]
            rounds += 1
            share = 10 * GROUP // _TOGETHER
            for step in steps[len(steps) * (rounds - 1) // share : len(steps) * rounds // share]:
                step()
        for block, state in enumerate(states):
            v.store(builder, builder.xor(state, keys[10]), out, 16 * (first_block + block))


def emit_encrypt(builder: Any, schedule: Any, first: Any, out: Any) -> None:
    """Derive a group of 24 identifiers without probing."""
    _emit_group(builder, schedule, first, out, [])


def emit_derive(builder: Any, *values: Any) -> Any:
    """Derive a group into one slot and probe another; the values are `DeriveArguments`."""
    given = DeriveArguments(*values)
    probes = ScalarProbes(builder, given.probed, given.words, given.mask)
    # Loads of single counters would separate the pairs.
    first = v.load(builder, given.counters, v.WORD, 12, 4)
    _emit_group(builder, given.schedule, first, given.slot, probes.steps())
    return probes.result()


expand_neon = v.emitted(*EXPAND_TYPES, emit_expand)
encrypt_neon = v.emitted(*ENCRYPT_TYPES, emit_encrypt)
derive_neon = v.emitted(*DERIVE_TYPES, emit_derive)


def _emit_hkdf(builder: Any, keys: Any, rpiks: Any) -> None:
    emit_multi_buffer(builder, keys, rpiks, 4)


@cache
def _target() -> Any:
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    target = binding.Target.from_triple(_TRIPLE)
    return target.create_target_machine(
        cpu=_PROCESSOR, features=_FEATURES, opt=3, reloc="pic", codemodel="default"
    )


def _emit_module() -> Any:
    """Return the optimised module: four C functions of addresses and 32-bit intervals."""
    module = ir.Module("truyvet")
    module.triple = _TRIPLE
    nothing, addresses = ir.VoidType(), [v.QWORD, v.QWORD]
    functions: dict[str, tuple[Callable[..., Any], Any, list[Any]]] = {
        "truyvet_hkdf": (_emit_hkdf, nothing, addresses),
        "truyvet_expand": (emit_expand, nothing, addresses),
        "truyvet_encrypt": (emit_encrypt, nothing, [v.QWORD, v.WORD, v.QWORD]),
        "truyvet_derive": (emit_derive, v.QWORD, [v.QWORD] * 7),
    }
    for name, (emit, result, arguments) in functions.items():
        function = ir.Function(module, ir.FunctionType(result, arguments), name)
        builder = ir.IRBuilder(function.append_basic_block())
        value = emit(builder, *function.args)
        builder.ret_void() if value is None else builder.ret(value)
    parsed = binding.parse_assembly(str(module))
    parsed.verify()
    passes = binding.create_pass_builder(_target(), binding.create_pipeline_tuning_options(3))
    passes.getModulePassManager().run(parsed, passes)
    return parsed


def emit_object() -> bytes:
    """Return the kernels as an ELF object file for Linux on AArch64."""
    code: bytes = _target().emit_object(_emit_module())
    return code


def emit_assembly() -> str:
    """Return the kernels as assembly text."""
    text: str = _target().emit_assembly(_emit_module())
    return text
