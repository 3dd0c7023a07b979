"""Times forward passes of one process: warms up until steady, then times blocks of equal length."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from cmx_bench.cell import Setting
from cmx_bench.measures import conditions, nvml
from cmx_bench.measures.conditions import Covariates, Reading
from cmx_bench.measures.forward import Forward

# By kind of device. A neighbour on the other half of a CPU's core comes and goes every 0.1 to 2 s:
# a longer block would seldom be all disturbed or all undisturbed. A GPU has no such neighbours, but
# idles between blocks while NVML and the system are asked.
BLOCK_SECONDS = {"cpu": 0.1, "cuda": 0.5}
BLOCKS = 8
EXTRA_BLOCKS = 16  # at most so many more in place of disturbed ones,
EXTRA_SECONDS = 3.0  # lasting about so long in all, as the warm-up foretells
MOST_TIMES = 5  # all blocks of a process last at most so many times as long as a quiet machine's
STEADY = 0.05  # the last three warm-up passes agree within this share of their median
WARM_UP_PASSES = 3
LAUNCHES = 5
# Threads rest that compute less than this share of a nap; beyond the most it is not their spinning.
RESTING, NAP_SECONDS, MOST_NAPS = 0.1, 0.005, 20
WARM_UP_SECONDS = (0.5, 5.0)  # clocks rise within half a second; some machines never settle
# Seconds of passes. NVML gives whole degrees. An H100 takes 30 to 60 s from cold; one that an
# earlier process has warmed takes little more than the first of these.
STEADY_HEAT, MOST_HEATING = 3.0, 60.0


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
    torch.cuda.synchronize()
    begin = record()
    for _ in range(passes):
        forward()
    return between(begin, record())


def launch_seconds(forward: Forward) -> float:
    """Seconds of the host for launching a pass while the current GPU has nothing else to do.

    In a block the host is soon so far ahead that launching waits for the GPU: there its time says
    nothing.
    """
    seconds = []
    for _ in range(LAUNCHES):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        forward()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def record() -> torch.cuda.Event:
    """An event in the current GPU's stream: that of the setting, see `forward.apply_flags`."""
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event


def between(begin: torch.cuda.Event, end: torch.cuda.Event) -> float:
    """Seconds from one event to another, once the GPU has come to it."""
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1000


def rest() -> None:
    """Waits until the threads of this process rest. A runtime's own spin for some milliseconds
    behind a pass, for another may follow, and whoever computes meanwhile lacks their cores."""
    for _ in range(MOST_NAPS):
        computed, begin = time.process_time(), time.perf_counter()
        time.sleep(NAP_SECONDS)
        if time.process_time() - computed < RESTING * (time.perf_counter() - begin):
            return


def sleep(cycles: int) -> None:
    """Keeps the current GPU busy for so many cycles of its clock, with a kernel that only waits."""
    torch.cuda._sleep(cycles)  # type: ignore[no-untyped-call]


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


def warm_through(block: Callable[[], float], setting: Setting) -> float | None:
    """Runs blocks until the GPU is no warmer than `STEADY_HEAT` before; returns their seconds.

    A cold GPU is faster than it stays. Each model warms it with its own passes: one that hardly
    uses it has to find it as cool as it leaves it. Nothing is run, and None returned, on a CPU and
    where NVML tells no temperature.

    Args:
        block: runs passes and returns their seconds.
    """
    degrees = nvml.celsius(setting.device) if setting.kind == "cuda" else None
    if degrees is None:
        return None
    spent, readings = 0.0, [(0.0, degrees)]
    while spent < MOST_HEATING:
        spent += block()
        degrees = nvml.celsius(setting.device) or degrees
        earlier = [then for at, then in readings if at <= spent - STEADY_HEAT]
        if earlier and degrees <= earlier[-1]:
            break
        readings.append((spent, degrees))
    return spent


def pass_seconds(passes: list[float]) -> float:
    """Seconds of a steady forward pass, by the last passes of the warm-up."""
    return statistics.median(passes[-WARM_UP_PASSES:])


def passes_a_block(seconds: float, kind: str) -> int:
    """How many forward passes of so many seconds last `BLOCK_SECONDS` of this kind of device."""
    return max(1, round(BLOCK_SECONDS[kind] / seconds))


def most_blocks(block_seconds: float) -> int:
    """How many blocks of about this length a process may take, those in place of disturbed ones
    included: known before the first, so that no block's time decides how many there are."""
    return BLOCKS + min(EXTRA_BLOCKS, int(EXTRA_SECONDS / block_seconds))


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks in the order in which they were timed: how many passes each has, the seconds that
    its parts took (the phases of a training step; of inference there is one), the conditions."""

    passes: list[int]
    parts: list[tuple[float, ...]]
    conditions: list[Covariates]

    def rates(self) -> list[float]:
        """Passes a second of each block."""
        return [n / sum(parts) for n, parts in zip(self.passes, self.parts, strict=True)]


def take_blocks(
    block: Callable[[int], tuple[float, ...]],
    look: Callable[[], Reading],
    one_pass: float,
    kind: str,
) -> Blocks:
    """Times blocks until `BLOCKS` of them are undisturbed, or as many are taken as may be.

    The pace of a block decides how many passes the next one has: a neighbour may make a small
    network a hundred times slower, in the warm-up as well. A block that turns out less than half as
    long as it should be is not kept: what the probe before it left in the caches is too much of it.

    Args:
        block: the seconds of so many passes in a row, by their parts.
        one_pass: the seconds of a pass, by the warm-up.
    """
    count = passes_a_block(one_pass, kind)
    most, longest = most_blocks(count * one_pass), MOST_TIMES * BLOCKS * count * one_pass
    blocks, readings, spent = Blocks([], [], []), [look()], 0.0
    for left in reversed(range(most)):
        parts = block(count)
        reading = look()
        passes, count = count, passes_a_block(sum(parts) / count, kind)
        if count > 2 * passes and left > conditions.FEWEST_KEPT:
            readings[-1] = reading
            continue
        blocks.passes.append(passes)
        blocks.parts.append(parts)
        readings.append(reading)
        blocks.conditions[:] = conditions.compare(blocks.rates(), conditions.covariates(readings))
        spent += sum(parts)
        undisturbed = sum(not conditions.is_disturbed(block) for block in blocks.conditions)
        enough = len(blocks.passes) >= conditions.FEWEST_KEPT and spent > longest
        if undisturbed >= BLOCKS or enough:
            break
    return blocks
