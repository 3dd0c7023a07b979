"""The process of one device of this machine. It runs on cores of its own and obeys the driver.

All that it starts is held on the same cores, and ends with it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

from cmx_bench.errors import CmxError
from cmx_bench.execute import learners, rounds
from cmx_bench.execute.rounds import JobCall
from cmx_bench.training.orphans import end_with
from cmx_bench.worker.job import EvaluationJob, Heard, Job


class Work(ExitStack):
    """The work of a round on the device. Its interpreter, where it has one, ends with it."""

    def __init__(self) -> None:
        super().__init__()
        self._call: JobCall = rounds.call_once

    def open(self, repeated: bool, log: Path, variables: Mapping[str, str]) -> None:
        """Has all ready for a round: an interpreter of its own where it is `repeated`."""
        self._call = self.enter_context(rounds.ready(repeated, log, variables))

    def carry_out(self, order: Job | EvaluationJob, timeout: float) -> Iterator[Heard]:
        """Executes a job, or evaluates; gives what is heard of it."""
        if isinstance(order, Job):
            yield order.cell, rounds.execute_job(self._call, order, timeout)
        else:
            yield from learners.outcomes(order, timeout)

    def close(self) -> None:
        """Ends the interpreter of the round."""
        self._call = rounds.call_once
        super().close()


# A method of `Work` with its arguments.
Order: TypeAlias = Callable[[Work], Iterable[Heard] | None]


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
    with Work() as work:
        while True:
            try:
                order: Order = pipe.recv()
            except EOFError:
                return
            try:
                for said in order(work) or ():
                    pipe.send(said)
                pipe.send(None)
            except CmxError as error:
                pipe.send(error)
