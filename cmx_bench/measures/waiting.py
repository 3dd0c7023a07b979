"""A stopwatch that stops while other processes have the core that this thread needs.

Beside a neighbour in the same system a pass of 20 ms is interrupted for some milliseconds now and
then, which moves the wall's time by more than most changes do: see tests/bench/README.md. What a
hypervisor takes is not seen here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

_SCHEDSTAT = "/proc/thread-self/schedstat"


@dataclass(frozen=True, slots=True)
class Moment:
    """Seconds of the wall; those for which this thread was ready and had no core so far; and those
    that other threads of this process have computed."""

    wall: float
    waited: float
    beside: float


def seconds(begin: Moment, end: Moment) -> float:
    """Seconds from one moment to another, less those for which others had this thread's core.

    For what other threads of this process computed meanwhile the thread may have waited as well:
    that is part of the work, and so much stays.
    """
    waited, beside = end.waited - begin.waited, max(0.0, end.beside - begin.beside)
    return end.wall - begin.wall - max(0.0, waited - beside)


def stopwatch(schedstat: str = _SCHEDSTAT) -> Callable[[], Moment]:
    """What reads the moment, for the thread that calls this. Where the system does not count
    waiting, none is taken off."""
    try:
        waited = _reader(os.open(schedstat, os.O_RDONLY | os.O_CLOEXEC))
        waited()
    except (OSError, ValueError, IndexError):
        waited = float

    def now() -> Moment:
        while True:  # until nothing was waited for between the clocks
            before = waited()
            beside = time.process_time() - time.thread_time()
            moment = Moment(time.perf_counter(), before, beside)
            if waited() == before:
                return moment

    return now


def _reader(descriptor: int) -> Callable[[], float]:
    """Seconds, from the second number of schedstat, in nanoseconds."""
    return lambda: int(os.pread(descriptor, 64, 0).split()[1]) * 1e-9
