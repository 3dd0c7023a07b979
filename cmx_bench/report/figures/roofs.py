"""The work of each model by kind: below what the device's peaks allow, and as shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

from pandas import DataFrame

from cmx_bench import units
from cmx_bench.measures.workload import KINDS, Work
from cmx_bench.present.drawing import NothingToDrawError, Plot, scatter
from cmx_bench.report import entries
from cmx_bench.report.figures.selection import Selection, speak
from cmx_bench.report.tables.kinds import BEYOND, MEASURED, Roofs, by_model, describe, roofs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LACK = "work measured by kind"
_AXES = ("MACs a byte moved (1 MAC = 2 FLOPs)", "Billions of MACs a second")
_LEAST_SHARE = 0.01  # of a model's time: a classifier's layer explains nothing


def roofline(chosen: Selection) -> Plot:
    """Billions of MACs a second against MACs a byte, a point for each kind of work of a model."""
    kinds, above = by_model(chosen.samples), roofs(chosen.samples)
    rows = [
        (name, each.intensity, each.rate / 1e9, each.kind)
        for name, works in kinds.items()
        for total in [sum(each.seconds for each in works)]
        for each in works
        if each.intensity is not None and each.seconds >= _LEAST_SHARE * total
    ]
    if not rows:
        raise NothingToDrawError(f"Roofline · {chosen.name}")
    points = DataFrame(rows, columns=["model", "x", "y", "kind"]).set_index("model")
    points = points.join(chosen.models[["label", "family"]])
    ends = zip(points["x"], points["y"], strict=True)
    is_beyond = any(above and y > above.at(x) / 1e9 for x, y in ends)
    sentences = [
        "The work of each model by kind, and what the device allows "
        f"({entries.in_words(chosen.key)}). Below the slope memory is the limit, below the flat "
        f"roof arithmetic is. Kinds that take less than {units.percent(_LEAST_SHARE)} of a model's "
        "time are left out.",
        *([describe(above), MEASURED] if above else []),
        *[BEYOND] * is_beyond,
        *chosen.left_out(kinds, _LACK),
    ]
    spelt = points.assign(label=points["label"] + ", " + points["kind"].map(KINDS).str.lower())
    return Plot(
        f"roofline-{chosen.key}", f"Roofline · {chosen.name}", " ".join(sentences),
        speak("MACs a byte and billions of MACs a second", spelt),
        points,
        partial(scatter, labels=_AXES, scales=("log", "log"),
                curve=("Measured roofs", curve(above, points))),
    )  # fmt: skip


def curve(above: Roofs | None, points: DataFrame) -> list[tuple[float, float]]:
    """The roofs over all points, with enough of the slope and of the flat to tell them apart."""
    if above is None:
        return []
    shown = (above.ridge / 4, *points["x"], above.ridge * 2)
    bends = (min(shown), above.ridge, max(shown))
    return [(bend, above.at(bend) / 1e9) for bend in bends]


# --- shares ---------------------------------------------------------------------------------------

_MOST_MODELS = 16  # beyond so many the bars cannot be read, nor drawn quickly
_BARS: Mapping[str, Callable[[Work], float]] = {
    "MACs": lambda each: each.macs,
    "bytes": lambda each: each.bytes,
    "time": lambda each: each.seconds,
}
_GAP = 0.8  # between two models, in bars


def work_shares(chosen: Selection) -> Plot:
    """Shares in percent of the MACs, bytes and time of each model, by kind of work."""
    kinds = by_model(chosen.samples)
    title = f"Where work and time go · {chosen.name}"
    if not kinds:
        raise NothingToDrawError(title)
    labels = [str(chosen.models.loc[name, "label"]) for name in kinds][:_MOST_MODELS]
    rows = shares(list(kinds.values())[:_MOST_MODELS])
    sentences = [
        "Shares of the MACs, of the bytes that operators must move and of the time of a forward "
        f"pass, by kind of work ({entries.in_words(chosen.key)}). A kind that takes a far larger "
        f"share of the time than of the MACs is why a model is slower than its MACs say. {MEASURED}"
    ]
    if len(kinds) > _MOST_MODELS:
        sentences.append(f"The first {_MOST_MODELS} of {len(kinds)} models are shown.")
    sentences += chosen.left_out(kinds, _LACK)
    return Plot(
        f"work-{chosen.key}", title, " ".join(sentences),
        f"The kind of work that takes most of the time: {'; '.join(_in_words(labels, rows))}.",
        rows, partial(_paint_shares, labels=labels), lines=1.1 * (len(_BARS) + _GAP) * len(labels),
    )  # fmt: skip


def shares(models: Sequence[Sequence[Work]]) -> DataFrame:
    """A row for each kind of work in each bar of each model: its `share` in percent, and its `end`
    where the bars of a model's kinds stand one after the other."""
    rows = []
    for place, model in enumerate(models):
        for number, (bar, value) in enumerate(_BARS.items()):
            total = sum(map(value, model)) or 1.0  # there are models without MACs
            parts = {each.kind: 100 * value(each) / total for each in model}
            mine = [parts.get(kind, 0.0) for kind in KINDS]
            for kind, share, end in zip(KINDS, mine, accumulate(mine), strict=True):
                rows.append((place, bar, place * (len(_BARS) + _GAP) + number, kind, share, end))
    return DataFrame(rows, columns=["model", "bar", "y", "kind", "share", "end"])


def _in_words(labels: Sequence[str], rows: DataFrame) -> Iterator[str]:
    """`ResNet-50 pointwise and other convolutions, 80 % (99 % of the MACs)`."""
    table = rows.pivot(index=["model", "kind"], columns="bar", values="share")
    for place, label in enumerate(labels):
        mine = table.loc[place]
        kind = str(mine["time"].idxmax())
        time, macs = (units.significant(float(mine[bar][kind]), 2) for bar in ("time", "MACs"))
        yield f"{label} {KINDS[kind].lower()}, {time} % ({macs} % of the MACs)"


def _paint_shares(rows: DataFrame, ax: Axes, *, labels: Sequence[str]) -> None:
    import seaborn as sns

    from cmx_bench.present.drawing import canvas
    from cmx_bench.present.drawing.placement import font_size
    from cmx_bench.present.drawing.scales import legend_of_kinds
    from cmx_bench.present.drawing.theme import KIND_COLOURS, PAGE

    ax.set(xlabel="Share of the model's total (%)", ylabel=" ")
    # Whole bars one on the other, the longest first.
    sns.barplot(
        rows[rows["share"] > 0], x="end", y="y", hue="kind", hue_order=list(KINDS)[::-1],
        palette=dict(KIND_COLOURS), dodge=False, native_scale=True, orient="h", width=0.87,
        errorbar=None, saturation=1, edgecolor=PAGE, linewidth=0.5, legend=False, ax=ax,
    )  # fmt: skip
    bars = rows.drop_duplicates("y")
    ax.set_yticks(bars["y"], bars["bar"], fontsize=font_size())
    ax.tick_params("y", length=0)
    ax.set(xlim=(0, 100), ylim=(bars["y"].max() + 0.5 + _GAP / 2, -0.5 - _GAP / 2), ylabel="")
    names = 4.2 * font_size()  # what those of bars take
    canvas.reserve(ax, left=max(canvas.text_width(label, canvas.em()) for label in labels))
    for place, label in enumerate(labels):
        middle = place * (len(_BARS) + _GAP) + (len(_BARS) - 1) / 2
        ax.annotate(label, (0, middle), (-names, 0), textcoords="offset points",
                    xycoords=ax.get_yaxis_transform(), ha="right", va="center")  # fmt: skip
    ax.grid(False)
    legend_of_kinds(ax, KINDS, "s")
