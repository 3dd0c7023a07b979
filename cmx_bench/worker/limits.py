"""The limits of this process (ulimit) and of memory, which explain many a failure."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

_FEW_FILES = 256
_LEAST_MEMORY = 10**9  # bytes; with less of them libraries in C end commands, or hang
# As bash's `ulimit` names them, with the bytes or seconds that it counts by.
_LIMITS = (
    ("-v", resource.RLIMIT_AS, 1024),
    ("-d", resource.RLIMIT_DATA, 1024),
    ("-t", resource.RLIMIT_CPU, 1),
    ("-f", resource.RLIMIT_FSIZE, 1024),
    ("-n", resource.RLIMIT_NOFILE, 1),
)


def describe(otherwise: str = "") -> str:
    """` (ulimit -v 3000000)`: those that few have; `otherwise` where there is none."""
    found = [
        f"ulimit {option} {limit // unit}"
        for option, which, unit in _LIMITS
        if (limit := resource.getrlimit(which)[0]) != resource.RLIM_INFINITY
        and (option != "-n" or limit < _FEW_FILES)
    ]
    return f" ({', '.join(found)})" if found else otherwise


def _oom_kills() -> str | None:
    """The line in which Linux counts what it killed for want of memory; None elsewhere."""
    with suppress(OSError):
        counters = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
        return next((line for line in counters if line.startswith("oom_kill ")), None)
    return None


_BEFORE = _oom_kills()


def may_lack_memory() -> bool:
    """Whether memory may have run out since this command began."""
    return bool(describe()) or _BEFORE is None or _oom_kills() != _BEFORE


def refuse_narrow() -> None:
    """Refuses limits under which no command can work.

    Raises:
        MemoryError: there is too little of it.
    """
    for which in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        if resource.RLIM_INFINITY != resource.getrlimit(which)[0] < _LEAST_MEMORY:
            raise MemoryError(f"too little memory{describe()}; allow 1 GB, and more to measure")
