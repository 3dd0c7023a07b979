"""The figures of a verdict: every pair against the threshold, a row for each model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pandas import DataFrame

from cmx_bench import units
from cmx_bench.gate.outputs.comparisons import TONES
from cmx_bench.gate.outputs.sentences import interval, share
from cmx_bench.gate.verdict import Comparison, Verdict
from cmx_bench.present.content import SIGNS
from cmx_bench.present.drawing import Plot, short_label
from cmx_bench.results.grouping import group

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_ROWS = 40  # of a figure; those that failed and are undecided stand first
_HIGH = 0.6  # of a row: from its first pair to its last
_NAMED = 8  # in the text for those who do not see the figure


def plots(verdict: Verdict) -> list[Plot]:
    """A figure for each sampled metric, setting and side to be held against, where any comparison
    has an interval."""
    drawn = (each for each in verdict.in_order if each.slowdowns and each.low is not None)
    groups = group(drawn, lambda each: (each.metric.name, each.setting, each.against))
    return [_plot(rows, verdict, number) for number, rows in enumerate(groups.values(), 1)]


def _plot(comparisons: Sequence[Comparison], verdict: Verdict, number: int) -> Plot:
    first, shown = comparisons[0], comparisons[:_MOST_ROWS]
    where = [first.setting] * verdict.several_settings
    where += [f"against {first.against}"] * verdict.several_sides
    title = f"{first.metric.title}: every {first.each} against the threshold"
    named = [f"{short_label(row.label)} {units.signed_percent(row.slowdown or 0)}, {row.state}"
             for row in shown]  # fmt: skip
    return Plot(
        f"slowdown-{number}-{first.metric.name.replace('_', '-')}", " · ".join((title, *where)),
        _caption(comparisons, verdict), f"Slowdown of head: {units.first_few(named, _NAMED)}.",
        DataFrame(list(_points(shown))),
        partial(_paint, comparisons=shown, threshold=verdict.threshold),
        lines=2.3 * len(shown) + 1,
    )  # fmt: skip


def _caption(comparisons: Sequence[Comparison], verdict: Verdict) -> str:
    each = {
        "pair": "Each small point is a pair of fresh processes, the first of them on top",
        "process": "Each small point is a process of the run against the other's typical value",
    }[comparisons[0].each]
    caption = (
        f"{each}. The bar is the 95 % interval of the slowdown, right of zero is worse, and the "
        f"dashed line is the threshold of {share(verdict.threshold)}."
    )
    if len(comparisons) > _MOST_ROWS:
        caption += f" The first {_MOST_ROWS} of {len(comparisons)} rows of the table are shown."
    return caption


def _points(comparisons: Sequence[Comparison]) -> Iterator[dict[str, Any]]:
    for place, row in enumerate(comparisons):
        for number, slowdown in enumerate(row.slowdowns):
            n, change = len(row.slowdowns), units.signed_percent(slowdown)
            yield {
                "model": place, "slowdown": 100 * slowdown, "tone": TONES[row.state],
                "row": place + _HIGH * ((number + 0.5) / n - 0.5),
                "text": f"{short_label(row.label)}, {row.each} {number + 1} of {n}: {change}",
            }  # fmt: skip


def _paint(
    points: DataFrame, ax: Axes, *, comparisons: Sequence[Comparison], threshold: float
) -> None:
    import matplotlib
    import seaborn as sns

    from cmx_bench.present.drawing import canvas
    from cmx_bench.present.drawing.theme import GRID, INK, TONE_COLOURS

    rc = matplotlib.rcParams
    ax.set(xlabel="Slowdown of head (%): right of zero is worse", ylabel=" ")
    ax.axvline(0, color=INK, linewidth=rc["axes.linewidth"], zorder=1)
    ax.axvline(100 * threshold, color=TONE_COLOURS["bad"], linewidth=rc["lines.linewidth"],
               linestyle=(0, (4, 2)), zorder=1)  # fmt: skip
    for place in range(1, len(comparisons)):
        ax.axhline(place - 0.5, color=GRID, linewidth=rc["grid.linewidth"], zorder=0)
    sns.scatterplot(
        points, x="slowdown", y="row", hue="tone", palette=dict(TONE_COLOURS), alpha=0.7,
        s=(0.45 * rc["lines.markersize"]) ** 2, linewidth=0, zorder=3, legend=False, ax=ax,
    )  # fmt: skip
    canvas.set_texts(ax.collections[-1], points["text"].tolist())
    _draw_intervals(ax, comparisons)
    ax.set_yticks(range(len(comparisons)), [short_label(row.label) for row in comparisons])
    ax.set(ylim=(len(comparisons) - 0.5, -0.5), ylabel="")
    ax.tick_params("y", length=0)
    ax.grid(False, axis="y")
    _name_lines(ax, threshold)
    _write_states(ax, comparisons)


_MARKERS = {"good": "o", "bad": "X", "unsure": "D", "": "s"}


def _draw_intervals(ax: Axes, comparisons: Sequence[Comparison]) -> None:
    """A bar with caps, and a marker on it that tells the states apart without their colours."""
    import matplotlib

    from cmx_bench.present.drawing.theme import PAGE, TONE_COLOURS

    size, width = matplotlib.rcParams["lines.markersize"], matplotlib.rcParams["lines.linewidth"]
    for place, row in enumerate(comparisons):
        tone = TONES[row.state]
        assert row.slowdown is not None and row.low is not None and row.high is not None
        middle, low, high = (100 * edge for edge in (row.slowdown, row.low, row.high))
        ax.errorbar(
            middle, place, xerr=[[middle - low], [high - middle]], color=TONE_COLOURS[tone],
            marker=_MARKERS[tone], markersize=1.2 * size, markeredgecolor=PAGE, linewidth=2 * width,
            capsize=0.5 * size, capthick=2 * width, zorder=2,
        )  # fmt: skip


def _name_lines(ax: Axes, threshold: float) -> None:
    from cmx_bench.present.drawing import canvas
    from cmx_bench.present.drawing.placement import font_size
    from cmx_bench.present.drawing.theme import INK, TONE_COLOURS

    for x, text, colour, side in (
        (0.0, "no change", INK, "right"),
        (100 * threshold, f"threshold {share(threshold)}", TONE_COLOURS["bad"], "left"),
    ):
        ax.annotate(text, (x, 1), (-3 if side == "right" else 3, 2), ha=side, va="bottom",
                    xycoords=ax.get_xaxis_transform(), textcoords="offset points", color=colour,
                    fontsize=font_size())  # fmt: skip
    canvas.reserve(ax, above=1.5 * font_size())


def _write_states(ax: Axes, comparisons: Sequence[Comparison]) -> None:
    """State and slowdown right of each row, in words and with a sign."""
    from cmx_bench.present.drawing import canvas
    from cmx_bench.present.drawing.placement import font_size
    from cmx_bench.present.drawing.theme import TONE_COLOURS

    widths: list[float] = []
    for place, row in enumerate(comparisons):
        assert row.slowdown is not None and row.low is not None and row.high is not None
        state = f"{SIGNS[TONES[row.state]]} {row.state}".lstrip()
        parts = state, f"{units.signed_percent(row.slowdown)} ({interval(row.low, row.high)})"
        ax.annotate("\n".join(parts), (1, place), (6, 0), xycoords=ax.get_yaxis_transform(),
                    textcoords="offset points", va="center", fontsize=font_size(),
                    color=TONE_COLOURS[TONES[row.state]])  # fmt: skip
        widths += [canvas.text_width(part, font_size()) for part in parts]
    canvas.reserve(ax, right=max(widths) + 8)
