"""Throughput of every network in each setting: where lines cross, the order depends on it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pandas import DataFrame

from cmx_bench.present.drawing import NothingToDrawError, Plot, short_label
from cmx_bench.report import entries
from cmx_bench.report.figures.captions import bars, doubts
from cmx_bench.report.figures.cost import THROUGHPUT
from cmx_bench.report.figures.selection import Selection
from cmx_bench.units import significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = "Throughput in every setting"
_MOST = 24  # settings; among more lines cannot be followed


def each_alike(samples: DataFrame) -> dict[str, list[str]]:
    """Settings of one kind of device, one batch size and one image size, where there are several:
    by what they share."""
    own = samples[samples["setting_name"] != ""].drop_duplicates("setting")
    alike: dict[str, list[str]] = {}
    for row in own.itertuples():
        kind = str(row.hardware or row.device).partition(":")[0]
        alike.setdefault(f"{kind}-b{row.batch_size}-r{row.image_size}", []).append(str(row.setting))
    return {key: settings for key, settings in alike.items() if 1 < len(settings) <= _MOST}


def plot(chosen: Selection) -> Plot:
    """Images a second in each setting of one size of batches and images, which `setting` names,
    such as `cpu-b1-r224`: a line for each network."""
    own = chosen.samples.drop_duplicates("setting")
    titles = map(short_label, own["setting_name"].astype(str))
    names = dict(zip(own["setting"].astype(str), titles, strict=True))
    places = {key: place for place, key in enumerate(names)}
    rows = [
        (row.model, row.value, row.low, row.high, places[row.setting], row.disturbed)
        for row in chosen.results
        if row.metric == THROUGHPUT.metric and row.value is not None and row.value > 0
    ]
    columns = ["model", "x", "left", "right", "y", "disturbed"]
    values = DataFrame(rows, columns=columns).set_index("model")
    points = values.astype({"left": float, "right": float, "disturbed": bool}).join(
        chosen.models[["label", "family"]]
    )
    if points["y"].nunique() < 2:
        raise NothingToDrawError(_TITLE)
    # By names: two labels may be alike once they are short.
    points = points.assign(line=points.index.astype(str), name=points["label"])
    points = points.sort_values(["line", "y"])
    caption = (
        f"Throughput in each setting of {entries.in_words(chosen.key)}: a line for each network. "
        "Two lines that cross are a pair that changes its order; the table of pairs says which do "
        "so beyond doubt."
    )
    shown = points.rename(columns={"left": "low", "right": "high"})
    sentences = [caption, bars(shown), *doubts(chosen, points, THROUGHPUT.metric),
                 *chosen.left_out(points.index, "throughput")]  # fmt: skip
    return Plot(
        f"standings-{chosen.key}", _TITLE, " ".join(sentences), _in_words(points, names), points,
        partial(_paint, names=list(names.values())), lines=2.2 * len(names) + 4,
    )  # fmt: skip


def _in_words(points: DataFrame, names: dict[str, str]) -> str:
    best = points.sort_values("x").drop_duplicates("y", keep="last").set_index("y")
    words = [
        f"{name} {best['label'][place]} {significant(best['x'][place])}"
        for place, name in enumerate(names.values())
        if place in best.index
    ]
    return f"Images a second of the fastest network in each setting: {'; '.join(words)}."


def _paint(points: DataFrame, ax: Axes, *, names: list[str]) -> None:
    from cmx_bench.present.drawing.placement import label_points
    from cmx_bench.present.drawing.points import draw_lines, draw_points
    from cmx_bench.present.drawing.scales import legend, set_scale

    ax.set(xlabel=THROUGHPUT.axis, ylabel="Setting")
    draw_lines(ax, points, along="y")
    ticks = points.assign(tick=[names[place] for place in points["y"]]).drop(columns="line")
    draw_points(ax, ticks)
    set_scale(ax, "x", "log", points)
    ax.set_yticks(range(len(names)), names)
    ax.set(ylim=(len(names) - 0.5, -1.5), ylabel="")
    ax.tick_params("y", length=0)
    legend(ax, points)
    label_points(ax, points.groupby("line").head(1))
