"""What a system says of its cores: their counters, their kind, how many are ours. Nothing here
loads torch."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/")
SYSTEM = Path("/sys/devices/system/cpu")
# These fields of /proc/cpuinfo tell CPUs apart. x86 has the first three; Arm has the others, and
# has no name.
CPU_FIELDS = (
    "cpu family", "model", "stepping", "CPU implementer", "CPU part", "CPU variant", "CPU revision",
)  # fmt: skip


def passed(stat: str) -> dict[str, int]:
    """What all cores together have done since the system started, from the text of /proc/stat:
    user nice system idle iowait irq softirq steal stand in its first line. Empty where it does
    not tell. The time of a guest is part of the user's.
    """
    name, *fields = stat.partition("\n")[0].split()[:9] or [""]
    if name != "cpu" or len(fields) < 8:
        return {}
    user, nice, system, idle, waiting, hard, soft, stolen = map(int, fields)
    busy, unused = user + nice + system + hard + soft, idle + waiting
    return {
        "jiffies": busy + unused + stolen,
        "busy_jiffies": busy,
        "idle_jiffies": unused,
        "stolen_jiffies": stolen,
    }


def system_text(path: Path) -> str:
    """The text of a file of the system; empty where there is none, or it may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def control_groups(root: Path = _ROOT) -> list[Path]:
    """The folders of this process's control group, and of those above it, whose limits on cores
    hold as well.

    In a container the group may be named as the host sees it, so that only the topmost is there.
    """
    folders: list[Path] = []
    for line in system_text(root / "proc/self/cgroup").splitlines():
        controllers, _, group = line.partition(":")[2].partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        own = top / group.strip("/")
        folders += [folder for folder in (own, *own.parents) if folder.is_relative_to(top)]
    return folders


def cores_of_affinity() -> int:
    """How many logical cores this process may run on."""
    return len(affinity()) or os.cpu_count() or 1


def affinity() -> list[int]:
    """The logical cores that this process may run on; none where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def whole_cores(threads: Iterable[int], system: Path) -> dict[str, list[int]]:
    """Which of these logical cores are hardware threads of one core, by what the system says of
    them; under "" those of which it says nothing.

    Args:
        system: `/sys/devices/system/cpu`.
    """
    cores: defaultdict[str, list[int]] = defaultdict(list)
    for thread in threads:
        siblings = system_text(system / f"cpu{thread}/topology/thread_siblings_list")
        cores[siblings.strip()].append(thread)
    return cores


def usable_whole_cores(system: Path = SYSTEM) -> int | None:
    """Of how many cores those are that this process may run on: two hardware threads of one core
    share its arithmetic. None where the system does not say."""
    cores = whole_cores(affinity(), system)
    return None if "" in cores else len(cores) or None


def usable_cores(root: Path = _ROOT) -> int:
    """As many logical cores as this process may use at a time: fewer than it may run on where a
    container has a limit (`--cpus 2`), for with more threads it is stopped again and again."""
    allowed: list[float] = [cores_of_affinity()]
    for group in control_groups(root):
        limit = system_text(group / "cpu.max").split() or [  # version 2, or 1
            system_text(group / f"cpu.cfs_{part}_us") for part in ("quota", "period")
        ]
        with suppress(ValueError):  # "max", or no file
            quota, period = map(int, limit)
            allowed += [quota / period] * (quota > 0)
    return max(1, int(min(allowed)))
