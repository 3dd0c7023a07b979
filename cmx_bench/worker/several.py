"""The devices of this machine that measure side by side, each with its share of the cores."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path

from cmx_bench.errors import PlanError
from cmx_bench.measures import jiffies
from cmx_bench.results import environment
from cmx_bench.worker.job import Place
from cmx_bench.worker.machine import capture, resolve_device


def parse(device: str) -> tuple[str, ...]:
    """What `--device` names: "cuda:0" and "cuda:1" of "cuda:0,1"; a word that stands for whatever
    is there ("auto", "cuda:all") is itself.

    Raises:
        PlanError: it names a device twice, or is no word for devices.
    """
    if not re.fullmatch(r"auto|cpu|cuda|cuda:all|cuda:\d{1,4}(,\d{1,4})*", device):
        raise PlanError(f"--device {device}: expected auto, cpu, cuda, cuda:N, several as in "
                        f"cuda:0,1, or cuda:all")  # fmt: skip
    if "," not in device:
        return (device,)
    numbers = [int(number) for number in device.partition(":")[2].split(",")]
    for place, number in enumerate(numbers):
        if number in numbers[:place]:
            raise PlanError(f"--device {device}: names cuda:{number} twice; name it once")
    return tuple(f"cuda:{number}" for number in numbers)


def find(device: str) -> tuple[Place, ...]:
    """The places of several devices, by what `--device` says.

    Raises:
        PlanError: this machine has no such device, or too few cores for all of them.
    """
    import torch

    from cmx_bench.measures import nvml

    resolve_device("cuda", device)  # which says why there is no GPU
    names = parse(device)
    if names == ("cuda:all",):
        names = tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))
    seen = {resolve_device(name, device): capture(name) for name in names}
    kinds = environment.hardware(list(seen.values()))
    try:
        cores = share(jiffies.affinity(), [nvml.cores(name) for name in names])
    except PlanError as error:
        raise PlanError(f"--device {device}: {error}") from None
    return tuple(
        Place(name, str(facts["device_uuid"]), mine, kind)
        for (name, facts), mine, kind in zip(seen.items(), cores, kinds, strict=True)
    )


def share(
    usable: Collection[int], near: Sequence[Collection[int] | None], system: Path = jiffies.SYSTEM
) -> list[tuple[int, ...]]:
    """The logical cores of each device: as many whole cores for each, none of them for two, for
    what launches kernels on one GPU would else wait for what launches them on another.

    Args:
        near: for each device the logical cores that are nearest to it, which it gets first; None
            where nobody knows.

    Raises:
        PlanError: there is less than a core for each.
    """
    cores = jiffies.whole_cores(sorted(usable), system)
    alone = cores.pop("", [])  # as far as anybody knows
    left: list[tuple[int, ...]] = [*map(tuple, cores.values()), *((thread,) for thread in alone)]
    each = len(left) // len(near)
    if each == 0:
        raise PlanError(f"{len(near)} devices need a core each, and {len(left)} are usable; name "
                        f"fewer devices")  # fmt: skip
    chosen: list[list[tuple[int, ...]]] = []
    for nearest in near:
        close = [core for core in left if nearest is not None and set(core) <= set(nearest)]
        chosen.append(close[:each])
        left = [core for core in left if core not in close[:each]]
    farther = iter(left)
    filled = [[*mine, *islice(farther, each - len(mine))] for mine in chosen]
    return [tuple(sorted(thread for core in mine for thread in core)) for mine in filled]
