"""Warms a GPU up to its steady temperature. A cold GPU is faster than it stays."""

from __future__ import annotations

from collections.abc import Callable

from cmx_bench.cell import Setting
from cmx_bench.measures import nvml

# NVML gives whole degrees. An H100 takes 30 to 60 s from cold; one that an earlier process has
# warmed takes little more than the first of these.
STEADY_SECONDS = 3.0
MOST_SECONDS = 60.0


def warm_through(block: Callable[[], float], setting: Setting) -> float | None:
    """Runs blocks until the GPU is no warmer than `STEADY_SECONDS` before; returns their seconds.

    Each model warms the GPU with its own passes: one that hardly uses it has to find it as cool as
    it leaves it. Nothing is run, and None returned, on a CPU and where NVML tells no temperature.

    Args:
        block: runs passes and returns their seconds.
    """
    degrees = nvml.celsius(setting.device) if setting.kind == "cuda" else None
    if degrees is None:
        return None
    spent, readings = 0.0, [(0.0, degrees)]
    while spent < MOST_SECONDS:
        spent += block()
        degrees = nvml.celsius(setting.device) or degrees
        earlier = [then for at, then in readings if at <= spent - STEADY_SECONDS]
        if earlier and degrees <= earlier[-1]:
            break
        readings.append((spent, degrees))
    return spent
