"""Attack on the padding: how well a reader of many key files recognises real keys and uploads.

The attacker has every key file of a server and knows how padding is drawn. People report as
follows: six in ten with an onset two to six days ago, the others with the day of a rapid test,
zero to two days ago. Two questions are asked: which real keys have no made-up twin in their file
(report type, onset, age, period and risk together), and whether a file can be recognised as one
that received an upload. Run it with ``python -m tests.server.export.padding_attack``.

What the second attack finds in so few files is partly chance. So it is repeated on the made-up keys
alone, which know nothing of uploads, and with the uploads assigned to other files at random.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import click
import numpy as np
from numpy.typing import NDArray

from server.context import Server
from server.export import exporter
from server.publish.upload import take_upload
from server.verification.certificate import Claims
from tests.server.homes import NOW, key, open_server, upload_of
from tracing_core.clock import ManualClock
from tracing_core.export_file import read_export
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.protocol.interval import interval_number, rolling_start

PERIOD = 14_400
DAY = 86_400
_DELAYS = 30
_SHUFFLES = 40
Said = tuple[int, int, int, int, int]
"""Report type, days since onset, age in days, rolling period, transmission risk."""


@dataclass(frozen=True)
class KeyFile:
    """The keys of one file: what each says, and whether it is real."""

    said: list[Said]
    is_real: list[bool]
    has_upload: bool

    def made_up(self) -> KeyFile:
        """Return the file without its real keys."""
        said = [each for each, real in zip(self.said, self.is_real, strict=True) if not real]
        return KeyFile(said, [False] * len(said), self.has_upload)

    def without_twin(self) -> int:
        """Count the real keys that no made-up key of the file equals."""
        made_up = {said for said, real in zip(self.said, self.is_real, strict=True) if not real}
        return sum(
            real and said not in made_up for said, real in zip(self.said, self.is_real, strict=True)
        )


def report(server: Server, clock: ManualClock, random: Random) -> list[bytes]:
    """Upload the keys of one person through the server's rules, and return their key data."""
    today = rolling_start(interval_number(clock.now()))
    kind = random.choices(
        [ReportType.CONFIRMED_TEST, ReportType.CONFIRMED_CLINICAL_DIAGNOSIS], [9, 1]
    )[0]
    delay = random.randint(2, 6) if random.random() < 0.6 else random.randint(0, 2)
    past = random.choice([14, 14, 14, random.randrange(14)])
    data = [random.randbytes(16) for _ in range(past + 1)]
    keys = [key(today - days * 144, data=each) for days, each in enumerate(data)]
    take_upload(server, "VN", upload_of(*keys), Claims(kind, today - 144 * delay))
    return data


def key_files(
    home: Path, *, files: int, warm_up_days: int, uploads_per_file: float, random: Random
) -> Iterator[KeyFile]:
    """Run a server with few uploads, and yield its key files after a warm-up, oldest first."""
    begin = int(NOW) // PERIOD * PERIOD
    clock = ManualClock(begin)
    server = open_server(home, clock)
    exporter.run_due(server, "VN", random=Random(random.random()))
    warm_up = warm_up_days * DAY // PERIOD
    real: set[bytes] = set()
    received: set[int] = set()
    for number in range(warm_up + files):
        start = begin + number * PERIOD
        for _ in range(np.random.default_rng(random.randrange(2**32)).poisson(uploads_per_file)):
            # Later than the export of the window before, so that the upload is in this one.
            clock.jump(start + random.randrange(3_600, PERIOD - 60))
            real.update(report(server, clock, random))
            received.add(start)
        clock.jump(start + PERIOD + server.settings.export_min_window_age_seconds)
        names = exporter.run_due(server, "VN", random=Random(random.random()))
        if number >= warm_up:
            for name in names:
                export = read_export(home / "exports" / name)
                yield KeyFile(
                    [_said(each, export.start_timestamp) for each in export.keys],
                    [each.key_data in real for each in export.keys],
                    export.start_timestamp in received,
                )
    server.close()


def _said(each: DiagnosisKey, start: int) -> Said:
    onset = each.days_since_onset_of_symptoms
    assert onset is not None
    age = (start // 600 - each.rolling_start_interval_number) // 144
    return (int(each.report_type), onset, age, each.rolling_period, each.transmission_risk_level)


def auc(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the area under the ROC curve, and half its 95 % interval (Hanley and McNeil 1982)."""
    positive, negative = scores[truth], scores[~truth]
    pairs = positive[:, None] - negative[None, :]
    area = float(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    first, second = area / (2 - area), 2 * area * area / (1 + area)
    variance = (
        area * (1 - area)
        + (len(positive) - 1) * (first - area * area)
        + (len(negative) - 1) * (second - area * area)
    ) / (len(positive) * len(negative))
    return area, 1.96 * math.sqrt(variance)


def guessed(
    features: NDArray[np.float64], truth: NDArray[np.bool_], random: Random
) -> NDArray[np.float64]:
    """Return each file's score by a logistic regression fitted on the other nine tenths."""
    scores = np.zeros(len(truth))
    scaled = (features - features.mean(0)) / (features.std(0) + 1e-9)
    order = np.array(random.sample(range(len(truth)), len(truth)))
    for part in range(10):
        held_out = order[part::10]
        chosen = np.ones(len(truth), np.bool_)
        chosen[held_out] = False
        x, y = scaled[chosen], truth[chosen].astype(np.float64)
        weights, bias = np.zeros(x.shape[1]), math.log(y.mean() / (1 - y.mean()))
        for _ in range(400):
            error = 1 / (1 + np.exp(-(x @ weights + bias))) - y
            weights -= 0.1 * (x.T @ error / len(y) + 0.03 * weights)
            bias -= 0.1 * error.mean()
        # Each fold has a fit of its own, so only differences within a fold count.
        raw = scaled[held_out] @ weights
        scores[held_out] = raw - raw.mean()
    return scores


def by_chance(
    features: NDArray[np.float64], truth: NDArray[np.bool_], random: Random
) -> tuple[float, float]:
    """Return the mean area and half its 95 % interval when the uploads are in other files.

    The interval of Hanley and McNeil is too narrow for a score that was fitted to the same files.
    """
    areas = []
    for _ in range(_SHUFFLES):
        shuffled = np.array(random.sample(truth.tolist(), len(truth)))
        areas.append(auc(guessed(features, shuffled, random), shuffled)[0])
    return float(np.mean(areas)), 1.96 * float(np.std(areas))


def features_of(files: list[KeyFile]) -> NDArray[np.float64]:
    """Count each file's keys by days from onset to upload, 0 to 29, and by report type, 1 to 5."""
    delays = [Counter(onset + age for _, onset, age, _, _ in file.said) for file in files]
    types = [Counter(said[0] for said in file.said) for file in files]
    return np.array(
        [
            [each[delay] for delay in range(_DELAYS)] + [kinds[kind] for kind in range(1, 6)]
            for each, kinds in zip(delays, types, strict=True)
        ],
        np.float64,
    )


def separating(features: NDArray[np.float64], truth: NDArray[np.bool_]) -> list[tuple[str, float]]:
    """Return the three features that separate best, with the difference in standard errors."""
    names = [f"delay {delay}" for delay in range(_DELAYS)] + [
        f"type {kind}" for kind in range(1, 6)
    ]
    difference = features[truth].mean(0) - features[~truth].mean(0)
    errors = features.std(0) * math.sqrt(1 / truth.sum() + 1 / (~truth).sum()) + 1e-9
    found = sorted(zip(names, difference / errors, strict=True), key=lambda each: -abs(each[1]))
    return [(name, round(float(each), 1)) for name, each in found[:3]]


def figures(files: list[KeyFile], random: Random) -> dict[str, object]:
    """Return what the attack found."""
    truth = np.array([file.has_upload for file in files])
    features = features_of(files)
    made_up = features_of([file.made_up() for file in files])
    attacks = {
        "size": features[:, :_DELAYS].sum(1),
        "largest_onset_group": features[:, :_DELAYS].max(1),
        "logistic_on_histograms": guessed(features, truth, random),
        "logistic_on_made_up_keys_alone": guessed(made_up, truth, random),
    }
    return {
        "files": len(files),
        "files_with_upload": int(truth.sum()),
        "keys": sum(len(file.said) for file in files),
        "real_keys": sum(sum(file.is_real) for file in files),
        "real_keys_without_twin": sum(file.without_twin() for file in files),
        "auc_and_half_interval": {
            name: [round(value, 3) for value in auc(scores, truth)]
            for name, scores in attacks.items()
        },
        "logistic_by_chance_and_half_interval": [
            round(value, 3) for value in by_chance(features, truth, random)
        ],
        "separating_most": separating(features, truth),
        "separating_most_of_made_up_keys_alone": separating(made_up, truth),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=170)
    parser.add_argument("--warm-up-days", type=int, default=15)
    parser.add_argument("--uploads-per-file", type=float, default=0.33)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        files = list(
            key_files(
                Path(folder) / "home",
                files=options.files,
                warm_up_days=options.warm_up_days,
                uploads_per_file=options.uploads_per_file,
                random=random,
            )
        )
    click.echo(json.dumps(figures(files, random), indent=1))


if __name__ == "__main__":
    main()
