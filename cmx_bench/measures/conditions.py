"""The conditions under which a block was timed, and the rule that discards blocks by them alone.

What is recorded of each block, as far as the system tells; what cannot be read is left out:

- `steal`: share of all cores' time that the hypervisor gave to others
- `foreign_load`: cores that other processes kept busy, over the block's mean
- `throttled`: seconds for which a limit of the control group stopped this process
- `thermal_throttles`: times that a core was throttled for its heat
- `probe`: seconds of a small matrix product in the setting's threads, the slower of two, one
  before and one after the block; on CPUs only
- `core_speed`: the process's fastest probe over the block's, 1 where nothing slowed the cores
- `gpu_sm_clock`: the GPU's clock at the end of the block, in Hz
- `gpu_clock_reasons`: what held that clock back before or after, as NVML's bitmask
- `gpu_foreign_processes`: processes that compute on the GPU beside this one
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from cmx_bench.cell import Setting
from cmx_bench.measures import Watched

# What the system says at one moment, and what that makes of the block between two moments.
Reading: TypeAlias = Mapping[str, float]
Covariates: TypeAlias = Mapping[str, float]

# A hundredth of the time stolen makes a block about a hundredth longer, half of the ± 2 % that one
# asks for. On up to ten cores a single jiffy of 10 ms in a block of 0.1 s is more.
MOST_STEAL = 0.01
# A neighbour on the other half of a core makes the probe 1.6 to 2.4 times as long, and probes that
# nobody disturbs agree within 2 %. Medians over passes between probes within 1.1 of the best
# agreed between processes to 2 to 4 %, over all passes to 15 to 25 % (two shared cores).
LEAST_CORE_SPEED = 1 / 1.1
# Counted in jiffies of 10 ms: over a block of 0.1 s it is a fifth of a core uncertain.
MOST_FOREIGN_LOAD = 0.5
# From nvml.h: hardware slowdown, thermal slowdown by software and by hardware, power brake. Not
# among them are idling, set clocks and the power cap: so runs a healthy GPU at full load.
HARMFUL_CLOCK_REASONS = 0x08 | 0x20 | 0x40 | 0x80
# With fewer undisturbed blocks, the least disturbed fill up: a median needs three.
FEWEST_KEPT = 3


def disturbed(covariates: Covariates) -> bool:
    """Whether a block is to be discarded: by its conditions, never by what it measured."""
    return (
        covariates.get("steal", 0) > MOST_STEAL
        or covariates.get("foreign_load", 0) > MOST_FOREIGN_LOAD
        or covariates.get("throttled", 0) > 0
        or covariates.get("thermal_throttles", 0) > 0
        or covariates.get("core_speed", 1) < LEAST_CORE_SPEED
        or int(covariates.get("gpu_clock_reasons", 0)) & HARMFUL_CLOCK_REASONS != 0
        or covariates.get("gpu_foreign_processes", 0) > 0
    )


def kept(blocks: Sequence[Covariates]) -> list[bool]:
    """Which blocks count: the undisturbed, filled up with the least disturbed to `FEWEST_KEPT`."""
    order = sorted(
        range(len(blocks)),
        key=lambda place: (disturbed(blocks[place]), -blocks[place].get("core_speed", 1)),
    )
    undisturbed = sum(not disturbed(block) for block in blocks)
    counting = set(order[: max(undisturbed, FEWEST_KEPT)])
    return [place in counting for place in range(len(blocks))]


def judged(metric: str, samples: Sequence[float], blocks: Sequence[Covariates]) -> Watched:
    """The samples of a metric, one a block, split by `kept`; covariates that all blocks have.

    Beside them stand `disturbed`, the rule's judgement, and `discarded`, what followed: a process
    that had to keep disturbed blocks shows in the two.
    """
    counts = kept(blocks)
    names = [name for name in blocks[0] if all(name in block for block in blocks)]
    found = {name: [float(block[name]) for block in blocks] for name in names}
    found["disturbed"] = [float(disturbed(block)) for block in blocks]
    found["discarded"] = [float(not counted) for counted in counts]
    values = [sample for sample, counted in zip(samples, counts, strict=True) if counted]
    thrown = [sample for sample, counted in zip(samples, counts, strict=True) if not counted]
    return Watched({metric: values}, found, {metric: thrown} if thrown else {})


# --- from readings to covariates ------------------------------------------------------------------


def covariates(readings: Sequence[Reading]) -> list[Covariates]:
    """The conditions of each block, from the readings before, between and after the blocks.

    The best probe may come late, so that all blocks are judged anew by all probes.
    """
    best = min((reading["probe"] for reading in readings if "probe" in reading), default=0.0)
    return [dict(_between(before, after, best)) for before, after in pairwise(readings)]


def _between(before: Reading, after: Reading, best: float) -> Iterator[tuple[str, float]]:
    both = before.keys() & after.keys()
    passed = {name: after[name] - before[name] for name in both}
    if "stolen_jiffies" in both:
        yield "steal", passed["stolen_jiffies"] / max(1.0, passed["jiffies"])
        foreign = passed["busy_jiffies"] / os.sysconf("SC_CLK_TCK") - passed["own_seconds"]
        yield "foreign_load", max(0.0, foreign / passed["clock"])
    for name in ("throttled", "thermal_throttles"):
        if name in both:
            yield name, passed[name]
    if "probe" in both:
        slower = max(before["probe"], after["probe"])
        yield "probe", slower
        yield "core_speed", best / slower
    if "gpu_sm_clock" in after:  # before the first block the GPU was idle
        yield "gpu_sm_clock", after["gpu_sm_clock"]
    if "gpu_clock_reasons" in both:
        name = "gpu_clock_reasons"
        yield name, int(before[name]) | int(after[name])
    if "gpu_foreign_processes" in both:
        name = "gpu_foreign_processes"
        yield name, max(before[name], after[name])


# --- readings -------------------------------------------------------------------------------------


def look_for(setting: Setting) -> Callable[[], Reading]:
    """What reads the conditions of this process, to be called before and after each block."""
    system = _system()
    last = _gpu(setting.device) if setting.kind == "cuda" else _probe()

    def look() -> Reading:
        return {**system(), **last()}  # the probe last: the next block follows it at once

    return look


def _probe() -> Callable[[], Reading]:
    """Times three products of 160 × 160 matrices: 0.2 ms on an undisturbed core."""
    import torch

    left, right, product = (torch.ones(160, 160, dtype=torch.float32, device="cpu") for _ in "abc")

    def multiply() -> None:
        torch.mm(left, right, out=product)

    def probe() -> Reading:
        multiply()  # untimed: brings the matrices back into the cache that a block has filled
        begin = time.perf_counter()
        for _ in range(3):
            multiply()
        return {"probe": time.perf_counter() - begin}

    return probe


def _system(root: Path = Path("/")) -> Callable[[], Reading]:
    """Reads the system's counters; which files there are is found out once."""
    stat = root / "proc/stat"
    limits = _limit_files(root)
    heat = sorted(root.glob("sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count"))

    def read() -> Reading:
        clock = {"clock": time.monotonic(), "own_seconds": time.process_time()}
        return {**clock, **_cores(_text(stat)), **_limits(limits), **_heat(heat)}

    return read


def _cores(stat: str) -> Reading:
    """The first line of /proc/stat: user nice system idle iowait irq softirq steal, in jiffies."""
    name, *fields = stat.partition("\n")[0].split()[:9] or [""]
    if name != "cpu" or len(fields) < 8:
        return {}
    user, nice, system, idle, waiting, hard, soft, stolen = map(int, fields)
    busy = user + nice + system + hard + soft
    total = busy + idle + waiting + stolen
    return {"jiffies": total, "busy_jiffies": busy, "stolen_jiffies": stolen}


_LIMIT_UNITS = {"throttled_usec": 1e-6, "throttled_time": 1e-9}  # cgroup v2, v1


def _limit_files(root: Path) -> list[Path]:
    """cpu.stat of this process's control group and of those above it, whose limits hold as well.

    In a container the group may be named as the host sees it, so that only the topmost is there.
    """
    files: list[Path] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        controllers, _, group = line.partition(":")[2].partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        own = top / group.strip("/")
        folders = (own, *own.parents)
        files += [folder / "cpu.stat" for folder in folders if folder.is_relative_to(top)]
    return [file for file in files if file.is_file()]


def _limits(files: Sequence[Path]) -> Reading:
    found = [
        int(value) * _LIMIT_UNITS[name]
        for file in files
        for name, _, value in (line.partition(" ") for line in _text(file).splitlines())
        if name in _LIMIT_UNITS
    ]
    return {"throttled": sum(found)} if found else {}


def _heat(files: Sequence[Path]) -> Reading:
    counts = [int(text) for file in files if (text := _text(file).strip())]
    return {"thermal_throttles": sum(counts)} if counts else {}


def _text(path: Path) -> str:
    """A file's text; empty where there is no such file, or it may not be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _gpu(device: str) -> Callable[[], Reading]:
    """Reads a GPU's clock and company; nothing without nvidia-ml-py or with a silent driver."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return dict
    import torch

    uuid = str(torch.cuda.get_device_properties(device).uuid).removeprefix("GPU-")
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except nvml.NVMLError:
        return dict
    return lambda: gpu_reading(nvml, handle)


# The driver's older name for the same; the newer one came with nvidia-ml-py 12.535.
_CLOCK_REASONS = (
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
)


def gpu_reading(nvml: ModuleType, handle: object) -> Reading:
    """What NVML tells of a GPU on which this process computes.

    Processes are only counted: in a container NVML may give the host's process numbers, among which
    ours is unknown, but one of those listed is this process. An empty list, which some containers
    get, therefore tells nothing.
    """
    reading: dict[str, float] = {}
    with suppress(nvml.NVMLError):
        reading["gpu_sm_clock"] = 1e6 * nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)
    for name in _CLOCK_REASONS:
        with suppress(nvml.NVMLError, AttributeError):
            reading["gpu_clock_reasons"] = getattr(nvml, name)(handle)
            break
    with suppress(nvml.NVMLError):
        if numbers := {one.pid for one in nvml.nvmlDeviceGetComputeRunningProcesses(handle)}:
            reading["gpu_foreign_processes"] = len(numbers) - 1
    return reading
