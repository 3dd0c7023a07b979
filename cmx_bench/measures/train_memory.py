"""Peak memory of a training step by phase, as that of a forward pass is measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Samples, Watched
from cmx_bench.measures.memory import (
    counted_from,
    forget_peak,
    import_code,
    peak_resident,
    resident,
)
from cmx_bench.measures.training_step import PHASES, prepare

# What has the peak counted anew, and gives whether it is; what gives the peak.
_Watch: TypeAlias = tuple[Callable[[], bool], Callable[[], int]]


def measure(model: Model, setting: Setting) -> Samples | Watched:
    """Bytes at the peak of each phase of a second step, and the most of the three.

    The first step makes AdamW's moments, which stay, and needs what later ones do not: cuDNN tries
    its algorithms, a compiled model is compiled.

    Raises:
        SkipError: the system does not tell what a process holds.
    """
    before = 0
    if setting.kind == "cpu":
        import_code(model, setting.image_size)
        before = resident()
    step = prepare(model, setting)
    step()
    # On a CPU what torch keeps for later counts too.
    on_cpu: _Watch = forget_peak, lambda: peak_resident() - before
    forget, peak = on_cpu if setting.kind == "cpu" else _on_cuda(setting.device)
    anew = forget()
    loss = step.forward()
    peaks = [peak()]
    for run in (partial(step.backward, loss), step.optimize):
        forget()
        run()
        peaks.append(peak())
    samples: Samples = {"train_memory": [max(peaks)]}
    for name, most in zip(PHASES, peaks, strict=True):
        samples[f"train_{name}_memory"] = [most]
    return counted_from(samples, anew)


def _on_cuda(device: str) -> _Watch:
    """What the allocator had handed out at most."""
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()

    def forget() -> bool:
        torch.cuda.reset_peak_memory_stats(device)
        return True

    def peak() -> int:
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device)

    return forget, peak
