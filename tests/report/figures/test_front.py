"""Accuracy against throughput: whose figures, the line of the front, the probabilities."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from matplotlib.axes import Axes

import cmx_bench
from cmx_bench.present.drawing import Plot, draw
from cmx_bench.report.figures import front as fronts
from cmx_bench.report.figures.front import steps
from cmx_bench.report.figures.selection import each_setting, selections
from cmx_bench.results import agreement
from cmx_bench.results.nouns import Report
from cmx_bench.results.predictions import Images
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import FP16, PAPER, failed, make_records, make_run

# Throughput is 100, 200 and so on, in the order of the models.
SLOW, MIDDLE, FAST = PAPER[0], PAPER[2], PAPER[8]
COUNT = 1000


def measured(right: dict[str, int]) -> Report:
    """Models that are right on the first so many of 1000 images."""
    run = make_run((SLOW, MIDDLE, FAST), measures=("throughput", "accuracy"))
    run = dataclasses.replace(run, accuracy={"dataset": "imagenet-val"})
    lines = make_records(dataclasses.replace(run, cells=run.cells[:3]))
    for model in run.models:
        values = {"top1": [right[model.name] / COUNT]}
        lines.append(
            Record(f"{model.name}/accuracy/{FP16.key}", model.name, "accuracy", FP16.key, 0, "ok",
                   values, "", "e1", "2026-01-01T00:00:00.000+00:00", 2.0,
                   details={"images": COUNT, "correct": {"top1": right[model.name]}})
        )  # fmt: skip
    images = Images(tuple(map(str, range(COUNT))), ((0,),) * COUNT)
    classes = {
        (name, FP16.key): np.where(np.arange(COUNT) < number, 0, 1).astype(np.int32)
        for name, number in right.items()
    }
    return dataclasses.replace(summarise(run, lines), votes=agreement.votes(images, classes))


def front(report: Report) -> Plot:
    [selection] = selections(report, each_setting(report.samples))
    return fronts.plot(selection)


RIGHT = {SLOW.name: 900, MIDDLE.name: 500, FAST.name: 800}


def test_measured_accuracy_is_shown_alone() -> None:
    plot = front(measured(RIGHT))
    assert plot.data[["label", "y"]].to_numpy().tolist() == [
        ["ConvMixer-1536/20 · 100 %", 90], ["ResNet-152 · 0 %", 50], ["ResNet-50 · 100 %", 80],
    ]  # fmt: skip
    assert not plot.data["published"].any()
    assert ">imagenet-val top-1 (%)<" in draw([plot])[0].svg
    assert "measured in this run" in plot.caption and "†" not in plot.caption


def test_both_intervals_are_drawn() -> None:
    report = measured(RIGHT)
    point = front(report).data.iloc[0]
    speed, top1 = (report.estimate(SLOW, FP16, metric) for metric in ("throughput", "top1"))
    assert speed is not None and top1 is not None and top1.low is not None
    assert (point["left"], point["right"]) == (speed.low, speed.high)
    assert point["low"] == 100 * top1.low


def test_the_front_goes_down_in_steps() -> None:
    """A model between two of the front is beaten where the line falls to the next."""
    plot = front(measured(RIGHT))
    slow, _, fast = zip(plot.data["x"], plot.data["y"], strict=True)
    assert steps(plot.data) == [slow, (slow[0], fast[1]), fast]
    assert ">Pareto front<" in draw([plot])[0].svg


def test_one_model_alone_is_no_line() -> None:
    plot = front(measured(RIGHT | {FAST.name: 950}))
    assert steps(plot.data) == []
    assert ">Pareto front<" not in draw([plot])[0].svg


def test_a_user_has_the_front_of_the_samples_with_and_without_votes() -> None:
    report = measured({SLOW.name: 804, MIDDLE.name: 500, FAST.name: 800})
    alone = texts(cmx_bench.plot.front(report.samples))
    together = texts(cmx_bench.plot.front(report.samples, setting=FP16.key, votes=report.votes))
    assert alone != together
    assert together == set(front(report).data["label"])


def texts(ax: Axes) -> set[str]:
    from matplotlib import pyplot

    pyplot.close(ax.figure)  # type: ignore[arg-type]
    return {text.get_text() for text in ax.texts}


def test_the_same_images_decide_more() -> None:
    """Four images of a thousand more are a certain lead where all others are judged alike."""
    report = measured({SLOW.name: 804, MIDDLE.name: 500, FAST.name: 800})
    apart = dataclasses.replace(report, votes=agreement.NO_VOTES)
    together, alone = (
        int(re.search(r"(\d+) %", front(shown).data["label"].iloc[0])[1])  # type: ignore[index]
        for shown in (report, apart)
    )
    assert together == pytest.approx(98, abs=1)
    assert alone == pytest.approx(59, abs=2)


def test_published_accuracy_where_none_was_measured(run: Run, run_records: list[Record]) -> None:
    plot = front(summarise(run, run_records))
    labels = plot.data["label"].tolist()
    assert plot.data["published"].all()
    assert any(re.fullmatch(r"ResNet-152† · \d+ %", label) for label in labels)
    assert "published" in plot.caption and "† marks" in plot.caption
    assert "have no throughput or top-1: Mixer-S/16." in plot.caption


def test_the_fastest_model_is_on_the_front(run: Run, run_records: list[Record]) -> None:
    labels = front(summarise(run, run_records)).data["label"]
    assert labels.iloc[-1] == "Mixer-B/16† · > 99 %"


def test_one_process_has_no_probability(run: Run, run_records: list[Record]) -> None:
    alone = [
        failed(record, "broke")
        if record.cell.startswith("resnet50/thr") and record.replicate
        else record
        for record in run_records
    ]
    plot = front(summarise(run, alone))
    assert not plot.data["label"].str.contains("·").any()
    assert "two processes of every model" in plot.caption


@pytest.mark.parametrize(
    ("chance", "text"),
    [(0.0, "0 %"), (0.0004, "< 1 %"), (0.124, "12 %"), (0.9949, "99 %"), (0.9999, "> 99 %"),
     (1.0, "100 %")],
)  # fmt: skip
def test_nothing_uncertain_is_certain(chance: float, text: str) -> None:
    assert fronts._percent(chance) == text


def test_a_process_that_stood_still_has_no_probability(run: Run, run_records: list[Record]) -> None:
    still = [
        dataclasses.replace(record, values={"throughput": [0.0]})
        if record.cell.startswith("resnet50/thr") and record.replicate == 1
        else record
        for record in run_records
    ]
    assert "two processes" in front(summarise(run, still)).caption
