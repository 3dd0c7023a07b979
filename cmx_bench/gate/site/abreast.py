"""Tasks done by several processes at once, their results in the order of the tasks."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from cmx_bench.errors import CmxError
from cmx_bench.measures import jiffies
from cmx_bench.training.orphans import end_with_parent

_MOST = 8  # processes: each takes 300 MB, and they write to one disk
_Result = TypeVar("_Result")


def run_all(tasks: Sequence[Callable[[], _Result]]) -> Iterator[_Result]:
    """What each task gives, as soon as it and all before it are done.

    Raises:
        CmxError: a process was killed.
    """
    processes = min(len(tasks), jiffies.usable_cores(), _MOST)
    if processes < 2:
        yield from (task() for task in tasks)
        return
    pool = ProcessPoolExecutor(processes, get_context("spawn"), end_with_parent)
    # The processes inherit it: Ctrl-C is for the one that began them, which ends them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        futures = [pool.submit(task) for task in tasks]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        # Not `map`, which cancels each by itself when it is closed: where the processes are ended
        # then, CPython's own thread finds cancelled ones among those that it lost, and prints that.
        for future in futures:
            yield future.result()
    except BrokenProcessPool as error:
        raise CmxError(
            "a process that renders was killed (out of memory?); the same command goes on"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
