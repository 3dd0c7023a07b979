"""Predicts what a run still has to do and how long it takes, updated with each record.

To judge all records together takes a second where there are ten thousand. That is done once a
round. Between two rounds a record changes what is known of its own cell alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

import numpy as np

from cmx_bench.cell import Cell
from cmx_bench.execute import remaining
from cmx_bench.measures import MEASURES
from cmx_bench.plan import Plan
from cmx_bench.results import collector, disturbance, records, runfolder
from cmx_bench.results.grouping import group
from cmx_bench.results.records import Record


@dataclass(frozen=True, slots=True)
class _Group:
    """The models that are evaluated together in a setting, those with weights or those that are
    trained: the places of their cells in the plan, how often each is, the planned seconds of all
    with one seed."""

    setting_key: str
    places: list[int]
    seeds: int
    seconds: float


class Outlook:
    """A plan with the `records` of its run so far, `found` by cell.

    `left` has how many more processes each cell gets, by its key, and `wanted` how many there are
    of it in the end, `total` of all: see `remaining.processes_left`. A cell that was `lost`, by no
    fault of its model, has no record of that and gets no more processes.
    """

    def __init__(self, plan: Plan, found: Iterable[Record] = ()) -> None:
        self.plan = plan
        self.records = list(found)
        self.found = group(self.records, lambda record: record.cell)
        self.left: dict[str, int] = {}
        self.wanted: dict[str, int] = {}
        self.total = 0
        self.lost: set[str] = set()
        self._places = {cell.key: place for place, cell in enumerate(plan.cells)}
        _, self._measures = np.unique([cell.measure for cell in plan.cells], return_inverse=True)
        self._sampled = np.array([not MEASURES[cell.measure].together for cell in plan.cells])
        self._repeated = np.array(list(map(plan.repeats, plan.cells)))
        self._planned = np.array([plan.estimates[key] for key in self._places])
        # Of each cell, in the plan's order: the seconds that it took the last time, none where it
        # is untried; how many more processes it gets; how many ended well.
        self._took = np.full(len(plan.cells), np.nan)
        self._left, self._ended = np.zeros((2, len(plan.cells)), np.int64)
        self._groups = list(_groups(plan))
        self._changed: dict[str, int] = {}
        self._judge_all()

    def add(self, record: Record) -> None:
        """Takes in what was measured. Of the cells its own alone is judged anew."""
        self.records.append(record)
        self.found.setdefault(record.cell, []).append(record)
        self._judge(self.plan.cells[self._places[record.cell]])
        self._is_stale = True

    def lose(self, cell: Cell) -> None:
        """Records that a cell was lost."""
        self.lost.add(cell.key)
        self._judge(cell)

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
            (self.plan.cells[self._places[key]], more)
            for key, before in changed.items()
            if (more := self.wanted[key] - before)
        ]

    def why_more(self, cell: Cell) -> str:
        """Why a cell that has all processes of its plan gets more, in some words."""
        return remaining.why_more(self.plan, cell, self._rejudge(cell))

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
        untried = np.isnan(self._took)
        tried = self._sampled & ~untried
        took, planned = (
            np.bincount(self._measures[tried], seconds[tried], self._measures.max() + 1)
            for seconds in (self._took, self._planned)
        )
        scale = np.divide(took, planned, out=np.ones(len(took)), where=planned > 0)
        once = np.where(untried, scale[self._measures] * self._planned, self._took)
        once[~self._sampled] = 0.0
        rounds = int(self._left[self._repeated].max(initial=0))
        every = self.plan.starting * rounds + float(self._left @ once) / self.plan.devices
        every = max(every, (rounds - 1) * remaining.apart(self.plan, spread), 0.0)
        if budget is not None:
            first = self.plan.starting * bool((untried & self._repeated).any())
            first += float(once[untried].sum()) / self.plan.devices
            every = min(every, max(first, budget))
        return every + self._evaluations_left(under_way)

    def _evaluations_left(self, under_way: Mapping[str, float]) -> float:
        """The seconds for the seeds of each setting that no model has been evaluated with; models
        that come with weights are evaluated before others are trained."""
        begun, planned = set(under_way), 0.0
        for together in self._groups:
            missing = max(0, together.seeds - int(self._ended[together.places].max()))
            if missing and together.setting_key in begun:
                begun.remove(together.setting_key)
                missing = missing - 1 if self.plan.devices == 1 else 0  # several: with all seeds
            planned += together.seconds * missing / self.plan.devices
        return planned + sum(under_way.values())

    # --- what is kept up --------------------------------------------------------------------------

    @collector.pausing()
    def _judge_all(self) -> None:
        self._fast = disturbance.fast_probes(self.records)
        for cell in self.plan.cells:
            self._judge(cell)
        self._is_stale = False

    def _rejudge(self, cell: Cell) -> list[Record]:
        return disturbance.judge_by(self._fast, self.found.get(cell.key, ()))

    def _judge(self, cell: Cell) -> None:
        mine, is_lost = self.found.get(cell.key, ()), cell.key in self.lost
        left = 0 if is_lost else remaining.processes_left(self.plan, cell, self._rejudge(cell))
        wanted = left + len(mine) + is_lost
        before = self.wanted.get(cell.key)
        self.left[cell.key], self.wanted[cell.key] = left, wanted
        self.total += wanted - (before or 0)
        if before not in (None, wanted):
            self._changed.setdefault(cell.key, before)
        place = self._places[cell.key]
        self._left[place] = left
        self._took[place] = mine[-1].elapsed if mine else np.nan
        self._ended[place] = sum(record.status == "ok" for record in mine)


@contextmanager
def continuing(plan: Plan, folder: Path) -> Iterator[Outlook]:
    """The outlook on what the records in a run's folder lack; no other process measures into it.

    Raises:
        RecordsError: another process does, or the records cannot be read.
    """
    with runfolder.locking(folder):
        yield Outlook(plan, records.read(folder))


def _groups(plan: Plan) -> Iterator[_Group]:
    """Setting by setting, those that come with weights first."""
    places = {cell.key: place for place, cell in enumerate(plan.cells)}

    def shared(cell: Cell) -> tuple[str, bool]:
        return cell.setting_key, cell.model.weights is None

    for (setting_key, _), cells in groupby(sorted(plan.evaluated, key=shared), shared):
        together = list(cells)
        yield _Group(
            setting_key,
            [places[cell.key] for cell in together],
            plan.replicates(together[0]),
            sum(plan.estimates[cell.key] for cell in together),
        )
