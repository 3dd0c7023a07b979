"""Timing one process's forward passes: warm up until steady, then blocks of equal length."""

from __future__ import annotations

import statistics
import time

import torch

from cmx_bench.measures.forward import Forward

# A block of half a second is long against the scheduler's slices and short against drift.
BLOCK_SECONDS = 0.5
BLOCKS = 5
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


def warm_up(forward: Forward, device: str) -> list[float]:
    """Runs until the last `WARM_UP_PASSES` passes agree, within the bounds of `WARM_UP_SECONDS`.

    Returns the seconds of each pass; the first holds compilation and allocation, and counts
    neither as steady nor as time spent.
    """
    passes = [elapsed(forward, 1, device)]
    least, most = WARM_UP_SECONDS
    while True:
        passes.append(elapsed(forward, 1, device))
        last, spent = passes[-WARM_UP_PASSES:], sum(passes[1:])
        if len(passes) <= WARM_UP_PASSES or spent < least:
            continue
        if max(last) - min(last) <= STEADY * statistics.median(last) or spent > most:
            return passes


def passes_a_block(passes: list[float]) -> int:
    """How many forward passes last `BLOCK_SECONDS`, by the last passes of the warm-up."""
    one = statistics.median(passes[-WARM_UP_PASSES:])
    return max(1, round(BLOCK_SECONDS / one))
