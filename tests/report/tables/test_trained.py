"""What a report says of trainings: the table, the curves, the mean over the seeds."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cmx_bench.report.figures import figure_one
from cmx_bench.report.figures.selection import selections, whole_run
from cmx_bench.report.tables import best, tables, trained
from cmx_bench.report.tables.table_one import table_one
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record

from ..synthetic import FP32, PAPER, make_run
from .test_rankings import details

MODEL = dataclasses.replace(PAPER[0], weights=None)
SHARES = {0: 0.90, 5: 0.94}


def training_of(seed: int, last: float, epochs: int = 3) -> dict[str, Any]:
    shares = [last + 0.02 * (number == 2) for number in range(1, epochs + 1)]
    return {
        "recipe": "short", "seed": seed, "epochs": epochs, "images": 100, "processes": 1,
        "seconds": 60.0 + seed, "images_per_second": 5.0 + seed,
        "best": {"epoch": 2, "top1": shares[1]},
        "curve": [
            {"number": number, "loss": 2.0 / number, "lr": 0.1, "seconds": 20.0, "images": 100,
             "data_seconds": 5.0 + seed, "top1": share}
            for number, share in enumerate(shares, 1)
        ],
    }  # fmt: skip


def make_report(seeds: tuple[int, ...] = (0, 5), epochs: int = 3) -> Report:
    run = make_run((MODEL, PAPER[1]), (FP32,), ("accuracy",))
    recipe = {"name": "short", "about": "a <try>"}
    asked = {"dataset": "digits", "train": recipe, "seeds": list(seeds)}
    cell = f"{MODEL.name}/accuracy/{FP32.key}"
    lines = [
        Record(
            cell, MODEL.name, "accuracy", FP32.key, replicate, "ok",
            {"top1": [SHARES[seed]], "top5": [1.0]}, "", "e1", "2026-01-01T00:00:00.000+00:00", 2.0,
            details=details(360) | {"training": training_of(seed, SHARES[seed], epochs)},
        )
        for replicate, seed in enumerate(seeds)
    ]  # fmt: skip
    return summarise(dataclasses.replace(run, accuracy=asked), lines)


def cells(report: Report) -> dict[str, str]:
    table = trained.table(report)
    [row] = table.rows  # of the model that was trained
    names = (column.key for column in table.columns)
    return {
        name: f"{entry.text} {entry.detail}".strip() for name, entry in zip(names, row, strict=True)
    }


def test_a_row_has_the_mean_and_the_spread_over_the_seeds() -> None:
    assert cells(make_report()) == {
        "network": f"{MODEL.label} {MODEL.name}",
        "seeds": "2 0, 5",
        "last": "92.00 SD 2.8",
        "best": "94.00 SD 2.8",
        "epoch": "2, 2",
        "loss": "0.6667 SD 0",
        "time": "1 min 02 s",
        "speed": "7.500 SD 3.5",
        "waiting": "38 %",
    }


def test_one_seed_has_no_spread() -> None:
    texts = cells(make_report((5,)))
    assert (texts["last"], texts["best"], texts["epoch"]) == ("94.00", "96.00", "2")


def test_models_are_ranked_by_the_intervals_over_the_seeds() -> None:
    """90 and 94 % leave 67 to 100 % open, 60 and 61 % 54 to 67 %: with two seeds Student's t is
    wide. Twice the same share has the interval of the images."""
    shares = {PAPER[0].name: (0.90, 0.94), PAPER[1].name: (0.60, 0.61), PAPER[2].name: (0.2, 0.2)}
    run = dataclasses.replace(
        make_run(PAPER[:3], (FP32,), ("accuracy",)),
        accuracy={"dataset": "digits", "train": {"name": "short"}, "seeds": [0, 1]},
    )
    lines = [
        Record(
            f"{name}/accuracy/{FP32.key}", name, "accuracy", FP32.key, replicate, "ok",
            {"top1": [share], "top5": [1.0]}, "", "e1", "2026-01-01T00:00:00.000+00:00", 2.0,
            details=details(round(400 * share)) | {"training": training_of(replicate, share)},
        )
        for name, pair in shares.items()
        for replicate, share in enumerate(pair)
    ]  # fmt: skip
    report = summarise(run, lines)
    table = next(table for table in tables(report) if table.key == f"accuracy-{FP32.key}")
    place = [column.key for column in table.columns].index("rank")
    assert [row[place].text for row in table.rows] == ["1–2", "1–2", "3"]
    assert "intervals overlap share ranks" in table.remarks[0]
    assert "those of the first seed" in table.remarks[0]
    narrow = report.results[PAPER[2].name, FP32.key, "top1"].estimate
    assert narrow is not None and narrow.low == pytest.approx(0.1637, abs=1e-4)  # Wilson, n = 400
    assert best.leaders(report, FP32, "top1") == {PAPER[0].name, PAPER[1].name}
    assert any("mean over the seeds" in remark for remark in table_one(report, FP32).remarks)
    [whole] = selections(report, whole_run(report.samples))
    assert "Means over the seeds" in figure_one.plot(whole).caption


def test_top1_is_the_mean_over_the_seeds_and_over_the_images_of_one() -> None:
    [both] = [
        result
        for result in make_report().results.values()
        if result.metric == "top1" and result.estimate
    ]
    assert both.estimate is not None and both.estimate.value == pytest.approx(0.92)
    assert (both.over, both.estimate.n, both.planned) == ("seeds", 2, 2)
    [alone] = [
        result
        for result in make_report((0,)).results.values()
        if result.metric == "top1" and result.estimate
    ]
    assert alone.estimate is not None and (alone.over, alone.estimate.n) == ("images", 400)


def test_table_one_says_for_how_many_epochs() -> None:
    table = table_one(make_report(), FP32)
    place = [column.key for column in table.columns].index("epochs_here")
    assert [row[place].text for row in table.rows] == ["3", "–"]
    untrained = summarise(make_run((MODEL,), (FP32,), ("accuracy",)), [])
    assert "epochs_here" not in [column.key for column in table_one(untrained, FP32).columns]
    assert "training" not in [table.key for table in tables(untrained)]
