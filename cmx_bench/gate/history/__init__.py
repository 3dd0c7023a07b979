"""Past runs: each metric from run to run, and where it changed lastingly."""

from __future__ import annotations

import importlib.util
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from cmx_bench import units
from cmx_bench.cell import Model
from cmx_bench.gate.outputs.sentences import describe_change
from cmx_bench.metrics import Metric
from cmx_bench.present.content import Tone

FEWEST_RUNS = 6
HAS_RUPTURES = importlib.util.find_spec("ruptures") is not None  # no release for Python 3.14 yet
# Differences of a fifth of a percent are no news, however quiet the runs before them were.
_FINEST = 0.002


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run, as a history names it.

    `machine` names what it ran on, and unlike machines by unlike names. `commit` is that of the
    checkout that the run was started in, or else cmx-bench's own. `page` is its report.html;
    None where none was rendered. `failed` are the keys of the cells that failed, out of `cells`.
    `versions` are those that timings depend on most, as "torch 2.15".
    """

    folder: Path
    suite: str
    machine: str
    created: str
    commit: str = ""
    versions: tuple[str, ...] = ()
    cells: int = 0
    failed: tuple[str, ...] = ()
    page: Path | None = None

    @property
    def when(self) -> str:
        """When it began: `2026-01-06 00:00:00 UTC`."""
        return self.created.replace("T", " ").replace("+00:00", " UTC")


@dataclass(frozen=True, slots=True)
class Point:
    """What one run gave: value and 95 % interval in base units.

    `changed` says in what its environment differs from that of the point before, if in anything
    that its value may depend on: "torch 2.14 → 2.15".
    """

    run: PastRun
    value: float
    low: float | None = None
    high: float | None = None
    changed: str = ""


@dataclass(frozen=True)
class Series:
    """One metric of one model in one setting of a suite, the oldest run first.

    All points of a sampled metric are of one `machine`; it is empty for an exact metric, which is
    the same on all of them.
    """

    suite: str
    machine: str
    model: Model
    setting: str
    metric: Metric
    points: tuple[Point, ...]

    @property
    def positive(self) -> bool:
        """Whether all values have logarithms, and ratios."""
        return all(point.value > 0 for point in self.points)

    @property
    def long_enough(self) -> bool:
        """Whether change points can be looked for: in the logarithms of six values or more. An
        exact metric needs no more than two."""
        if self.metric.exact:
            return len(self.points) > 1
        return len(self.points) >= FEWEST_RUNS and self.positive

    @property
    def change_points(self) -> tuple[int, ...]:
        """The places of the first point after each lasting change.

        Of an exact metric every difference is a change. Of others there is none where there are not
        `long_enough`: PELT (Killick et al. 2012) with a quadratic cost on the logarithms, scaled by
        the spread from run to run, and segments of two runs or more.
        """
        values = [point.value for point in self.points]
        if self.metric.exact:
            return tuple(
                place for place, (before, now) in enumerate(pairwise(values), 1) if before != now
            )
        if not (HAS_RUPTURES and self.long_enough):
            return ()
        import numpy as np
        from ruptures import KernelCPD

        logs = [math.log(value) for value in values]
        signal = np.array(logs).reshape(-1, 1) / _spread(logs)
        # A linear kernel is the quadratic cost, in C: 200 runs take 0.2 ms, by `Pelt` 350 ms.
        search = KernelCPD(kernel="linear", min_size=2, jump=1).fit(signal)
        return tuple(int(end) for end in search.predict(pen=_penalty(len(logs)))[:-1])

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The levels, one more than there are change points; none without points."""
        edges = (0, *self.change_points, len(self.points))
        return tuple(
            Level(begin, end - begin, _typical(self.points[begin:end]))
            for begin, end in pairwise(edges)
            if begin < end
        )

    @property
    def changes(self) -> tuple[Change, ...]:
        """From each level to the next, the oldest first."""
        return tuple(
            Change(self, after.first, before.value, after.value)
            for before, after in pairwise(self.levels)
        )

    @property
    def altogether(self) -> Change:
        """From the first level to the latest, which is at place 0 where it is the first."""
        first, last = self.levels[0], self.levels[-1]
        return Change(self, last.first, first.value, last.value)


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


def _typical(points: Sequence[Point]) -> float:
    values = [point.value for point in points]
    if min(values) > 0 and min(values) < max(values):
        return statistics.geometric_mean(values)
    return statistics.fmean(values) if min(values) < max(values) else values[0]


@dataclass(frozen=True, slots=True)
class Change:
    """From one level to another: the place of the first run at the other, and both values."""

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


@dataclass(frozen=True, slots=True)
class History:
    """Runs, the oldest first, and their series.

    `left_out` names the folders of runs that could not be read, with the reason; `elsewhere` counts
    the runs of other suites and machines where only those of one were asked for.
    """

    runs: tuple[PastRun, ...]
    series: tuple[Series, ...]
    left_out: tuple[str, ...] = ()
    elsewhere: int = 0

    @property
    def suites(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(run.suite for run in self.runs))

    @property
    def machines(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(run.machine for run in self.runs))

    def moves(self) -> Iterator[tuple[PastRun, PastRun]]:
        """Each run that is on another machine than the run of its suite before it, after that."""
        before: dict[str, PastRun] = {}
        for run in self.runs:
            previous = before.get(run.suite, run)
            before[run.suite] = run
            if previous.machine != run.machine:
                yield previous, run
