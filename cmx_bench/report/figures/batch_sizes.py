"""Throughput against the batch size, with the knee: from where larger batches gain little."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pandas import DataFrame, concat

from cmx_bench import units
from cmx_bench.present.drawing import NothingToDrawError, Plot
from cmx_bench.present.drawing.scatter import scatter
from cmx_bench.report import entries
from cmx_bench.report.figures import curves
from cmx_bench.report.figures.captions import bars, disturbed
from cmx_bench.report.figures.cost import THROUGHPUT
from cmx_bench.report.figures.curves import FEWEST
from cmx_bench.report.figures.selection import Selection

KNEE = 0.95  # of the highest throughput
_TITLE = "Throughput against batch size"


def plot(chosen: Selection) -> Plot:
    """Images a second against the batch size, over settings that differ in nothing else; `setting`
    is what their keys have in common, such as `cuda-fp16-nchw-eager-r224`."""
    points = curves.points("batch_size", THROUGHPUT, chosen)
    if points.empty:
        raise NothingToDrawError(_TITLE)
    without = chosen.left_out(points.index, f"throughput at {FEWEST} batch sizes")
    points, few = curves.first_lines(points)
    points = concat(
        curve.assign(ring=curve["x"] == knee(list(zip(curve["x"], curve["y"], strict=True))))
        for _, curve in points.groupby("line", sort=False)
    )
    sentences = [
        f"Throughput by batch size on {entries.in_words(chosen.key)}. A ring marks the knee: the "
        f"smallest batch that reaches {units.percent(KNEE)} of the model's highest throughput; "
        f"where none is ringed, the largest batch is the first to do so. {bars(points)}",
        *disturbed(points), *few, *without,
    ]  # fmt: skip
    words = [_in_words(curve) for _, curve in points.groupby(level=0, sort=False)]
    return Plot(
        f"batches-{chosen.key}", _TITLE, " ".join(sentences),
        f"Throughput by batch size: {'; '.join(words)}.", points,
        partial(scatter, labels=("Batch size", THROUGHPUT.axis), scales=("log", "log"),
                ticks=sorted(points["x"].unique())),
    )  # fmt: skip


def knee(rates: Sequence[tuple[int, float]]) -> int | None:
    """The smallest batch size that reaches `KNEE` of the highest throughput.

    None where that is the largest: larger ones may gain as much again.

    Args:
        rates: batch sizes, ascending, with their throughputs.
    """
    enough = KNEE * max(rate for _, rate in rates)
    first = next(size for size, rate in rates if rate >= enough)
    return None if first == rates[-1][0] else first


def _in_words(curve: DataFrame) -> str:
    turn = next(iter(curve.loc[curve["ring"], "x"]), "not reached")
    best = units.significant(curve["y"].max())
    return f"{curve['name'].iloc[0]} up to {best} images/s, knee {turn}"
