"""Joules an image: what the device's energy counter says of ten seconds of forward passes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import torch

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import SkipError
from cmx_bench.measures import Watched, nvml
from cmx_bench.measures.conditions import covariates, judge
from cmx_bench.measures.jiffies import system_text
from cmx_bench.measures.probes import look_for
from cmx_bench.measures.ready import prepare
from cmx_bench.measures.timing import (
    elapsed,
    pass_seconds,
    passes_a_block,
    warm_through,
    warm_up,
)

# NVML's counter moves every 20 to 100 ms, as GPUs differ: a hundredth of this at most.
SECONDS = 10.0
IDLE_SECONDS = 3.0

# Begins to count; what it gives says the joules since.
Meter: TypeAlias = Callable[[], Callable[[], float]]


def measure(model: Model, setting: Setting) -> Watched:
    """One sample: joules over images, those that the device uses while it idles included.

    Raises:
        SkipError: nobody counts the device's energy, or this user may not read it.
    """
    meter = gpu_meter(setting.device) if setting.kind == "cuda" else cpu_meter()
    torch.zeros(1, device=setting.device)  # a GPU that a process holds idles at a higher clock
    begin, used = time.perf_counter(), meter()
    time.sleep(IDLE_SECONDS)
    idle = used() / (time.perf_counter() - begin)
    ready = prepare(model, setting)
    forward = ready.forward
    look = look_for(setting)
    count = passes_a_block(pass_seconds(warm_up(forward, setting.device)), setting.kind)
    block = partial(elapsed, forward, count, setting.device)
    warm_through(block, setting)
    before = look()
    used, passes, seconds = meter(), 0, 0.0
    while seconds < SECONDS:
        seconds += block()
        passes += count
    joules = used() / (passes * setting.batch_size)
    [seen] = covariates([before, look()])
    # Without a probe no report judges it anew by the pace of other processes: joules are no pace.
    causes = {name: value for name, value in seen.items() if name != "probe"}
    watched = judge({"energy": [joules], "idle_power": [idle]}, [causes])
    return dataclasses.replace(watched, details=ready.details)


def gpu_meter(device: str) -> Meter:
    """Counts what the whole GPU uses, by NVML.

    Raises:
        SkipError: NVML is missing, or does not count.
    """

    def read() -> float:
        joules = nvml.joules(device)
        if joules is None:
            raise SkipError(
                "NVML does not report the energy of this GPU: pip install 'cmx-bench[nvidia]', on "
                "a whole GPU of compute capability 7.0 or more"
            )
        return joules

    def begin() -> Callable[[], float]:
        before = read()
        return lambda: read() - before

    read()
    return begin


def cpu_meter(root: Path = Path("/sys/class/powercap")) -> Meter:
    """Counts what all packages use, by RAPL, as Linux shows it for Intel's and AMD's processors.

    Zones inside a package, such as its cores, are part of it; memory modules are not counted. The
    counters begin anew at a size of their own, at full load after some minutes at the earliest.

    Raises:
        SkipError: there is no counter, or this user may not read it.
    """
    packages = [
        zone
        for zone in sorted(root.glob("intel-rapl:*"))
        if system_text(zone / "name").startswith("package")
    ]
    if not packages:
        raise SkipError(
            f"the system counts no energy of its processor under {root}: measure on a machine that "
            f"does; virtual ones seldom do"
        )

    def read(name: str = "energy_uj") -> list[int]:
        return [int((zone / name).read_text()) for zone in packages]

    def begin() -> Callable[[], float]:
        before = read()
        return lambda: (
            1e-6
            * sum(
                (now - then) % size for now, then, size in zip(read(), before, sizes, strict=True)
            )
        )

    try:
        sizes = read("max_energy_range_uj")
        read()
    except PermissionError:
        raise SkipError(
            f"only root may read the energy counter: sudo chmod a+r {root}/intel-rapl:*/energy_uj"
        ) from None
    except (OSError, ValueError) as error:
        raise SkipError(f"the energy counter under {root} cannot be read ({error}): measure on a "
                        f"machine where it can") from None  # fmt: skip
    return begin
