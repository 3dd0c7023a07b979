"""Throughput against the batch size, with the knee: from where larger batches gain little."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pandas import DataFrame

from cmx_bench import units
from cmx_bench.present import drawing
from cmx_bench.present.drawing import NothingToDrawError, Plot
from cmx_bench.report.figures.cost import THROUGHPUT
from cmx_bench.report.figures.selection import FEWEST, Selection, each_batch_curve, select
from cmx_bench.report.figures.sentences import bars

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KNEE = 0.95  # of the highest throughput
_TITLE = "Throughput against batch size"


def batch_sizes(df: DataFrame, ax: Axes | None = None, *, setting: str | None = None) -> Axes:
    """Images a second against the batch size, over settings that differ in nothing else.

    Args:
        df: the samples of a run.
        ax: axes to draw on, instead of new ones.
        setting: what the keys of the settings have in common, where there are several groups:
            `cuda-fp16-nchw-eager-r224`.

    Raises:
        ValueError: no model has throughput at three sizes, or it is not clear which group is meant.
    """
    return drawing.on(plot(select(df, each_batch_curve, setting)), ax)


def plot(chosen: Selection) -> Plot:
    """A curve for each model."""
    points = _points(chosen)
    if points.empty:
        raise NothingToDrawError(_TITLE)
    sentences = [
        f"Throughput on {chosen.key} by batch size. A ring marks the knee: the smallest batch that "
        f"reaches {units.percent(KNEE)} of the model's highest throughput; where none is ringed, "
        f"the largest batch is the first to do so. {bars(points)}",
        *chosen.left_out(points, f"throughput at {FEWEST} batch sizes"),
    ]
    told = [_told(curve) for _, curve in points.groupby(level=0, sort=False)]
    return Plot(
        f"batches-{chosen.key}", _TITLE, " ".join(sentences),
        f"Throughput by batch size: {'; '.join(told)}.", points, _paint,
    )  # fmt: skip


def _points(chosen: Selection) -> DataFrame:
    """A point for each size that a model was measured at; the last one carries the label."""
    sizes = chosen.samples.drop_duplicates("setting").set_index("setting")["batch_size"]
    rows = DataFrame(
        [
            (row.model, int(sizes[row.setting]), row.value, row.low, row.high)
            for row in chosen.results
            if row.metric == "throughput" and row.value is not None
        ],
        columns=["model", "x", "y", "low", "high"],
    ).astype({"low": float, "high": float})
    rows = rows.join(chosen.models[["label", "family"]], "model").sort_values("x", kind="stable")
    curves = [rows[rows["model"] == name] for name in chosen.models.index]
    enough = [_curve(curve) for curve in curves if len(curve) >= FEWEST]
    return DataFrame(columns=rows.columns) if not enough else _stacked(enough)


def _stacked(curves: Iterable[DataFrame]) -> DataFrame:
    from pandas import concat

    return concat(curves).set_index("model")


def _curve(curve: DataFrame) -> DataFrame:
    last = curve["x"] == curve["x"].max()
    turn = knee(list(zip(curve["x"], curve["y"], strict=True)))
    return curve.assign(
        line=curve["model"], name=curve["label"], label=curve["label"].where(last, ""),
        ring=curve["x"] == turn,
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


def _told(curve: DataFrame) -> str:
    ringed = curve.loc[curve["ring"], "x"]
    turn = f"{ringed.iloc[0]}" if len(ringed) else "not reached"
    return (
        f"{curve['name'].iloc[0]} up to {units.significant(curve['y'].max())} images/s, knee {turn}"
    )


def _paint(points: DataFrame, ax: Axes) -> None:
    from cmx_bench.present.drawing.placement import name_lines
    from cmx_bench.present.drawing.points import draw_points
    from cmx_bench.present.drawing.scales import extent, legend, logarithmic

    ax.set(xlabel="Batch size", ylabel=THROUGHPUT.axis)
    draw_points(ax, points)
    logarithmic(ax, "x", points["x"], sorted(points["x"].unique()))
    logarithmic(ax, "y", extent(points, "y"))
    legend(ax, points)
    name_lines(ax, points[points["label"] != ""])
