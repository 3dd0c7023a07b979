"""Predicts what a run still has to do and how long it takes, updated with each record.

To judge all records together takes a second where there are ten thousand. That is done once a
round. Between two rounds a record changes what is known of its own cell alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cmx_bench.cell import Cell
from cmx_bench.execute import remaining
from cmx_bench.measures import MEASURES
from cmx_bench.plan import Plan
from cmx_bench.results import collector, disturbance, records
from cmx_bench.results.records import Record


@dataclass(slots=True)
class _Group:
    """The models that are evaluated together in a setting, those with weights or those that are
    trained: how often each is, the planned seconds of all, and how often one has been."""

    setting_key: str
    seeds: int
    seconds: float = 0.0
    there: int = 0


@dataclass(slots=True)
class _Sums:
    """Seconds over the cells of a measure: what those that were tried `took` the last time, what
    was `planned` for that, what will be `left` of them; what is planned for one process of the
    `untried` ones (`once`), and for all of theirs."""

    took: float = 0.0
    planned: float = 0.0
    left: float = 0.0
    once: float = 0.0
    untried: float = 0.0

    @property
    def scale(self) -> float:
        """How the cells that were tried compare with their plan."""
        return self.took / self.planned if self.planned else 1.0


class Outlook:
    """A plan with the `records` of its run so far, `found` by cell.

    `left` has how many more processes each cell gets, by its key, and `wanted` how many there are
    of it in the end, `total` of all: see `remaining.processes_left`. A cell that was `lost`, by no
    fault of its model, has no record of that and gets no more processes.
    """

    def __init__(self, plan: Plan, found: Iterable[Record] = (), stamp: object = None) -> None:
        self.plan = plan
        self.left: dict[str, int] = {}
        self.wanted: dict[str, int] = {}
        self.total = 0
        self.lost: set[str] = set()
        self._cells = {cell.key: cell for cell in plan.cells}
        self._changed: dict[str, int] = {}
        self._begin(found, stamp)

    @classmethod
    def of(cls, plan: Plan, folder: Path) -> Outlook:
        """That of the records in a run's folder.

        Raises:
            RecordsError: they cannot be read.
        """
        stamp = records.stamp(folder)
        return cls(plan, records.read(folder), stamp)

    def catch_up(self, folder: Path) -> None:
        """Reads the folder's records again where they have changed since `of` read them.

        Raises:
            RecordsError: they cannot be read.
        """
        if (stamp := records.stamp(folder)) != self._stamp:
            self._begin(records.read(folder), stamp)

    def _begin(self, found: Iterable[Record], stamp: object) -> None:
        self._stamp = stamp
        self.records = list(found)
        self.found = disturbance.by_cell(self.records)
        self._judge_all()

    def add(self, record: Record) -> None:
        """Takes in what was measured. Of the cells its own alone is judged anew."""
        with self._changing(self._cells[record.cell]):
            self.records.append(record)
            self.found[record.cell].append(record)
        self._is_stale = True

    def lose(self, cell: Cell) -> None:
        """Records that a cell was lost."""
        with self._changing(cell):
            self.lost.add(cell.key)

    @contextmanager
    def _changing(self, cell: Cell) -> Iterator[None]:
        self._count(cell, -1)
        yield
        self._judge(cell)
        self._count(cell, 1)

    def all_left(self) -> Mapping[str, int]:
        """`left`, all records judged together."""
        if self._is_stale:
            self._judge_all()
        return self.left

    def changes(self) -> list[tuple[Cell, int]]:
        """The cells of which there are more or fewer processes in the end than this told the last
        time, and how many more."""
        changed, self._changed = self._changed, {}
        return [
            (self._cells[key], more)
            for key, before in changed.items()
            if (more := self.wanted[key] - before)
        ]

    def why_more(self, cell: Cell) -> str:
        """Why a cell that has all processes of its plan gets more, in some words."""
        return remaining.why_more(self.plan, cell, self._judged(cell))

    def seconds_left(
        self,
        budget: float | None = None,
        spread: float = 0.0,
        under_way: Mapping[str, float] = MappingProxyType({}),
    ) -> float:
        """The time that the missing executions will take.

        A cell takes as long as it took before; one not tried yet as long as planned, scaled by how
        the cells of its measure compare with their plan so far. Models that are evaluated end
        together: where one is there, the others of its setting and seed are about to come.

        Args:
            budget: the seconds left in which cells are measured.
            spread: the seconds over which rounds begin.
            under_way: of the setting whose models are trained or evaluated now, by its key, the
                seconds that this still takes.
        """
        rounds = max((left for left, cells in self._repeated.items() if cells), default=0)
        sums = self._sums.values()
        every = self.plan.starting * rounds
        every += sum(each.left + each.scale * each.untried for each in sums) / self.plan.devices
        every = max(every, (rounds - 1) * remaining.apart(self.plan, spread), 0.0)
        if budget is not None:
            first = self.plan.starting * (self._untried > 0)
            first += sum(each.scale * each.once for each in sums) / self.plan.devices
            every = min(every, max(first, budget))
        return every + self._evaluations_left(under_way)

    def _evaluations_left(self, under_way: Mapping[str, float]) -> float:
        """The seconds for the seeds of each setting that no model has been evaluated with; models
        that come with weights are evaluated before others are trained."""
        begun, planned = set(under_way), 0.0
        for group in self._groups.values():
            missing = max(0, group.seeds - group.there)
            if missing and group.setting_key in begun:
                begun.remove(group.setting_key)
                missing = missing - 1 if self.plan.devices == 1 else 0  # several: with all seeds
            planned += group.seconds * missing / group.seeds / self.plan.devices
        return planned + sum(under_way.values())

    # --- what is kept up --------------------------------------------------------------------------

    @collector.pausing()
    def _judge_all(self) -> None:
        self._fast = disturbance.fast_probes(self.records)
        self._sums: defaultdict[str, _Sums] = defaultdict(_Sums)
        self._repeated: Counter[int] = Counter()
        self._untried = 0
        self._groups = _groups(self.plan)
        for cell in self.plan.cells:
            self._judge(cell)
            self._count(cell, 1)
        self._is_stale = False

    def _judged(self, cell: Cell) -> list[Record]:
        return disturbance.judge_by(self._fast, self.found.get(cell.key, ()))

    def _judge(self, cell: Cell) -> None:
        is_lost = cell.key in self.lost
        left = 0 if is_lost else remaining.processes_left(self.plan, cell, self._judged(cell))
        wanted = left + len(self.found.get(cell.key, ())) + is_lost
        before = self.wanted.get(cell.key)
        self.left[cell.key], self.wanted[cell.key] = left, wanted
        self.total += wanted - (before or 0)
        if before not in (None, wanted):
            self._changed.setdefault(cell.key, before)

    def _count(self, cell: Cell, sign: int) -> None:
        """Adds what a cell still takes to the sums, or takes it away."""
        mine, left = self.found.get(cell.key), self.left[cell.key]
        if MEASURES[cell.measure].together:
            group = self._groups[_place(cell)]
            ended = sum(record.status == "ok" for record in mine or ())
            group.there = max(group.there, ended)
            return
        sums, planned = self._sums[cell.measure], self.plan.estimates[cell.key]
        if mine:
            sums.took += sign * mine[-1].elapsed
            sums.planned += sign * planned
            sums.left += sign * left * mine[-1].elapsed
        else:
            sums.once += sign * planned
            sums.untried += sign * left * planned
        if self.plan.repeats(cell):
            self._repeated[left] += sign
            self._untried += sign * (not mine)


def _place(cell: Cell) -> tuple[str, bool]:
    return cell.setting_key, cell.model.weights is None


def _groups(plan: Plan) -> dict[tuple[str, bool], _Group]:
    """Setting by setting, those that come with weights first."""
    groups: dict[tuple[str, bool], _Group] = {}
    for cell in sorted(plan.evaluated, key=_place):
        group = groups.setdefault(
            _place(cell), _Group(cell.setting_key, remaining.seeds(plan, cell))
        )
        group.seconds += plan.estimates[cell.key]
    return groups
