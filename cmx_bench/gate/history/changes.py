"""Change points: after which runs a metric stayed at another level."""

from __future__ import annotations

import importlib.util
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cmx_bench import units
from cmx_bench.gate.history import Point, Series
from cmx_bench.gate.outputs.sentences import describe_change
from cmx_bench.present.content import Tone

HAS_RUPTURES = importlib.util.find_spec("ruptures") is not None  # no release for Python 3.14 yet
# Differences of a fifth of a percent are no news, however quiet the runs before them were.
_FINEST = 0.002


def change_points(series: Series) -> tuple[int, ...]:
    """The places of the first point after each lasting change.

    Of an exact metric every difference is a change. Of others there is none where `series` is not
    `long_enough`: PELT (Killick et al. 2012) with a quadratic cost on the logarithms, scaled by the
    spread from run to run, and segments of two runs or more.
    """
    values = [point.value for point in series.points]
    if series.metric.exact:
        return tuple(place for place in range(1, len(values)) if values[place] != values[place - 1])
    if not (HAS_RUPTURES and series.long_enough):
        return ()
    import numpy as np
    from ruptures import KernelCPD

    logs = [math.log(value) for value in values]
    signal = np.array(logs).reshape(-1, 1) / _spread(logs)
    # A linear kernel is the quadratic cost, in C: 200 runs take 0.2 ms, by `Pelt` 350 ms.
    search = KernelCPD(kernel="linear", min_size=2, jump=1).fit(signal)
    return tuple(int(end) for end in search.predict(pen=_penalty(len(logs)))[:-1])


def _spread(logs: Sequence[float]) -> float:
    """The noise of one run, from successive differences: a step is in one of them only."""
    differences = [abs(after - before) for before, after in pairwise(logs)]
    return max(_FINEST, 1.4826 * statistics.median(differences) / math.sqrt(2))


def _penalty(n: int) -> float:
    """BIC's for a step's place and two levels, and room for a spread that few runs tell badly."""
    return 3 * math.log(n) * (1 + 12 / n)


@dataclass(frozen=True, slots=True)
class Level:
    """The typical value of neighbouring points, between two change points: `first` is the place of
    the first of `n`."""

    first: int
    n: int
    value: float


def levels(series: Series) -> tuple[Level, ...]:
    """The levels of a series, one more than it has change points; none without points."""
    edges = (0, *change_points(series), len(series.points))
    return tuple(
        Level(begin, end - begin, _typical(series.points[begin:end]))
        for begin, end in pairwise(edges)
        if begin < end
    )


def _typical(points: Sequence[Point]) -> float:
    values = [point.value for point in points]
    if min(values) > 0 and min(values) < max(values):
        return statistics.geometric_mean(values)
    return statistics.fmean(values) if min(values) < max(values) else values[0]


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A change point: the place of the first run after it, and the levels around it."""

    series: Series
    place: int
    before: float
    after: float

    @property
    def first(self) -> Point:
        return self.series.points[self.place]

    @property
    def slowdown(self) -> float | None:
        """How much worse it became, as a share; negative is a gain. How much higher where neither
        is better; None where one level is 0."""
        if not (self.before > 0 and self.after > 0):
            return None
        ratio = self.after / self.before
        return (1 / ratio if self.series.metric.better == "higher" else ratio) - 1

    @property
    def tone(self) -> Tone:
        """Whether the metric became worse or better; neither where no value of it is better."""
        better = self.series.metric.better
        if better == "none":
            return ""
        return "good" if (self.after > self.before) is (better == "higher") else "bad"

    @property
    def size(self) -> float:
        """How large it is, for sorting: from or to nothing is largest."""
        if self.slowdown is None:
            return math.inf
        return abs(math.log(self.after) - math.log(self.before))

    @property
    def words(self) -> str:
        """In the words of its metric: "11 % slower"."""
        unit = self.series.metric.unit
        if self.slowdown is None:
            return f"{units.scale(self.before, unit)} → {units.scale(self.after, unit)}"
        return describe_change(self.slowdown, self.series.metric)


def changes(series: Series) -> tuple[ChangePoint, ...]:
    """The change points of a series, the oldest first."""
    return tuple(
        ChangePoint(series, after.first, before.value, after.value)
        for before, after in pairwise(levels(series))
    )


def altogether(series: Series) -> ChangePoint:
    """From the first level of a series to its latest, which is at place 0 where it is the first."""
    of_series = levels(series)
    return ChangePoint(series, of_series[-1].first, of_series[0].value, of_series[-1].value)
