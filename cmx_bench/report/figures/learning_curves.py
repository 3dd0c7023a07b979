"""Learning curves: top-1 after each epoch of the trainings of a run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pandas import DataFrame

from cmx_bench.present.drawing import NothingToDrawError, Plot, scatter
from cmx_bench.report.figures.curves import first_lines
from cmx_bench.report.figures.selection import Selection, speak
from cmx_bench.report.tables.trained import trainings

_MOST_POINTS = 30  # of a model, so that markers do not hide the line
_COLUMNS = ["label", "family", "x", "y", "low", "high", "line"]


def plot(chosen: Selection) -> Plot:
    """Top-1 in percent after each epoch of training: a line for each model, its mean over the
    seeds; bars reach from the worst seed to the best."""
    seeds = trainings(chosen.samples)
    rows = [row for model in chosen.models.itertuples() for row in _points(model, seeds)]
    if not rows:
        raise NothingToDrawError("Learning curves")
    points = DataFrame(rows, columns=_COLUMNS).astype({"low": float, "high": float})
    points, few = first_lines(points)
    caption = f"Top-1 on {chosen.dataset} after each epoch of training."
    if points["low"].notna().any():
        caption += " The mean over the seeds; bars reach from the lowest to the highest of them."
    return Plot(
        "learning-curves", "Learning curves", " ".join([caption, *few]),
        speak("Top-1 in percent after the last epoch", points[points["label"] != ""]),
        points,
        partial(scatter, labels=("Epoch", f"{chosen.dataset} top-1 (%)"),
                scales=((0, 1.02 * points["x"].max()), (0, 100)),
                interval="lowest and highest seed"),
    )  # fmt: skip


def _points(
    model: Any, seeds: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[tuple[Any, ...]]:
    curves = [training["curve"] for training in seeds.get(model.Index, ())]
    epochs = min(map(len, curves), default=0)
    step = max(1, math.ceil(epochs / _MOST_POINTS))
    for epoch in range(epochs, 0, -step):
        values = [100 * curve[epoch - 1]["top1"] for curve in curves]
        low, high = (min(values), max(values)) if len(values) > 1 else (None, None)
        yield (model.label if epoch == epochs else "", model.family, epoch,
               statistics.fmean(values), low, high, model.Index)  # fmt: skip
