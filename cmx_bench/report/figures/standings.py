"""Throughput of every network in each setting: where lines cross, the order depends on it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pandas import DataFrame

from cmx_bench.present.drawing import NothingToDrawError, Plot, short_label
from cmx_bench.report import entries
from cmx_bench.report.figures.cost import THROUGHPUT
from cmx_bench.report.figures.selection import Selection, explain_bars
from cmx_bench.units import significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 24  # settings; among more lines cannot be followed


def each_alike(samples: DataFrame) -> dict[str, list[str]]:
    """Settings of one kind of device, one batch size and one image size, where there are several:
    by what they share."""
    own = samples[samples["setting_name"] != ""].drop_duplicates("setting")
    alike: dict[str, list[str]] = {}
    for row in own.itertuples():
        kind = str(row.hardware or row.device).partition(":")[0]
        alike.setdefault(f"{kind}-b{row.batch_size}-r{row.image_size}", []).append(str(row.setting))
    return {key: settings for key, settings in alike.items() if len(settings) > 1}


def plot(chosen: Selection) -> Plot:
    """Images a second in each setting of one size of batches and images, which `setting` names,
    such as `cpu-b1-r224`: a line for each network."""
    title = f"Throughput in every setting · {entries.in_words(chosen.key)}"
    own = chosen.samples.drop_duplicates("setting")
    titles = map(short_label, own["setting_name"].astype(str))
    names = dict(zip(own["setting"].astype(str), titles, strict=True))
    if len(names) > _MOST:
        reason = f"lines through {len(names)} settings, more than {_MOST}, cannot be followed"
        raise NothingToDrawError(title, reason)
    places = {key: place for place, key in enumerate(names)}
    values = chosen.every(THROUGHPUT.metric)
    values = values.assign(y=values["setting"].map(places))[values["value"] > 0]
    values = values.rename(columns={"value": "x", "low": "left", "high": "right"})
    points = values.join(chosen.models[["label", "family"]], "model").set_index("model")
    if points["y"].nunique() < 2:
        raise NothingToDrawError(title)
    # By names: two labels may be alike once they are short.
    points = points.assign(line=points.index.astype(str), name=points["label"])
    points = points.sort_values(["line", "y"])
    caption = (
        "A line for each network. Two lines that cross are a pair that changes its order; the "
        "table of pairs says which do so beyond doubt."
    )
    shown = points.rename(columns={"left": "low", "right": "high"})
    sentences = [caption, explain_bars(shown), *chosen.doubts(points, THROUGHPUT.metric),
                 *chosen.left_out(points.index, chosen.above_zero(THROUGHPUT.metric))]  # fmt: skip
    return Plot(
        f"standings-{chosen.key}", title, " ".join(sentences), _in_words(points, names), points,
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
