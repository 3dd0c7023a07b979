"""Executes cells on this machine, each in a fresh process, each round from a fresh interpreter.

Processes forked from one server have its addresses and hash seeds in common: a constant of the
server, up to 1.3 % for ConvMixer, that replicates forked from it can not show. A server a round is
the cheapest start that can; see tests/bench/README.md. What is measured once has no spread to show:
its processes are forked from the server that made the plan.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from cmx_bench.execute import interpreters
from cmx_bench.measures import compiled
from cmx_bench.worker import local, scratch
from cmx_bench.worker.job import Job, Outcome, Round
from cmx_bench.worker.local import ProcessError
from cmx_bench.worker.targets import Target

# Executes a job in a fresh process, which may take so many seconds.
JobCall: TypeAlias = Callable[[Job, float], Outcome]


def execute(rounds: Iterable[Round], timeout: float) -> Iterator[tuple[Job, Outcome]]:
    """Each job with its outcome, one after the other.

    A process that dies, or lives longer than `timeout` seconds, gives a failed outcome. One that
    something outside ended is tried again once; an interpreter that died is begun anew.
    """
    with compiled.folder(scratch.folder()) as shared:
        variables = compiled.variables(shared)
        for this in rounds:
            with ready(this.repeated, this.jobs[0].log, variables) as call:
                yield from ((job, execute_job(call, job, timeout)) for job in this.jobs
                            if this.begin(job))  # fmt: skip


def execute_job(call: JobCall, job: Job, timeout: float) -> Outcome:
    """The outcome of a job. The job fails if its process dies or takes too long."""
    begin = time.monotonic()
    try:
        outcome = call(job, timeout)
    except ProcessError as error:
        reason = f"the process {error}, at batch {job.cell.setting.batch_size}"
        outcome = Outcome({}, reason, {}, lost=error.blameless)
    return replace(outcome, elapsed=time.monotonic() - begin)


def call_once(job: Job, timeout: float) -> Outcome:
    """Executes a job in a process of the interpreter that made the plan."""
    outcome: Outcome = local.call(Target.SAMPLE, job, timeout=timeout)
    return outcome


@contextmanager
def ready(repeated: bool, log: Path, variables: Mapping[str, str]) -> Iterator[JobCall]:
    """How to execute the jobs of a round, once torch is loaded where their processes are forked: in
    an interpreter of the round's own where it is `repeated`."""
    if not repeated:
        local.call("os:getpid")
        yield call_once
        return
    with interpreters.calling(sys.executable, sys.executable, log, variables) as call:
        call("os:getpid")
        yield lambda job, timeout: call(Target.SAMPLE, job, timeout=timeout)
