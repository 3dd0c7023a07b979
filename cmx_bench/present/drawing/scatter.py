"""A scatter plot of models, as most figures are: points, a curve behind them, names, a legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from cmx_bench.present.content import DISTURBED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

# Logarithmic; no wider than the points; these limits, unless a point lies beyond; or from zero.
Scale: TypeAlias = Literal["log", "close"] | tuple[float, float] | None


def scatter(
    points: DataFrame,
    ax: Axes,
    *,
    labels: tuple[str, str],
    scales: tuple[Scale, Scale] = (None, None),
    ticks: Sequence[float] = (),
    curve: tuple[str, Sequence[tuple[float, float]]] = ("", ()),
    interval: str = "95 % interval",
) -> None:
    """Paints points, whose columns `points.py` tells. Where only some have labels, these name
    lines, and stand at the ends.

    Args:
        labels: of the axes of x and y.
        scales: of the axes of x and y.
        ticks: on a logarithmic axis of x, instead of round values.
        curve: the label and the spots of a line behind the points; without spots there is none.
        interval: what the bars are, for a reader who points at a marker.
    """
    from cmx_bench.present.drawing.placement import label_points, name_lines
    from cmx_bench.present.drawing.points import draw_curve, draw_points
    from cmx_bench.present.drawing.scales import legend, set_scale

    ax.set(xlabel=labels[0], ylabel=labels[1])
    if curve[1]:
        draw_curve(ax, *curve)
    draw_points(ax, points, interval)
    set_scale(ax, "x", scales[0], points, [x for x, _ in curve[1]], ticks)
    set_scale(ax, "y", scales[1], points, [y for _, y in curve[1]])
    legend(ax, points)
    if "disturbed" in points:
        plain = ~points["disturbed"] | (points["label"] == "")
        points = points.assign(
            label=points["label"].where(plain, points["label"] + f" {DISTURBED}")
        )
    labelled = points[points["label"] != ""]
    (label_points if len(labelled) == len(points) else name_lines)(ax, labelled)
