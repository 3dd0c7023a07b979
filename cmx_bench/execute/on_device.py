"""The process of one device of this machine. It runs on cores of its own and obeys the driver.

All that it starts is held on the same cores, and ends with it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

from cmx_bench.errors import CmxError
from cmx_bench.execute import learners, rounds
from cmx_bench.execute.rounds import JobCall
from cmx_bench.training.orphans import end_with
from cmx_bench.worker.job import EvaluationJob, Job


@dataclass(frozen=True, slots=True)
class Open:
    """Has all ready for a round: an interpreter of its own where it is `repeated`."""

    log: Path
    repeated: bool
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Execute:
    """Executes a job, or evaluates; says of each cell its outcome, and how an evaluation goes."""

    job: Job | EvaluationJob
    timeout: float


@dataclass(frozen=True, slots=True)
class Close:
    """Ends the interpreter of the round."""


Order: TypeAlias = Open | Execute | Close


def main(descriptor: str, cores: str) -> None:
    """Obeys what comes through a pipe until its other end is closed; answers each order with None
    when it is done, or with what is wrong.

    Args:
        cores: their numbers, with commas between.
    """
    pipe = Connection(int(descriptor))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other end is interrupted too, and ends this
    end_with(os.getppid())
    os.sched_setaffinity(0, map(int, cores.split(",")))
    with _Round() as this:
        while True:
            try:
                order: Order = pipe.recv()
            except EOFError:
                return
            try:
                _obey(this, order, pipe)
                pipe.send(None)
            except CmxError as error:
                pipe.send(error)


def _obey(this: _Round, order: Order, pipe: Connection) -> None:
    match order:
        case Open():
            this.open(order)
        case Execute(Job() as job, timeout):
            pipe.send((job.cell, rounds.execute_job(this.call, job, timeout)))
        case Execute(EvaluationJob() as job, timeout):
            for graded in learners.outcomes(job, timeout, pipe.send):
                pipe.send(graded)
        case Close():
            this.close()


class _Round(ExitStack):
    """How the jobs of the round under way are executed; its interpreter ends with it."""

    call: JobCall = staticmethod(rounds.call_once)

    def open(self, order: Open) -> None:
        self.call = self.enter_context(rounds.ready(order.repeated, order.log, order.variables))

    def close(self) -> None:
        self.call = rounds.call_once
        super().close()
