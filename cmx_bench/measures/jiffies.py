"""Reads the counters of a system's cores. Nothing here loads torch."""

from __future__ import annotations

from pathlib import Path


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
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
