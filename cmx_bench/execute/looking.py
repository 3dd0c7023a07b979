"""Watches the load of other processes, and steal, while this process waits for something anyway."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from cmx_bench.measures import jiffies
from cmx_bench.results.neighbours import Neighbours

# A shorter look would count jiffies of 10 ms.
_FEWEST_SECONDS = 1.0
_STAT = Path("/proc/stat")
_OURS = ("user", "system", "children_user", "children_system")


def watch() -> Callable[[int], Neighbours | None]:
    """Begins a look; what is called later, with the number of cores that this process may use,
    gives what was seen since, None for less than a second, or where the system does not tell.

    What this process, its children and theirs compute meanwhile is their own.
    """
    begin, first = time.monotonic(), _moment()

    def look(usable: int) -> Neighbours | None:
        seconds, last = time.monotonic() - begin, _moment()
        if seconds < _FEWEST_SECONDS or first is None or last is None:
            return None
        (before, ours_before), (after, ours) = first, last
        passed = {name: after[name] - before[name] for name in after}
        busy = passed["busy_jiffies"] / os.sysconf("SC_CLK_TCK") - (ours - ours_before)
        return Neighbours(
            seconds=round(seconds, 3),
            cores=os.cpu_count() or 1,
            usable=usable,
            busy=round(max(0.0, busy) / seconds, 3),
            steal=round(passed["stolen_jiffies"] / max(passed["jiffies"], 1), 5),
        )

    return look


def _moment() -> tuple[Mapping[str, int], float] | None:
    """The counters of all cores, and seconds of `_ours`; None without /proc, where psutil fails in
    whatever way."""
    counted = jiffies.passed(jiffies.system_text(_STAT))
    try:
        return (counted, _ours()) if counted else None
    except (OSError, LookupError, TypeError, ValueError, psutil.Error):
        return None


def _ours() -> float:
    """Seconds of all cores that this process and those below it have computed, ended ones too."""
    this = psutil.Process()
    seconds = 0.0
    for process in (this, *this.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:  # it has ended meanwhile: its time is that of its parent now
            continue
        seconds += sum(getattr(times, name, 0.0) for name in _OURS)
    return seconds
