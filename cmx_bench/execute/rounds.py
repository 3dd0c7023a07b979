"""Executes cells on this machine, each in a fresh process, each round from a fresh interpreter.

Processes forked from one server have its addresses and hash seeds in common: a constant of the
server, up to 1.3 % for ConvMixer, that replicates forked from it can not show. A server a round is
the cheapest start that can; see tests/bench/README.md.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, groupby

from cmx_bench.errors import CmxError
from cmx_bench.execute import servers
from cmx_bench.execute.job import Job, Outcome
from cmx_bench.execute.local import ProcessError
from cmx_bench.execute.servers import Server

_TARGET = "cmx_bench.execute.worker:execute"


def execute(jobs: Iterable[Job], timeout: float) -> Iterator[tuple[Job, Outcome]]:
    """Each job with its outcome, as it ends; the next job is asked for only then.

    A process that dies, or lives longer than `timeout` seconds, gives a failed outcome.
    """
    for _, group in groupby(jobs, key=lambda job: job.replicate):
        first = next(group)
        with servers.opened(sys.executable, sys.executable, first.log) as server:
            servers.await_ready(server)
            for job in chain([first], group):
                begin = time.monotonic()
                outcome = _outcome(server, job, timeout)
                yield job, replace(outcome, elapsed=time.monotonic() - begin)


def _outcome(server: Server, job: Job, timeout: float) -> Outcome:
    with servers.process(server, "cmx_bench.execute.local:answer", _TARGET, (job,)) as pipe:
        try:
            outcome = servers.receive(server, pipe, timeout)
        except ProcessError as error:
            batch = job.cell.setting.batch_size
            return Outcome({}, f"the process {error}, at batch {batch}", {})
    if isinstance(outcome, CmxError):
        raise outcome
    assert isinstance(outcome, Outcome)
    return outcome
