"""Learning curves: top-1 after each epoch of the trainings of a run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from cmx_bench.cell import Model
from cmx_bench.present.plot import Axis, Plot, Point, Scatter, short_label, spoken
from cmx_bench.report.tables.trained import trainings
from cmx_bench.results.nouns import Report
from cmx_bench.units import plain

_MOST_POINTS = 30  # of a model, so that markers do not hide the line


def plot(report: Report) -> Plot:
    """One line a model, its mean over the seeds; bars reach from the worst seed to the best."""
    points = tuple(point for model in report.run.models for point in _points(report, model))
    dataset = plain(str(report.run.accuracy.get("dataset", "")))
    caption = f"Top-1 on {dataset} after each epoch of training."
    if any(point.low is not None for point in points):
        caption += " The mean over the seeds; bars reach from the lowest to the highest of them."
    ends = [point for point in points if point.label]
    return Plot(
        "learning-curves", "Learning curves", caption,
        spoken("Top-1 in percent after the last epoch", ends),
        Scatter(Axis("Epoch"), Axis(f"{dataset} top-1 (%)", (0, 100)), points),
    )  # fmt: skip


def _points(report: Report, model: Model) -> Iterator[Point]:
    curves = [[100 * point["top1"] for point in one["curve"]] for one in trainings(report, model)]
    epochs = min(map(len, curves), default=0)
    step = -(-epochs // _MOST_POINTS)
    for epoch in range(epochs, 0, -step) if epochs else ():
        values = [curve[epoch - 1] for curve in curves]
        label = short_label(model.label) if epoch == epochs else ""
        low, high = (min(values), max(values)) if len(values) > 1 else (None, None)
        yield Point(label, model.family, epoch, statistics.fmean(values), low, high,
                    line=model.name)  # fmt: skip
