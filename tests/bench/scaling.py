"""How long a run takes on several devices, and what the process that hands out the jobs computes.

Run by hand: ``python tests/bench/scaling.py [--seconds 10] [--rounds 10] [CELLS ...]``. The
executor is the real one; devices, their jobs and the time are stand-ins. A job lasts --seconds on
average, log-normally distributed, and an interpreter begins in 8 s. "Busy" is the share of the
devices' time in which they execute jobs. "A job" is real: the time of the process for handing out
one job and taking its outcome, without writing the record (see large.py for that).
"""

from __future__ import annotations

import argparse
import heapq
import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute import slots
from cmx_bench.execute.slots import Heard
from cmx_bench.plan import INTERPRETER_SECONDS
from cmx_bench.worker.job import EvaluationJob, Job, Outcome, Round

SETTING = Setting("fp16", "cuda:0", "fp16", "nchw", "none", 64, 224)
MODELS = [Model(f"m{number}", "", "", "timm", "") for number in range(100)]
SPREAD = 0.8  # of the logarithm of a job's seconds; the example's throughput has 0.9
MEASURED = Outcome({"throughput": [1.0]}, "", {})


@dataclass(slots=True)
class Clock:
    """Stand-in time: it moves on to the next job that ends when somebody waits."""

    seconds: float = 0.0
    ends: list[tuple[float, int, Future[Outcome]]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def begin(self, seconds: float) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        heapq.heappush(self.ends, (self.seconds + seconds, next(self.numbers), future))
        return future

    def wait(self, _: object, return_when: str) -> tuple[Collection[Future[Outcome]], None]:
        self.seconds, _number, future = heapq.heappop(self.ends)
        future.set_result(MEASURED)
        return [future], None


@dataclass(slots=True)
class Device:
    """A stand-in slot."""

    name: str
    clock: Clock
    seconds: Callable[[Job], float]

    def takes(self, job: Job) -> bool:
        return True

    def submit(self, job: Job, timeout: float) -> Future[Outcome]:
        return self.clock.begin(self.seconds(job))

    def evaluate(
        self, job: EvaluationJob, timeout: float, tell: Callable[[Heard], None]
    ) -> Future[None]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Simulated:
    """A run: the seconds of all its jobs, those it took, and real ones of the process a job."""

    job_seconds: float
    seconds: float
    real_seconds_a_job: float


def simulate(cells: int, rounds: int, devices: int, mean: float) -> Simulated:
    rng, clock = random.Random(1), Clock()
    spent = 0.0

    def seconds(_: Job) -> float:
        nonlocal spent
        drawn = mean * rng.lognormvariate(-(SPREAD**2) / 2, SPREAD)
        spent += drawn
        return drawn

    @contextmanager
    def opened(this: Round) -> Iterator[Sequence[slots.Slot]]:
        clock.seconds += INTERPRETER_SECONDS
        number = min(devices, len(this.jobs))
        yield [Device(f"cuda:{place}", clock, seconds) for place in range(number)]

    slots.wait = clock.wait  # type: ignore[assignment, attr-defined]
    known = [Cell(MODELS[place % len(MODELS)], "throughput", SETTING) for place in range(cells)]
    every = (
        Round([Job(cell, replicate, Path("log")) for cell in known], repeated=True)
        for replicate in range(rounds)
    )
    begin = time.process_time()
    number = sum(1 for _ in slots.execute(opened, every, 600))
    return Simulated(spent, clock.seconds, (time.process_time() - begin) / number)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cells", nargs="*", type=int, default=[100, 1000, 10_000, 100_000])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=10)
    asked = parser.parse_args()
    print("   cells  devices  device-hours     hours    busy     a job")
    for cells in asked.cells:
        for devices in (1, 8, 64, 512):
            run = simulate(cells, asked.rounds, devices, asked.seconds)
            busy = run.job_seconds / (run.seconds * devices)
            print(
                f"{cells:8,} {devices:8} {run.job_seconds / 3600:13.1f} {run.seconds / 3600:9.2f} "
                f"{busy:7.0%} {1e6 * run.real_seconds_a_job:6.0f} µs"
            )


if __name__ == "__main__":
    main()
