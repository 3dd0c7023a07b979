"""Reads the state of the system at one moment: counters of cores, limits and heat, and a probe."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import torch

from cmx_bench.cell import Setting
from cmx_bench.measures import jiffies, nvml
from cmx_bench.measures.conditions import Reading
from cmx_bench.measures.jiffies import system_text
from cmx_bench.measures.timing import between, record, rest, sleep

# Spinning for about a millisecond: long beside an event's half microsecond. That a clock which the
# block's power held down stays down so long was not tried on a GPU yet.
_SPIN_CYCLES = 2_000_000

# Products of matrices that fit into a core's own cache, over and over for about so long. A probe of
# 90 µs tells slow blocks from others little better than a coin: see tests/bench/README.md.
PROBE_SIZE = 256
PROBE_SECONDS = 0.01


def look_for(setting: Setting) -> Callable[[], Reading]:
    """What reads the conditions of this process, to be called before and after each block."""
    system = _system()
    if setting.kind == "cuda":
        spin = _spin(nvml.reader(setting.device))
        return lambda: {**spin(), **system()}  # the GPU first: once it idles its clock is another
    probe = _probe() if setting.runtime == "torch" else _alone(_probe())
    return _without(probe, system)


def _spin(read: Callable[[], Reading]) -> Callable[[], Reading]:
    """Times a kernel that spins for so many cycles of the GPU's clock, and reads NVML meanwhile."""

    def spin() -> Reading:
        sleep(_SPIN_CYCLES // 10)  # behind it what is timed waits for no launch
        begin = record()
        sleep(_SPIN_CYCLES)
        end = record()
        reading = read()
        seconds = between(begin, end)
        return {**reading, "probe": seconds, "gpu_sm_clock": _SPIN_CYCLES / seconds}

    return spin


def _probe() -> Callable[[], Reading]:
    """Times products of matrices in the setting's threads: about as long as some passes of a small
    model, and long enough to meet what comes and goes within milliseconds."""
    left, right, product = (
        torch.ones(PROBE_SIZE, PROBE_SIZE, dtype=torch.float32, device="cpu") for _ in range(3)
    )

    def multiply(times: int) -> float:
        begin = time.perf_counter()
        for _ in range(times):
            torch.mm(left, right, out=product)
        return (time.perf_counter() - begin) / times

    times = max(1, round(PROBE_SECONDS / min(multiply(1) for _ in range(5))))
    return lambda: {"probe": multiply(times)}


def _without(probe: Callable[[], Reading], system: Callable[[], Reading]) -> Callable[[], Reading]:
    """Reads the system behind a block, then probes: what passes meanwhile is in no counter, so that
    from a reading to the next they count the block between them."""
    probing: defaultdict[str, float] = defaultdict(float)

    def look() -> Reading:
        behind = system()
        counters = {name: value - probing[name] for name, value in behind.items()}
        probed = probe()
        for name, value in system().items():
            probing[name] += value - behind.get(name, value)
        return {**counters, **probed}

    return look


def _alone(probe: Callable[[], Reading]) -> Callable[[], Reading]:
    """A probe beside the threads of a runtime: torch's own are others, and wait for the cores on
    which those still spin, as the next block would for torch's."""

    def alone() -> Reading:
        rest()
        reading = probe()
        rest()
        return reading

    return alone


_UNITS = {"throttled_usec": 1e-6, "throttled_time": 1e-9}  # cgroup v2, v1


def _system(root: Path = Path("/")) -> Callable[[], Reading]:
    """Reads the system's counters; which files there are is found out once.

    What threads of this process were ready for and had no core is schedstat's second number, in
    nanoseconds.
    """
    stat, threads = root / "proc/stat", root / "proc/self/task"
    groups = jiffies.control_groups(root)
    limits = [file for group in groups if (file := group / "cpu.stat").is_file()]
    heat = sorted(root.glob("sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count"))

    def read() -> Reading:
        reading = {"clock": time.monotonic(), "own_seconds": time.process_time()}
        reading |= jiffies.passed(system_text(stat))
        texts = [system_text(file).split() for file in threads.glob("*/schedstat")]
        # A thread that ends in between takes its own along: never below zero.
        if waits := [int(numbers[1]) for numbers in texts if len(numbers) > 1]:
            reading["waited"] = sum(waits) * 1e-9
        lines = [line.partition(" ") for file in limits for line in system_text(file).splitlines()]
        if stops := [int(value) * _UNITS[name] for name, _, value in lines if name in _UNITS]:
            reading["throttled"] = sum(stops)
        if counts := [int(text) for file in heat if (text := system_text(file).strip())]:
            reading["thermal_throttles"] = sum(counts)
        return reading

    return read
