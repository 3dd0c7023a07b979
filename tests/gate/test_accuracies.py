"""Accuracies of two runs held against each other, image by image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmx_bench.gate import check
from cmx_bench.gate.differences import Sides
from cmx_bench.gate.outputs.sentences import headline
from cmx_bench.gate.verdict import Verdict
from cmx_bench.results import predictions
from cmx_bench.results.predictions import PREDICTED, ROW, Images
from cmx_bench.results.records import Record

from ..report.synthetic import FP16, PAPER, make_run, write_folder

NAME, COUNT = PAPER[0].name, 400
RUN = make_run(PAPER[:1], measures=("accuracy",), replicates=1)
KEYS = tuple(f"{place}.png" for place in range(COUNT))
KEY = (NAME, FP16.key, "top1")
PREPROCESSING = {
    "geometry": {"image_size": 224, "crop_pct": 1.0, "crop_mode": "center",
                 "interpolation": "bicubic"},
    "mean": [0.5], "std": [0.5],
}  # fmt: skip
Judge = Callable[..., Verdict]


def evaluated(wrong: Sequence[int], second: Sequence[int] | None = None, **details: Any) -> Record:
    """A record of an evaluation in which the images with these numbers are wrong; with top-5, if
    the images are named whose second likeliest class is right."""
    right = {"top1": COUNT - len(wrong)}
    if second is not None:
        right["top5"] = right["top1"] + len(second)
    told = {
        "dataset": "digits", "images": COUNT, "correct": right, "unlabelled": 0,
        "broken": {}, "preprocessing": PREPROCESSING, "weights": "in1k", "weights_sha256": "ab",
        **details,
    }  # fmt: skip
    return Record(
        RUN.cells[0], NAME, "accuracy", FP16.key, 0, "ok",
        {metric: [number / COUNT] for metric, number in right.items()}, "", "e1",
        "2026-01-01T00:00:00+00:00", 2.0, details=told,
    )  # fmt: skip


def written(
    folder: Path, wrong: Sequence[int], keys: Sequence[str] = KEYS, label: int = 0,
    second: Sequence[int] | None = None, **details: Any,
) -> Path:  # fmt: skip
    """A run whose model says class 0, and class 1 of the images that are `wrong`; of the images
    `second` class 0 is the second likeliest."""
    folder.mkdir()
    write_folder(folder, RUN, [evaluated(wrong, second, **details)])
    predictions.folder_of(folder).mkdir()
    predictions.write_images(folder, Images(tuple(keys), ((label,),) * len(keys)))
    rows = np.zeros(len(keys), ROW)
    rows["top5"][:, 0] = label
    rows["top5"][list(wrong), 0] = 1 - label
    rows["top5"][:, 1:] = -1
    rows["top5"][list(second or ()), 1] = label
    rows["state"] = PREDICTED
    predictions.finish(rows, predictions.path(folder, NAME, FP16.key))
    return folder


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    def judged(base: Sequence[int], head: Sequence[int], **of_head: Any) -> Verdict:
        folder = written(tmp_path / "head", head, **of_head)
        return check.verdict(folder, {"baseline": written(tmp_path / "base", base)}, 0.05)[1]

    return judged


def test_what_a_model_lost_fails(judge: Judge) -> None:
    """Of 360 images that were right 40 are wrong now, and 4 others right."""
    verdict = judge(range(40), range(4, 80))
    [found] = verdict.comparisons
    assert (found.state, verdict.state, found.more) == ("FAIL", "FAIL", None)
    assert found.n == (COUNT, COUNT)
    assert found.base == 0.9 and found.head == 0.81
    assert found.slowdown == pytest.approx(360 / 324 - 1)
    error = math.sqrt(44 / (360 * 324))
    assert found.low == pytest.approx(math.exp(math.log(360 / 324) - 1.959964 * error) - 1)
    assert "top-1: 10 % lower, 95 % interval" in headline(verdict)


def test_top_5_is_judged_by_its_own_images(tmp_path: Path) -> None:
    """The same images are wrong; of them 40 had the right class among five, and none has now."""
    base = written(tmp_path / "base", range(40), second=range(40))
    head = written(tmp_path / "head", range(40), second=())
    top1, top5 = check.verdict(head, {"baseline": base}, 0.05)[1].comparisons
    assert (top1.metric.name, top1.state, top1.slowdown) == ("top1", "PASS", 0)
    assert (top5.metric.name, top5.state, top5.n) == ("top5", "FAIL", (COUNT, COUNT))
    assert (top5.base, top5.head) == (1.0, 0.9)
    assert top5.slowdown == pytest.approx(400 / 360 - 1)


def test_the_same_predictions_pass(judge: Judge) -> None:
    [found] = judge(range(40), range(40)).comparisons
    assert (found.state, found.slowdown, found.low, found.high) == ("PASS", 0, 0, 0)


def test_as_many_other_images_wrong_are_no_change_but_doubt(judge: Judge) -> None:
    """Half of all images changed sides: nobody can tell that this is within 5 %."""
    [found] = judge(range(200), range(200, 400)).comparisons
    assert (found.state, found.slowdown, found.more) == ("INCONCLUSIVE", 0, None)


@pytest.mark.parametrize(
    ("right", "state"), [(360, "FAIL"), (9, "FAIL"), (8, "INCONCLUSIVE"), (1, "INCONCLUSIVE")]
)
def test_a_model_that_has_nothing_right_any_more(judge: Judge, right: int, state: str) -> None:
    """By McNemar's exact test: 2⁻⁹ is below the level of a failure, 2⁻⁸ above."""
    [found] = judge(range(COUNT - right), range(COUNT)).comparisons
    assert (found.state, found.base, found.head) == (state, right / COUNT, 0)


def test_eight_images_that_a_model_lost_decide_nothing(judge: Judge) -> None:
    """2⁻⁸ by the exact test, although the share is 2.8 standard errors lower."""
    [found] = judge(range(330), range(338)).comparisons
    assert found.state == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"keys": ("new.png", *KEYS[1:])}, "other images or labels: the first is new.png"),
        ({"label": 1}, "other images or labels: the first is 0.png"),
    ],
)
def test_other_images_are_not_compared(judge: Judge, other: dict[str, Any], reason: str) -> None:
    verdict = judge(range(40), range(40), **other)
    assert verdict.state == "NOTHING COMPARED"
    assert verdict.comparisons[0].reason == f"evaluated on {reason}"


def test_images_that_are_prepared_otherwise_are_not_compared(judge: Judge) -> None:
    """What is judged is a model, and this is none of it."""
    geometry = {**PREPROCESSING["geometry"], "crop_pct": 0.9}  # type: ignore[dict-item]
    other = {**PREPROCESSING, "geometry": geometry, "mean": [0.25]}
    [found] = judge(range(40), range(200), preprocessing=other).comparisons
    assert (found.state, found.reason) == (
        "INCOMPARABLE",
        "evaluated otherwise: geometry.crop_pct 1.0, now 0.9, mean [0.5], now [0.25]",
    )


def test_weights_that_differ_are_judged_and_named(judge: Judge) -> None:
    [found] = judge(range(40), range(200), weights_sha256="cd").comparisons
    assert (found.state, found.reason) == ("FAIL", "the model differs: weights_sha256 ab, now cd")


def test_other_classes_to_choose_among_are_not_compared(judge: Judge) -> None:
    [found] = judge(range(40), range(40), valid_labels_sha256="ab").comparisons
    assert found.state == "INCOMPARABLE"
    assert found.reason == "evaluated among other classes: valid_labels differ"


def test_weights_resampled_from_other_sizes_are_not_compared(judge: Judge) -> None:
    [found] = judge(range(40), range(40), resampled={"image_size": 160}).comparisons
    assert (found.state, found.reason) == (
        "INCOMPARABLE",
        "weights were resampled from no other size in the baseline, from 160 px in the run",
    )


@pytest.mark.parametrize(
    ("of_base", "of_head", "reason"),
    [
        ({}, {}, "predictions of a side are missing"),
        (
            {},
            {"dataset": "cifar10"},
            "evaluated on 400 images of digits in the baseline, on 400 images of cifar10 in the "
            "run",
        ),
        # Two trainings differ by chance, and of one each nobody knows by how much.
        ({"training": {}}, {"training": {}}, "fewer than 3 processes on a side show no spread"),
        (
            {"training": {}},
            {"training": {"images": 9}},
            "evaluated otherwise: train.images none, now 9",
        ),
        (
            {"training": {"images": 9}},
            {},
            "evaluated otherwise: weights trained, now given, train.name short, now none, "
            "train.epochs 3, now none, train.images 9, now none",
        ),
    ],
)
def test_without_predictions_or_a_second_training_nothing_is_judged(
    tmp_path: Path, of_base: dict[str, Any], of_head: dict[str, Any], reason: str
) -> None:
    recipe = {"name": "short", "about": "one", "epochs": 3}
    run = replace(RUN, accuracy={"dataset": "digits", "train": recipe, "seeds": [0]})
    reports = []
    for name, details in (("base", of_base), ("head", of_head)):
        (tmp_path / name).mkdir()
        report = check._read(write_folder(tmp_path / name, run, [evaluated(range(40))]))
        result = report.results[KEY]
        told = result._replace(details={**result.details, **details})
        reports.append(replace(report, results={KEY: told}))
    base, head = reports
    found = check._compare(
        base, head, Sides(base.results[KEY], head.results[KEY]), 0.05, "baseline"
    )
    assert (found.state, found.reason) == ("INCOMPARABLE", reason)
