"""The path through the kernels against the portable one: the same result, or the same error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import match
from matcher.kernels.processor import choose_kernel, supported_kernels
from matcher.result import MatchResult
from tests.matcher.examples import START, heard, key, keys, shuffled_logs, write_database
from tests.matcher.test_match import PRIVATE, export, write
from tracing_core.errors import TracingError
from tracing_core.export_file import ExportFile, find_exports
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.store.sighting import Sighting, write_json_lines

BEST = next((kernel.name for kernel in supported_kernels() if kernel.compiled), None)
pytestmark = pytest.mark.skipif(BEST is None, reason="Numba is not installed")


@contextmanager
def kernel(name: str) -> Iterator[None]:
    before = os.environ.get("TRUYVET_KERNEL")
    os.environ["TRUYVET_KERNEL"] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ["TRUYVET_KERNEL"]
        else:
            os.environ["TRUYVET_KERNEL"] = before


def outcome(name: str, *arguments: object, **options: object) -> MatchResult | tuple[type, str]:
    """Return the result of a path, or the type and text of its error."""
    with kernel(name):
        try:
            return match(*arguments, research=True, **options)  # type: ignore[arg-type]
        except TracingError as error:
            return type(error), str(error)


def same(*arguments: object, **options: object) -> MatchResult | tuple[type, str]:
    """Check that both paths come to the same, down to every field, and return it."""
    slow = outcome("portable", *arguments, **options)
    fast = outcome(str(BEST), *arguments, **options)
    assert fast == slow
    if isinstance(slow, MatchResult):
        assert isinstance(fast, MatchResult)
        assert asdict(fast) == asdict(slow)
        assert fast.to_json() == slow.to_json()
        assert str(fast) == str(slow)
    return slow


batches = st.lists(
    st.tuples(st.lists(keys(), max_size=5), st.lists(keys(), max_size=2)), min_size=1, max_size=4
)


@given(log=shuffled_logs, files=batches)
def test_random_logs_against_random_objects(
    log: list[Sighting], files: list[tuple[list[DiagnosisKey], list[DiagnosisKey]]]
) -> None:
    exports = [export(*fresh, revised=revised) for fresh, revised in files]
    result = same(log, exports)
    assert isinstance(result, MatchResult)
    again = same(log, exports * 2, threads=2)
    assert isinstance(again, MatchResult)
    assert again.diagnosis_keys == result.diagnosis_keys


@settings(max_examples=40)
@given(log=shuffled_logs, files=batches, database=st.booleans(), zipped=st.booleans())
def test_random_logs_against_random_files(
    tmp_path_factory: pytest.TempPathFactory,
    log: list[Sighting],
    files: list[tuple[list[DiagnosisKey], list[DiagnosisKey]]],
    database: bool,
    zipped: bool,
) -> None:
    folder = tmp_path_factory.mktemp("files")
    path = folder / ("log.jsonl.gz" if zipped else "log.jsonl")
    if database:
        write_database(path, log)
    else:
        write_json_lines(path, log)
    for number, (fresh, revised) in enumerate(files):
        write(folder / f"{number}.zip", export(*fresh, revised=revised, day=number))
    same(path, [folder], public_keys=[PRIVATE.public_key()])


def random_keys(count: int, seed: int) -> list[DiagnosisKey]:
    """Return keys of some days, one of each twenty used for a part of a day."""
    return [
        key(
            f"{seed}/{number}",
            start=START + 144 * (number % 5) + (number % 7 if number % 20 == 0 else 0),
            period=1 + number % 144 if number % 20 == 0 else 144,
            report_type=ReportType(number % 6),
            onset=None if number % 3 else number % 29 - 14,
        )
        for number in range(count)
    ]


def test_thousands_of_keys_over_files_with_duplicates(tmp_path: Path) -> None:
    published = random_keys(3000, seed=1)
    more = random_keys(3000, seed=2)
    near = published[::100] + more[::150]
    log = [
        heard(one, one.rolling_start_interval_number + one.rolling_period // 2, at=at)
        for one in near
        for at in (
            (one.rolling_start_interval_number + one.rolling_period // 2) * 600 + 5,
            (one.rolling_start_interval_number + one.rolling_period // 2) * 600 + 1500,
        )
    ]
    log += [heard(key("stranger"), START + n) for n in range(200)]
    write(tmp_path / "1.zip", export(*published))
    write(tmp_path / "2.zip", export(*more, *published[:1500], revised=published[1500:], day=1))
    write(tmp_path / "3.zip", export(*more, *published, day=2))
    result = same(log, [tmp_path])
    assert isinstance(result, MatchResult)
    assert result.diagnosis_keys == 6000
    assert result.matched_keys > 20
    # With several threads the next file is read meanwhile.
    assert same(log, [tmp_path], threads=2) == result
    write(tmp_path / "4.zip", export(*more, day=3))
    (tmp_path / "2.zip").write_bytes((tmp_path / "2.zip").read_bytes()[:-100])
    files = [tmp_path / f"{number}.zip" for number in range(1, 5)]
    wrong = same(log, files, threads=2)
    assert isinstance(wrong, tuple)
    assert "2.zip" in wrong[1]


def test_no_sightings_no_keys_and_no_file(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\n\n")
    same(log, [export()])
    same([], [export(key())])
    same([heard(key(), START, suspect=True)], [export(key())])
    same(tmp_path / "none", [export()])
    same(log, [tmp_path / "none.zip"])
    (tmp_path / "bad.zip").write_bytes(b"PK no zip")
    same(log, [tmp_path / "bad.zip"])


def test_a_key_of_zeros_and_identical_files(tmp_path: Path) -> None:
    zeros = DiagnosisKey(bytes(16), START)
    write(tmp_path / "1.zip", export(zeros, key()))
    write(tmp_path / "2.zip", export(zeros, key(), day=1))
    result = same([heard(zeros, START + 3)], [tmp_path])
    assert isinstance(result, MatchResult)
    assert (result.diagnosis_keys, result.matched_keys) == (2, 1)


def test_keys_at_the_ends_of_time() -> None:
    first, last = key("first", start=0), key("last", start=2**32 - 144)
    log = [heard(first, 0), heard(first, 143), heard(last, 2**32 - 1), heard(last, 2**32 - 144)]
    result = outcome("portable", log, [export(first, last)])
    assert isinstance(result, MatchResult)
    assert result.matched_sightings == 4
    assert outcome(str(BEST), log, [export(first, last)]) == result


def test_every_kernel_that_runs_here(tmp_path: Path) -> None:
    log = [heard(key(), START + 10 * n) for n in range(14)]
    write(tmp_path / "keys.zip", export(key(), *random_keys(100, seed=3)))
    expected = outcome("portable", log, [tmp_path])
    for each in supported_kernels():
        assert outcome(each.name, log, [tmp_path]) == expected


def test_the_recordings_of_others() -> None:
    folder = os.environ.get("TRUYVET_RECORDINGS")
    if folder is None:
        pytest.skip("TRUYVET_RECORDINGS does not name the folder of recordings")
    files = sorted(Path(folder, "exports").rglob("*.zip"))
    assert files
    log = [heard(key("stranger"), START + n) for n in range(50)]
    for path in files:
        same(log, [path])


def test_a_large_job_takes_the_kernels_and_a_small_one_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from matcher.kernels import choice as start_up

    monkeypatch.delenv("TRUYVET_KERNEL", raising=False)
    assert start_up.chosen_kernel(1000, 20_000) is None
    assert start_up.chosen_kernel(10**6, 0) == choose_kernel()
    assert start_up.chosen_kernel(0, 10**6) == choose_kernel()
    monkeypatch.setattr(start_up.importlib.util, "find_spec", lambda _: None)
    assert start_up.chosen_kernel(10**6, 0) is None


def test_files_say_about_how_many_keys_they_hold(tmp_path: Path) -> None:
    from matcher.key_files import KeyFiles

    write(tmp_path / "1.zip", export(*random_keys(3000, seed=1)))
    files = KeyFiles([*find_exports([tmp_path]), ExportFile(0, 1, "", random_keys(50, seed=2))])
    assert 0.8 * 3050 < files.estimated_keys() < 1.3 * 3050
