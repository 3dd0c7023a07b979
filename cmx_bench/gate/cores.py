"""Which cores the processes of a pair run on."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cmx_bench.cell import Setting
from cmx_bench.measures import jiffies

Cores: TypeAlias = list[int]


@dataclass(frozen=True, slots=True)
class PairCores:
    """Cores of a pair, drawn by lot: `shared` are those on which both sides have their turns, None
    where they need all; `apart` those of one side and of the other, None where there are too few.
    """

    shared: Cores | None
    apart: tuple[Cores, Cores] | None = None


def draw(setting: Setting, rng: random.Random, system: Path = jiffies.SYSTEM) -> PairCores:
    """The cores of a pair.

    Apart from each other are only whole cores, of which two hardware threads would share the
    arithmetic; and no process that computes on a GPU, which both would share.
    """
    free = jiffies.affinity()
    threads = setting.threads
    if threads is None or threads >= len(free):
        return PairCores(None)
    by_core = jiffies.whole_cores(free, system)
    whole = [] if "" in by_core else [threads[0] for threads in by_core.values()]
    if setting.kind == "cuda" or len(whole) < 2 * threads:
        return PairCores(rng.sample(free, threads))
    cores = rng.sample(whole, 2 * threads)
    return PairCores(cores[:threads], (cores[:threads], cores[threads:]))
