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
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute.slots import Slot, Task, Tell, UnderWay
from cmx_bench.plan import INTERPRETER_SECONDS
from cmx_bench.worker.job import EvaluationJob, Job, Outcome

SETTING = Setting("fp16", "cuda:0", "fp16", "nchw", "none", 64, 224)
MODELS = [Model(f"m{number}", "", "", "timm", "") for number in range(100)]
SPREAD = 0.8  # of the logarithm of a job's seconds; the example's throughput has 0.9
MEASURED = Outcome({"throughput": [1.0]}, "", {})


@dataclass(slots=True)
class Clock:
    """Stand-in time: it moves on to the next job that ends when somebody waits for a word."""

    seconds: float = 0.0
    ends: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    words: deque[Any] = field(default_factory=deque)
    numbers: Iterator[int] = field(default_factory=count)

    def put(self, word: object) -> None:
        self.words.append(word)

    def get(self) -> Any:
        if not self.words:
            self.seconds, _, end = heapq.heappop(self.ends)
            end()
        return self.words.popleft()


@dataclass(slots=True)
class Device:
    """A stand-in slot."""

    name: str
    clock: Clock
    seconds: Callable[[Job], float]

    def takes(self, setting: Setting) -> bool:
        return True

    def carry_out(self, order: Job | EvaluationJob, timeout: float, tell: Tell) -> Future[None]:
        assert isinstance(order, Job)
        future: Future[None] = Future()

        def end() -> None:
            tell((order.cell, MEASURED))
            future.set_result(None)

        ends = self.clock.seconds + self.seconds(order)
        heapq.heappush(self.clock.ends, (ends, next(self.clock.numbers), end))
        return future


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

    known = [Cell(MODELS[place % len(MODELS)], "throughput", SETTING) for place in range(cells)]
    begin = time.process_time()
    done = 0
    for replicate in range(rounds):
        clock.seconds += INTERPRETER_SECONDS
        ready: list[Slot] = [
            Device(f"cuda:{n}", clock, seconds) for n in range(min(devices, cells))
        ]
        tasks = [Task(Job(cell, replicate, Path("log")), [cell]) for cell in known]
        done += sum(1 for _ in UnderWay(600, ready, tasks, heard=clock).outcomes())  # type: ignore[arg-type]
    return Simulated(spent, clock.seconds, (time.process_time() - begin) / done)


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
