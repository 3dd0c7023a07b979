"""The samples of every process, relative to their model's median."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pandas import DataFrame

from cmx_bench import units
from cmx_bench.metrics import METRICS
from cmx_bench.present.drawing import NothingToDrawError, Plot
from cmx_bench.report import entries
from cmx_bench.report.figures.selection import Selection
from cmx_bench.results.frame import ASIDE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_MODELS = 16  # beyond so many a strip plot cannot be read, nor drawn quickly
_TOLD = ("model", "process", "processes", "deviation")
_HIGH = 0.8  # of the room of a model, which its processes share


def plot(chosen: Selection, metric: str = "throughput") -> Plot:
    """Every counted sample of a metric, as its deviation in percent from the median of its model; a
    row of points is one fresh process."""
    title = f"Samples of every process · {chosen.name}"
    if metric not in METRICS:
        raise ValueError(f"no metric {metric!r}; there are {', '.join(METRICS)}")
    mine = chosen.samples[chosen.samples["metric"] == metric]
    medians = mine[mine["counts"]].groupby("model", observed=True)["value"].median()
    # From a median of zero, or below, nothing deviates by a share of it.
    models = [name for name in chosen.models.index if medians.get(name, 0) > 0]
    if not models:
        raise NothingToDrawError(title)
    shown = models[:_MOST_MODELS]
    labels = list(chosen.models.loc[shown, "label"])
    strips = deviations(mine, shown)
    all_count = bool(strips["counts"].all())
    caption = (
        f"Every {'counted' if all_count else 'kept'} sample of {METRICS[metric].title.lower()}, "
        f"relative to the median of its model ({entries.in_words(chosen.key)}). Each row of a "
        "model is one fresh process: where the rows stand apart, processes differ by more than the "
        "samples within them."
    )
    if strips["disturbed"].any():
        caption += " Hollow points are of disturbed processes. They do not count"
        kept = strips["model"][strips["counts"] & strips["disturbed"]].unique()
        names = units.first_few([labels[place] for place in kept])
        caption += f", except those of {names}, where too few were calm." if names else "."
    if not strips["deviation"].any():
        caption += " All samples of each model are equal."
    if len(models) > _MOST_MODELS:
        caption += f" The first {_MOST_MODELS} of {len(models)} models are shown."
    caption = " ".join([caption, *chosen.left_out(models, chosen.above_zero(metric))])
    many = units.tally(len(shown), "model")
    return Plot(
        f"samples-{metric}-{chosen.key}", title, caption,
        f"Deviation of each sample from its model's median, for {many}.",
        strips, partial(_paint, labels=labels), lines=2.9 * max(3, len(labels)),
    )  # fmt: skip


def deviations(df: DataFrame, models: list[str]) -> DataFrame:
    """A row a sample: the places of its `model` and of its `process` of so many `processes`, its
    `deviation` in percent from the median of those that count, the `row` on which it stands."""
    valued = (df["status"] == "ok") & ~df["why"].isin(ASIDE) & ~df["discarded"]
    kept = df[valued & df["model"].isin(models)]
    kept = kept.assign(counting=kept["value"].where(kept["counts"]))
    by_model = kept.groupby("model", observed=True)
    median = by_model["counting"].transform("median")
    process = by_model["record"].rank("dense").astype(int) - 1
    processes = by_model["record"].transform("nunique").astype(int)
    place = kept["model"].map({name: place for place, name in enumerate(models)}).astype(int)
    strips = DataFrame({
        "model": place, "process": process, "processes": processes, "counts": kept["counts"],
        "disturbed": kept["disturbed"],
        "deviation": 100 * (kept["value"] / median - 1),
        "row": place + _HIGH * ((process + 0.5) / processes - 0.5),
    })  # fmt: skip
    return strips.sort_values(["model", "process"], kind="stable")


def _paint(strips: DataFrame, ax: Axes, *, labels: list[str]) -> None:
    import matplotlib
    import seaborn as sns

    from cmx_bench.present.drawing import canvas
    from cmx_bench.present.drawing.points import hollow
    from cmx_bench.present.drawing.theme import GRID, INK, SHADES

    ax.set(xlabel="Deviation from the model's median (%)", ylabel=" ")
    rc = matplotlib.rcParams
    ax.axvline(0, color=INK, linewidth=rc["axes.linewidth"], zorder=1)
    for place in range(1, len(labels)):
        ax.axhline(place - 0.5, color=GRID, linewidth=rc["grid.linewidth"], zorder=0)
    sns.scatterplot(
        strips.assign(shade=strips["process"] % len(SHADES)), x="deviation", y="row", hue="shade",
        palette=dict(enumerate(SHADES)), s=(0.4 * rc["lines.markersize"]) ** 2,
        linewidth=0.7 * rc["lines.linewidth"], zorder=2, legend=False, ax=ax,
    )  # fmt: skip
    hollow(ax.collections[-1], strips["disturbed"])
    places = zip(*(strips[name] for name in _TOLD), strict=True)
    texts = (
        f"{labels[model]}, process {process + 1} of {processes}: {deviation:+.2f} %"
        for model, process, processes, deviation in places
    )
    canvas.set_texts(ax.collections[-1], texts)
    ax.set_yticks(range(len(labels)), labels)
    ax.set(ylim=(len(labels) - 0.5, -0.5), ylabel="")
    ax.tick_params("y", length=0)
    ax.grid(False, axis="y")
