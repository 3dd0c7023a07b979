"""The nouns of a figure before it is drawn: plain data, in the units of its axes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cmx_bench import units
from cmx_bench.units import plain


@dataclass(frozen=True, slots=True)
class Axis:
    """`limits` hold unless a point lies beyond them. `ticks`, where there are any, stand at these
    values of a logarithmic axis instead of at round ones."""

    label: str
    limits: tuple[float, float] | None = None
    logarithmic: bool = False
    ticks: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """One model in a scatter plot or a timeline, marked as its family is.

    `low` and `high` are the ends of an interval of y, `left` and `right` of x. Points with the same
    `line` are joined, `published` ones are hollow, and a `ring` stands around those that the
    caption speaks of. A `kind` of work colours the point instead of its family.
    """

    label: str
    family: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    left: float | None = None
    right: float | None = None
    published: bool = False
    line: str = ""
    ring: bool = False
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through `spots`, x and y, that no model's points make: a front, a roof."""

    label: str
    spots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points, with curves behind them."""

    x: Axis
    y: Axis
    points: tuple[Point, ...]
    curves: tuple[Curve, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.points


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at `x` with a text: a solid line for a `change`, else a dotted one."""

    x: float
    text: str
    change: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """Lines of points over `ticks`, which name the x values 0, 1, and so on; `marks` stand where
    something changed."""

    x: Axis
    y: Axis
    points: tuple[Point, ...]
    ticks: tuple[str, ...]
    marks: tuple[Mark, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.points


@dataclass(frozen=True, slots=True)
class Strip:
    """One model's samples, one list a process."""

    label: str
    processes: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Strips:
    """A strip plot: every sample of every process along x, a row of strips a model."""

    x: Axis
    strips: tuple[Strip, ...]

    @property
    def empty(self) -> bool:
        return not self.strips


@dataclass(frozen=True, slots=True)
class Stack:
    """One model's bars: each has a name, and a share for each kind of work."""

    label: str
    bars: tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True, slots=True)
class Stacks:
    """Stacked bars along x: the shares of `kinds`, keys of `work.KINDS`, in their order."""

    x: Axis
    kinds: tuple[str, ...]
    stacks: tuple[Stack, ...]

    @property
    def empty(self) -> bool:
        return not self.stacks


Shape: TypeAlias = Scatter | Timeline | Strips | Stacks


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure before it is drawn; `alt` says in words what can be seen."""

    name: str
    title: str
    caption: str
    alt: str
    shape: Shape


_LONGEST_LABEL = 28


def short_label(text: str) -> str:
    """`text` as a figure can carry it: on one line, without control characters, cut if long."""
    text = plain(text).replace("\n", " ")
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


_SPOKEN = 12


def spoken(what: str, points: Sequence[Point]) -> str:
    """Words for a scatter plot: what it shows, and the first points of it."""
    return f"{what}: {'; '.join(_spoken(points[:_SPOKEN]))}." if points else what


def _spoken(points: Iterable[Point]) -> Iterator[str]:
    for point in points:
        x, y = units.significant(point.x, 3), units.significant(point.y, 4)
        yield f"{point.label} {x}, {y}"
