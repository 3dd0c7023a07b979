"""Which cores the processes of a pair run on."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cmx_bench.cell import Setting

Cores: TypeAlias = list[int]

_SYSTEM = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, slots=True)
class Places:
    """Cores of a pair, drawn by lot: `shared` are those on which both sides have their turns, None
    where they need all; `apart` those of one side and of the other, None where there are too few.
    """

    shared: Cores | None
    apart: tuple[Cores, Cores] | None = None


def draw(setting: Setting, rng: random.Random, system: Path = _SYSTEM) -> Places:
    """The cores of a pair.

    Apart from each other are only whole cores, of which two hardware threads would share the
    arithmetic; and no process that computes on a GPU, which both would share.
    """
    free = usable()
    threads = setting.threads
    if threads is None or threads >= len(free):
        return Places(None)
    whole = _one_of_each(free, system)
    if setting.kind == "cuda" or len(whole) < 2 * threads:
        return Places(rng.sample(free, threads))
    cores = rng.sample(whole, 2 * threads)
    return Places(cores[:threads], (cores[:threads], cores[threads:]))


def usable() -> Cores:
    """The cores that this process may run on; none where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _one_of_each(cores: Iterable[int], system: Path) -> Cores:
    """A hardware thread of each core; none where the system does not tell which share one."""
    by_core: dict[str, int] = {}
    for core in cores:
        try:
            threads = (system / f"cpu{core}/topology/thread_siblings_list").read_text()
        except OSError:
            return []
        by_core.setdefault(threads.strip(), core)
    return [*by_core.values()]
