"""Pairs of a device alone and beside others, on stand-in slots."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.cell import Setting
from cmx_bench.errors import PlanError
from cmx_bench.execute.slots import Tell
from cmx_bench.gate import alongside
from cmx_bench.gate.alongside import Alongside
from cmx_bench.gate.pairs import PairError
from cmx_bench.worker.job import EvaluationJob, Job, Outcome, Round

from .conftest import cell_of, plan_of

WELL = Outcome({"throughput": [100.0] * 3}, "", {})


@dataclass
class StandInSlot:
    """A device that answers at once."""

    name: str
    outcome: Outcome = WELL
    given: list[str] = field(default_factory=list)
    begun_anew: Callable[[], None] = lambda: None

    def takes(self, setting: Setting) -> bool:
        return True

    def carry_out(self, order: Job | EvaluationJob, timeout: float, tell: Tell) -> Future[None]:
        assert isinstance(order, Job)
        self.given.append(order.cell.model.name)
        tell((order.cell, self.outcome))
        future: Future[None] = Future()
        future.set_result(None)
        if len(self.given) > 1:
            self.begun_anew()
        return future


@dataclass
class Slower(StandInSlot):
    """A device that is slower once `other` was given a job, and ends when that has begun anew."""

    other: StandInSlot | None = None

    def carry_out(self, order: Job | EvaluationJob, timeout: float, tell: Tell) -> Future[None]:
        assert isinstance(order, Job) and self.other is not None
        if not self.other.given:
            return super().carry_out(order, timeout, tell)
        future: Future[None] = Future()

        def end() -> None:
            tell((order.cell, Outcome({"throughput": [90.0, 80.0, 70.0]}, "", {})))
            future.set_result(None)

        self.other.begun_anew = end
        return future


def pairs_of(plan: Any, *slots: StandInSlot) -> list[Alongside]:
    @contextmanager
    def opened(this: Round) -> Iterator[Sequence[StandInSlot]]:
        assert this.repeated and len(this.jobs) >= len(slots)
        yield slots

    return list(alongside.run(plan, opened, 0, Path("log")))


def test_each_model_has_a_pair_a_round() -> None:
    slots = [StandInSlot("cuda:0"), StandInSlot("cuda:1")]
    timed = pairs_of(plan_of("a", "b"), *slots)
    models = [pair.model for pair in timed]
    assert models.count("a") == models.count("b") == alongside.FEWEST_ROUNDS
    assert all(pair.log_ratio == 0 for pair in timed)
    assert all(slot.given for slot in slots)


def test_the_others_are_busy_until_what_is_measured_has_ended() -> None:
    """The other one ends at once and begins anew; the pair says what the measured one lost."""
    job, other = Job(cell_of("a"), 0, Path("log")), StandInSlot("cuda:1")
    company = alongside._Company([other], [job], 60.0)
    rng = random.Random(next(seed for seed in range(9) if random.Random(seed).random() < 0.5))
    pair = alongside._pair(job, Slower("cuda:0", other=other), company, rng)
    assert (pair.alone, pair.beside, pair.alone_first) == (100.0, 80.0, True)
    assert len(other.given) == 2


def test_a_model_that_fails_is_named() -> None:
    failed = StandInSlot("cuda:0", Outcome({}, "out of memory", {}))
    with pytest.raises(PairError, match="cuda:0: a/throughput/.*: out of memory"):
        pairs_of(plan_of("a"), failed)


def test_a_suite_without_throughput_tests_nothing() -> None:
    plan = plan_of()
    with pytest.raises(PlanError, match="no throughput cell to test devices with"):
        pairs_of(plan)


def pair(model: str, loss: float) -> Alongside:
    return Alongside(model, "cuda:0", 100.0, 100.0 * (1 - loss), True)


def test_what_is_said_of_pairs() -> None:
    machine = {"device_name": "A GPU"}
    still = [pair(model, loss) for model in "ab" for loss in (0.001, -0.001, 0.002, -0.002)]
    head, *models, verdict = alongside.lines(machine, still)
    assert head == "8 pairs of alone and side by side, A GPU: cuda:0"
    assert [line.split(":")[0].strip() for line in models] == ["a", "b"]
    assert re.fullmatch(
        r"side by side: a forward pass takes .0\.00 ± 0\.\d\d % longer \(99 %\): no effect is seen",
        verdict,
    )
    moved = [pair("a", loss) for loss in (0.049, 0.05, 0.051)]
    last = list(alongside.lines(machine, moved))[-1]
    assert last.startswith("side by side: a forward pass takes +5.13 ± ")
    assert last.endswith(" % longer (99 %): this moves timings")
