"""Measures whether timings on one device change while other devices measure.

Both processes of a pair run on the same device, in random order, under one interpreter. While the
second kind runs, every other device executes the cells of the suite without a pause.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cmx_bench import units
from cmx_bench.errors import PlanError
from cmx_bench.execute.slots import Opening, Slot
from cmx_bench.gate import floor
from cmx_bench.gate.comparing import TIMED
from cmx_bench.gate.floor import Bias
from cmx_bench.gate.pairs import PairError
from cmx_bench.plan import Plan
from cmx_bench.results.grouping import group
from cmx_bench.worker.job import Heard, Job, Round

FEWEST_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Alongside:
    """A pair: images per second of a model on a device alone, and while the other devices work."""

    model: str
    device: str
    alone: float
    beside: float
    alone_first: bool

    @property
    def log_ratio(self) -> float:
        """How much longer a pass takes while the others work, as a logarithm."""
        return math.log(self.alone / self.beside)


def run(plan: Plan, opened: Opening, budget: float, log: Path) -> Iterator[Alongside]:
    """Each pair as it is measured, for about `budget` seconds and at least `FEWEST_ROUNDS` rounds
    of each cell.

    Raises:
        PlanError: the suite has no throughput cell.
        PairError: a model fails.
        SlotLostError: a device is lost.
    """
    cells = [cell for cell in plan.cells if cell.measure == TIMED]
    if not cells:
        raise PlanError(f"the suite has no {TIMED} cell to test devices with")
    rng, begin, rounds = random.Random(), time.monotonic(), 0
    while rounds < FEWEST_ROUNDS or time.monotonic() - begin < budget:
        jobs = [Job(cell, rounds, log) for cell in rng.sample(cells, len(cells))]
        # So many that every device takes part.
        with opened(Round(jobs * plan.devices, repeated=True)) as slots:
            for job in jobs:
                one, *others = rng.sample(list(slots), len(slots))
                company = _Company(others, jobs, plan.suite_file.suite.timeout)
                yield _pair(job, one, company, rng)
        rounds += 1


@dataclass(slots=True)
class _Company:
    """The other devices, and what they execute meanwhile."""

    slots: Sequence[Slot]
    jobs: Sequence[Job]
    timeout: float
    under_way: dict[Future[None], Slot] = field(default_factory=dict)

    def keep_busy_until(self, awaited: Future[None], rng: random.Random) -> None:
        """Begins the next job wherever one has ended, until the `awaited` one has."""
        while not awaited.done():
            ended, _ = wait([awaited, *self.under_way], return_when=FIRST_COMPLETED)
            for future in ended - {awaited}:
                self.begin(self.under_way.pop(future), rng)

    def begin(self, slot: Slot, rng: random.Random) -> None:
        self.under_way[slot.carry_out(rng.choice(self.jobs), self.timeout, lambda _: None)] = slot


def _pair(job: Job, slot: Slot, company: _Company, rng: random.Random) -> Alongside:
    alone_first = rng.random() < 0.5
    rates = {}
    for alone in (alone_first, not alone_first):
        if not alone:
            for other in company.slots:
                company.begin(other, rng)
        said: list[Heard] = []
        awaited = slot.carry_out(job, company.timeout, said.append)
        company.keep_busy_until(awaited, rng)
        wait(company.under_way)
        company.under_way.clear()
        awaited.result()
        [(_, outcome)] = [word for word in said if isinstance(word, tuple)]
        if outcome.reason:
            raise PairError({slot.name: f"{job.cell.key}: {outcome.reason}"}, lost=outcome.lost)
        rates[alone] = statistics.median(outcome.values[TIMED])
    return Alongside(job.cell.model.name, slot.name, rates[True], rates[False], alone_first)


def lines(machine: Mapping[str, Any], pairs: Sequence[Alongside]) -> Iterator[str]:
    """A test of side by side as people read it."""
    devices = sorted({pair.device for pair in pairs})
    counted = units.tally(len(pairs), "pair")
    yield f"{counted} of alone and side by side, {machine.get('device_name')}: {', '.join(devices)}"
    by_model = group(pairs, lambda pair: pair.model)
    for model, its_pairs in by_model.items() if len(by_model) > 1 else ():
        yield f"  {model}: {_tell(_bias_of(its_pairs))}"
    whole = _bias_of(pairs)
    verdict = "this moves timings" if floor.is_certain(whole) else "no effect is seen"
    yield f"side by side: {_tell(whole)}: {verdict}"


def _bias_of(pairs: Sequence[Alongside]) -> Bias:
    return floor.bias_of([pair.log_ratio for pair in pairs])


def _tell(bias: Bias) -> str:
    return f"a forward pass takes {floor.tell(bias)} longer (99 %)"
