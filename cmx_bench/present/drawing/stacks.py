"""Paints stacked bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch

from cmx_bench.measures.work import KINDS
from cmx_bench.present.drawing.theme import BELOW, FONT_SIZE, KIND_COLOURS, LETTER, PAGE, Frame
from cmx_bench.present.plot import Stack, Stacks

_BAR, _FREE, _GAP = 0.13, 0.02, 0.12  # inches: a bar, what is free below it, and below a stack
_ABOVE = 0.55  # inches, for two lines of the legend
_NAME = 0.45  # inches, for the names of bars


def frame(shape: Stacks) -> Frame:
    longest = max((len(stack.label) for stack in shape.stacks), default=0)
    high = sum(map(_height, shape.stacks))
    return Frame(BELOW + _ABOVE + high, 0.2 + _NAME + LETTER * longest, above=_ABOVE)


def _height(stack: Stack) -> float:
    return (_BAR + _FREE) * len(stack.bars) + _GAP


def paint(axes: Axes, shape: Stacks) -> None:
    """The bars of each model beside its label, one colour a kind of work."""
    ticks, names, corners, colours, bottom = [], [], [], [], 0.0
    for stack in shape.stacks:
        top, bottom = bottom, bottom + _height(stack)
        axes.annotate(stack.label, (0, (top + bottom - _GAP) / 2), (-72 * _NAME, 0),
                      xycoords=axes.get_yaxis_transform(), textcoords="offset points",
                      ha="right", va="center")  # fmt: skip
        for number, (name, shares) in enumerate(stack.bars):
            edge = top + number * (_BAR + _FREE)
            ticks.append(edge + _BAR / 2)
            names.append(name)
            for kind, box in zip(shape.kinds, _boxes(shares, edge), strict=True):
                corners.append(box)
                colours.append(KIND_COLOURS[kind])
    # One by one, matplotlib's bars take longer than a figure.
    axes.add_collection(
        PolyCollection(corners, facecolors=colours, edgecolors=PAGE, linewidths=0.5)
    )
    axes.set_yticks(ticks, names, fontsize=FONT_SIZE)
    axes.tick_params("y", length=0)
    axes.set_xlim(0, 100)
    axes.set_ylim(bottom, -_GAP)
    axes.set_xlabel(shape.x.label)
    handles = [Patch(color=KIND_COLOURS[kind], label=KINDS[kind]) for kind in shape.kinds]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3,
                handlelength=1.0, handletextpad=0.4, columnspacing=1.2,
                borderaxespad=0.2)  # fmt: skip


def _boxes(shares: Sequence[float], top: float) -> Iterator[list[tuple[float, float]]]:
    """The corners of each share's part of a bar."""
    bottom = top + _BAR
    for left, right in pairwise(accumulate(shares, initial=0.0)):
        yield [(left, top), (right, top), (right, bottom), (left, bottom)]
