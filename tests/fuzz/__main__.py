"""Fuzz a parser, try its inputs as the product does, and choose those that the tests keep.

    python -m tests.fuzz run export_keys --corpus FOLDER --seconds 600
    python -m tests.fuzz replay export_keys FOLDER
    python -m tests.fuzz keep export_keys FOLDER

`run` needs atheris; the others need only what the tests need.
"""

from __future__ import annotations

import collections
import sys
from pathlib import Path

import click

from tests.fuzz.targets import TARGETS, read_seeds, seeds_path, steps_of, write_seeds

target_argument = click.argument("name", type=click.Choice(sorted(TARGETS)))
inputs_argument = click.argument("inputs", type=click.Path(exists=True, path_type=Path))


@click.group()
def fuzz() -> None:
    """Fuzz the parsers."""


@fuzz.command()
@target_argument
@click.option("--corpus", type=click.Path(path_type=Path), required=True)
@click.option("--seconds", type=int, default=600, show_default=True)
@click.option("--most-bytes", type=int, default=2048, show_default=True)
def run(name: str, corpus: Path, seconds: int, most_bytes: int) -> None:
    """Fuzz a parser, guided by its coverage; an input that fails is left beside the corpus."""
    import atheris

    target = TARGETS[name]
    corpus.mkdir(parents=True, exist_ok=True)
    for number, example in enumerate(target.examples()):
        (corpus / f"example-{number}").write_bytes(example)
    words = Path(f"{corpus}.dict")
    words.write_text(
        "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in target.words)
    )
    options = {
        "max_total_time": seconds,
        "max_len": most_bytes,
        "timeout": 60,
        "use_value_profile": 1,
        "print_final_stats": 1,
        "artifact_prefix": f"{corpus}-failed-",
    }
    if target.words:
        options["dict"] = str(words)
    mutator = {}
    if target.mutate is not None:
        mutate = target.mutate
        mutator["custom_mutator"] = lambda data, most, seed: mutate(
            data, most, seed, atheris.Mutate
        )
    with target.in_python(atheris.instrument_func) as check:

        def once(data: bytes) -> None:
            check(data)

        arguments = [f"-{option}={value}" for option, value in options.items()]
        atheris.Setup([sys.argv[0], *arguments, str(corpus)], once, **mutator)
        atheris.Fuzz()


@fuzz.command()
@target_argument
@inputs_argument
def replay(name: str, inputs: Path) -> None:
    """Parse inputs as the product does; what a kernel is given lies beside unreadable pages."""
    target = TARGETS[name]
    outcomes: collections.Counter[str] = collections.Counter()
    with target.as_used() as check:
        for number, data in enumerate(read_seeds(inputs), 1):
            # The last line written names the input, should this process end here.
            click.echo(f"{number}: {data.hex()}")
            outcomes[check(data)] += 1
    click.echo(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))


@fuzz.command()
@target_argument
@inputs_argument
def keep(name: str, inputs: Path) -> None:
    """Keep as the tests' seeds those inputs that take a parser where no smaller one does."""
    target = TARGETS[name]
    kept, known = [], set()
    for data in sorted(
        {*read_seeds(inputs), *target.examples()}, key=lambda each: (len(each), each)
    ):
        if new := steps_of(target, data) - known:
            known |= new
            kept.append(data)
    write_seeds(seeds_path(name), kept)
    click.echo(f"{len(kept)} inputs, {sum(map(len, kept))} bytes, {len(known)} ways")


if __name__ == "__main__":
    fuzz()
