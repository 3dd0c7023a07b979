"""A metric against what was swept: a line for each model, or for models that differ in it alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from pandas import DataFrame

from cmx_bench import units
from cmx_bench.metrics import METRICS
from cmx_bench.present import drawing
from cmx_bench.present.drawing import NothingToDrawError, Plot, Scale, scatter
from cmx_bench.report import entries
from cmx_bench.report.figures import curves
from cmx_bench.report.figures.cost import MACS, PARAMS, QUANTITIES, THROUGHPUT, TOP1, Quantity, fit
from cmx_bench.report.figures.selection import Selection, explain_bars, name_setting, select
from cmx_bench.results.frame import COLUMNS, ONCE
from cmx_bench.results.users_frames import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MULTIPLE = 1.75  # values that grow by as much, each, stand on a logarithmic axis
_WIDE = 10.0  # and a metric that spans as much
_MOST_TICKS = 12
_SPOKEN = 12  # lines in words


def sweep(
    df: DataFrame,
    ax: Axes | None = None,
    *,
    over: str | None = None,
    metric: str = "throughput",
    setting: str | None = None,
) -> Axes:
    """One of the metrics of `QUANTITIES` against what was swept.

    Args:
        over: an argument of models, `image_size`, `batch_size` or `threads`, where there are
            several.
        metric: the name of one of `QUANTITIES`.
        setting: the key of the setting, or what the keys of those swept have in common; of MACs
            over an argument the size of images, `r224`.

    Raises:
        ValueError: there is no such metric, nothing of that name was swept, or one of several
            settings has to be chosen; the text lists those that there are.
    """
    df = require(df, COLUMNS, ONCE, "load")
    if metric not in QUANTITIES:
        raise ValueError(f"no curves of {metric!r}; there are {', '.join(QUANTITIES)}")
    if metric in _CHOICES:
        choices = _CHOICES[metric](df)
    else:
        choices = curves.each_sweep(df) | curves.each_batch_sweep(df)
    columns = [key.partition(":")[0] for key in choices]
    swept = {curves.name_argument(column): column for column in columns}
    if over not in swept and (over is not None or len(swept) != 1):
        raise ValueError(f"over: expected what was swept: {', '.join(swept)}" if swept else
                         "nothing was swept: that takes models, or settings, that differ in "
                         f"{curves.FEWEST} values of one number alone")  # fmt: skip
    column = swept[over] if over else next(iter(swept.values()))
    named = {key.partition(":")[2]: settings for key, settings in choices.items()
             if key.startswith(f"{column}:")}  # fmt: skip
    chosen = select(df, lambda _: named, setting)
    return drawing.on(plot(QUANTITIES[metric], replace(chosen, key=f"{column}:{chosen.key}")), ax)


_CHOICES = {PARAMS.metric: curves.each_argument, MACS.metric: curves.each_size_sweep}


def plot(quantity: Quantity, chosen: Selection) -> Plot:
    """A line for each model over what settings differ in, or over an argument for models that
    differ in nothing else."""
    over, _, key = chosen.key.partition(":")
    what, against = METRICS[quantity.metric].title, curves.word_argument(over)
    named = name_setting(key, chosen.samples)
    title = " · ".join(filter(None, (f"{what} against {against}", named)))
    quantity = fit(quantity, chosen.every(quantity.metric)["value"])
    points = curves.points(over, quantity, chosen)
    if points.empty:
        raise NothingToDrawError(title)
    without = chosen.left_out(curves.list_shown(over, points, chosen), f"{what.lower()} there")
    points, few = curves.first_lines(points)
    values = sorted(points["x"].unique())
    has_knees = over == "batch_size" and quantity == THROUGHPUT
    points = _with_knees(points) if has_knees else points
    sentences = [
        f"{what} by {against}{f' on {entries.in_words(key)}' if key else ''}.",
        "There is a line for each model." if curves.of_settings(over)
        else "Each line joins models that differ in nothing else.",
        *([_KNEES] if has_knees else []),
        *_intervals(quantity, points), *chosen.doubts(points, quantity.metric), *few, *without,
    ]  # fmt: skip
    alt = f"{what} by {against}: {'; '.join(islice(_in_words(points), _SPOKEN))}."
    unit = " (pixels)" if over == "image_size" else ""
    return Plot(
        re.sub(r"[^\w.-]+|_", "-", f"sweep-{quantity.metric}-{against}-{key}").rstrip("-"), title,
        " ".join(sentences), alt, points,
        partial(scatter, labels=(against.capitalize() + unit, quantity.axis),
                scales=(_across(values), _upward(quantity, points)),
                ticks=values if len(values) <= _MOST_TICKS else ()),
    )  # fmt: skip


KNEE = 0.95  # of the highest throughput
_KNEES = (
    f"A ring marks the knee: the smallest batch that reaches {units.percent(KNEE)} of the model's "
    "highest throughput; where none is ringed, the largest batch is the first to do so."
)


def _with_knees(points: DataFrame) -> DataFrame:
    curve = points.groupby("line", sort=False)
    enough = points["y"] >= KNEE * curve["y"].transform("max")
    first = points["x"].where(enough).groupby(points["line"]).transform("min")
    return points.assign(ring=(points["x"] == first) & (first < curve["x"].transform("max")))


def _across(values: Sequence[float]) -> Scale:
    """Logarithmic where each value is a multiple of the one before."""
    steps = pairwise(values)
    grows = values[0] > 0 and all(larger / smaller >= _MULTIPLE for smaller, larger in steps)
    return "log" if grows else "close"


def _upward(quantity: Quantity, points: DataFrame) -> Scale:
    """From zero, except where lines would be flat; logarithmic where values are far apart."""
    if quantity == TOP1:
        return "close"
    least, most = points["y"].min(), points["y"].max()
    return "log" if least > 0 and most / least > _WIDE else None


def _intervals(quantity: Quantity, points: DataFrame) -> Iterator[str]:
    noise = METRICS[quantity.metric].noise
    if noise == "process":
        yield explain_bars(points)
    elif noise == "image" and points["low"].notna().any():
        yield "Bars are 95 % intervals."


def _in_words(points: DataFrame) -> Iterator[str]:
    """`Small from 93.1 at 3 to 40.2 at 9`."""
    for _, curve in points.groupby("line", sort=False):
        across, up = list(curve["x"]), list(curve["y"])
        ends = [f"{units.significant(up[at], 4)} at {across[at]:,.10g}" for at in (0, -1)]
        knees = curve.loc[curve["ring"], "x"] if "ring" in curve else ()
        knee = "".join(f", knee at {x:g}" for x in knees)
        yield f"{curve['label'].iloc[-1]} from {' to '.join(ends)}{knee}"
