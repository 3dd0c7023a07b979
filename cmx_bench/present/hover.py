"""What a reader is told of the marker under the pointer: a title on each marker of a figure's SVG.

matplotlib writes no titles, but the gid of whatever it draws: texts go that way, encoded, and
`titled` puts each on its marker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote, unquote

from cmx_bench import units
from cmx_bench.present.plot import Axis, Point, Strip

_GROUPS = re.compile('(?=<g id=")')  # only groups of a whole artist have an id
_GID = re.compile(r'<g id="hover:([^"]*)">')
_MARKER = re.compile("<use [^>]*/>")


def points(found: Sequence[Point], x: Axis, y: Axis, ticks: Sequence[str] = ()) -> str:
    """The gid of a line with a marker for each of these points; `ticks` name values of x."""
    return _gid(_point(point, ticks[round(point.x)] if ticks else _value(x, point.x), y)
                for point in found)  # fmt: skip


def samples(strips: Sequence[Strip]) -> str:
    """The gid of a collection with a marker for each sample, in their order."""
    return _gid(
        f"{strip.label}, process {number} of {len(strip.processes)}: {sample:+.2f} %"
        for strip in strips
        for number, taken in enumerate(strip.processes, 1)
        for sample in taken
    )


def titled(svg: str) -> str:
    """`svg` as matplotlib wrote it, with a title on each marker whose text is known."""
    return "".join(map(_titled, _GROUPS.split(svg)))


def _gid(texts: Iterable[str]) -> str:
    return "hover:" + quote("\n".join(texts))


def _point(point: Point, x: str, y: Axis) -> str:
    """`ResNet-50 (published): Parameters (millions) 25.6, ImageNet top-1 (%) 76.32`."""
    published = " (published)" if point.published else ""
    text = f"{point.label or point.line}{published}: {x}, {_value(y, point.y)}"
    if point.low is None or point.high is None:
        return text
    low, high = (units.significant(edge, 4) for edge in (point.low, point.high))
    return f"{text} (95 % interval {low} to {high})"


def _value(axis: Axis, value: float) -> str:
    return f"{axis.label} {units.significant(value, 4)}"


def _titled(group: str) -> str:
    """A group without its gid; left alone where the markers are not as many as the texts."""
    name = _GID.match(group)
    if name is None:
        return group
    texts, markers = unquote(name[1]).split("\n"), group[name.end() :]
    if len(_MARKER.findall(markers)) != len(texts):
        return f"<g>{markers}"
    left = iter(texts)
    marked = _MARKER.sub(
        lambda use: f'<g class="point"><title>{escape(next(left))}</title>{use[0]}</g>', markers
    )
    return f"<g>{marked}"
