"""Past runs: each metric from run to run, and where it changed lastingly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cmx_bench.cell import Model
from cmx_bench.metrics import Metric

FEWEST_RUNS = 6


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


@dataclass(frozen=True, slots=True)
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
