"""Paints stacked bars."""

from __future__ import annotations

from itertools import accumulate

from matplotlib.axes import Axes

from cmx_bench.report.figures.style import BELOW, FONT_SIZE, KIND_COLOURS, LETTER, PAGE, Frame
from cmx_bench.report.plot import Stacks
from cmx_bench.work import KINDS

_BAR, _GAP = 0.15, 0.12  # inches: a bar, what is left free between models
_ABOVE = 0.55  # inches, for two lines of the legend
_NAME = 0.45  # inches, for the names of bars


def frame(shape: Stacks) -> Frame:
    longest = max((len(stack.label) for stack in shape.stacks), default=0)
    high = sum(_BAR * len(stack.bars) + _GAP for stack in shape.stacks)
    return Frame(BELOW + _ABOVE + high, 0.2 + _NAME + LETTER * longest, above=_ABOVE)


def paint(axes: Axes, shape: Stacks) -> None:
    """The bars of each model below its label, one colour a kind of work."""
    places, names, rows, top = [], [], [], 0.0
    for stack in shape.stacks:
        middle = top + _BAR * len(stack.bars) / 2
        axes.annotate(stack.label, (0, middle), (-72 * _NAME, 0), ha="right", va="center",
                      xycoords=axes.get_yaxis_transform(), textcoords="offset points")  # fmt: skip
        for name, shares in stack.bars:
            places.append(top + _BAR / 2)
            names.append(name)
            rows.append(shares)
            top += _BAR
        top += _GAP
    lefts = [[0.0, *accumulate(shares)] for shares in rows]
    for number, kind in enumerate(shape.kinds):
        axes.barh(places, [shares[number] for shares in rows], 0.85 * _BAR,
                  [left[number] for left in lefts], color=KIND_COLOURS[kind], edgecolor=PAGE,
                  linewidth=0.5, label=KINDS[kind])  # fmt: skip
    axes.set_yticks(places, names, fontsize=FONT_SIZE)
    axes.tick_params("y", length=0)
    axes.set_xlim(0, 100)
    axes.set_ylim(top, -_GAP)
    axes.set_xlabel(shape.x.label)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, handlelength=1.0,
                handletextpad=0.4, columnspacing=1.2, borderaxespad=0.2)  # fmt: skip
