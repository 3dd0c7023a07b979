"""Paints strip plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes

from cmx_bench.present import hover
from cmx_bench.present.drawing.theme import ABOVE, BELOW, GRID, INK, LETTER, SHADES, Frame
from cmx_bench.present.plot import Strip, Strips

_ROW = 0.36  # inches


def frame(shape: Strips) -> Frame:
    longest = max((len(strip.label) for strip in shape.strips), default=0)
    return Frame(BELOW + ABOVE + _ROW * max(3, len(shape.strips)), 0.25 + LETTER * longest)


def paint(axes: Axes, shape: Strips) -> None:
    """A line for each process, in the shade of its number."""
    rows, shades, values = zip(*_long(shape.strips), strict=True)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    for place in range(1, len(shape.strips)):
        axes.axhline(place - 0.5, color=GRID, linewidth=0.6, zorder=0)
    axes.scatter(values, rows, s=14, c=shades, linewidths=0, zorder=2,
                 gid=hover.samples(shape.strips))  # fmt: skip
    axes.set_yticks(range(len(shape.strips)), [strip.label for strip in shape.strips])
    axes.set_ylim(len(shape.strips) - 0.5, -0.5)
    axes.tick_params("y", length=0)
    axes.grid(True, axis="x")
    axes.set_xlabel(shape.x.label)


def _long(strips: Sequence[Strip]) -> Iterator[tuple[float, str, float]]:
    """Row, shade and value of each sample: a row for each process of a model.

    The rows of a model lie within the 0.8 that it takes up, so that the picture is the same every
    time, which seaborn's jitter is not; importing seaborn alone would take longer than all else.
    """
    for place, strip in enumerate(strips):
        step = 0.8 / len(strip.processes)
        for process, samples in enumerate(strip.processes):
            shade = SHADES[process % len(SHADES)]
            for sample in samples:
                yield place - 0.4 + (process + 0.5) * step, shade, sample
