"""Watches the load of other processes, and steal, while this process waits for something anyway."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psutil

from cmx_bench.results.neighbours import Neighbours

# A shorter look would count jiffies of 10 ms.
_FEWEST_SECONDS = 1.0
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
        passed = {
            name: getattr(after, name) - getattr(before, name)
            for name in after._fields
            if not name.startswith("guest")  # is part of user and nice
        }
        total = sum(passed.values())
        stolen = passed.get("steal", 0.0)
        idle = passed["idle"] + passed.get("iowait", 0.0)
        others = total - idle - stolen - (ours - ours_before)
        return Neighbours(
            seconds=round(seconds, 3),
            cores=psutil.cpu_count() or 1,
            usable=usable,
            busy=round(max(0.0, others) / seconds, 3),
            steal=round(max(0.0, stolen) / max(total, 1e-9), 5),
        )

    return look


def _moment() -> tuple[Any, float] | None:
    """The counters of all cores, and seconds of `_ours`; None without /proc, where psutil fails in
    whatever way."""
    try:
        return psutil.cpu_times(), _ours()
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
