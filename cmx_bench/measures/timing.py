"""Timing one process's forward passes: warm up until steady, then blocks of equal length."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from cmx_bench.measures import conditions
from cmx_bench.measures.conditions import Covariates, Reading
from cmx_bench.measures.forward import Forward

# By kind of device. A neighbour on the other half of a CPU's core comes and goes every 0.1 to 2 s:
# a longer block would seldom be all disturbed or all undisturbed. A GPU has no such neighbours, but
# NVML is asked between blocks, while it idles.
BLOCK_SECONDS = {"cpu": 0.1, "cuda": 0.5}
BLOCKS = 8
EXTRA_BLOCKS = 16  # at most so many more in place of disturbed ones,
EXTRA_SECONDS = 3.0  # lasting about so long in all, as the warm-up foretells
STEADY = 0.05  # the last three warm-up passes agree within this share of their median
WARM_UP_PASSES = 3
WARM_UP_SECONDS = (0.5, 5.0)  # clocks rise within half a second; some machines never settle


def elapsed(forward: Forward, passes: int, device: str) -> float:
    """Seconds for `passes` back-to-back forward passes, with one synchronisation at the end.

    On CUDA between two events in the stream, so that launching ahead is part of what is measured
    and the wait is not; on a CPU by the wall clock.
    """
    if not device.startswith("cuda"):
        start = time.perf_counter()
        for _ in range(passes):
            forward()
        return time.perf_counter() - start
    with torch.cuda.device(device):
        begin, end = (
            torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            for _ in range(2)
        )
        torch.cuda.synchronize()
        begin.record()
        for _ in range(passes):
            forward()
        end.record()
        end.synchronize()
    return float(begin.elapsed_time(end)) / 1000


def warm_up(
    forward: Forward, device: str, bounds: tuple[float, float] = WARM_UP_SECONDS
) -> list[float]:
    """Runs until the last `WARM_UP_PASSES` passes agree, for as long as `bounds` allow.

    Returns the seconds of each pass; the first holds compilation and allocation, and counts
    neither as steady nor as time spent.

    Args:
        bounds: the least and the most seconds of passes. One pass may go beyond the most, and
            `WARM_UP_PASSES` after the first are taken in any case.
    """
    passes = [elapsed(forward, 1, device)]
    least, most = bounds
    while True:
        passes.append(elapsed(forward, 1, device))
        last, spent = passes[-WARM_UP_PASSES:], sum(passes[1:])
        if len(passes) <= WARM_UP_PASSES or spent < least:
            continue
        if max(last) - min(last) <= STEADY * statistics.median(last) or spent > most:
            return passes


def pass_seconds(passes: list[float]) -> float:
    """Seconds of a steady forward pass, by the last passes of the warm-up."""
    return statistics.median(passes[-WARM_UP_PASSES:])


def passes_a_block(passes: list[float], kind: str) -> int:
    """How many forward passes, after this warm-up, last `BLOCK_SECONDS` of this kind of device."""
    return max(1, round(BLOCK_SECONDS[kind] / pass_seconds(passes)))


def most_blocks(block_seconds: float) -> int:
    """How many blocks of about this length a process may take, those in place of disturbed ones
    included: known before the first, so that no block's time decides how many there are."""
    return BLOCKS + min(EXTRA_BLOCKS, int(EXTRA_SECONDS / block_seconds))


def take_blocks(
    block: Callable[[], float], look: Callable[[], Reading], most: int
) -> tuple[list[float], list[Covariates]]:
    """Times blocks until `BLOCKS` of them are undisturbed, or `most` are taken.

    Returns the seconds of every block taken, and the conditions it was taken under.
    """
    seconds: list[float] = []
    readings = [look()]
    while True:
        seconds.append(block())
        readings.append(look())
        seen = conditions.covariates(readings)
        if sum(not conditions.disturbed(one) for one in seen) >= BLOCKS or len(seen) >= most:
            return seconds, seen
