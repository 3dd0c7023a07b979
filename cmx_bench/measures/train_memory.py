"""Peak memory of a training step by phase, as that of a forward pass is measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import psutil
import torch

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Samples
from cmx_bench.measures.memory import forget_peak, peak_resident
from cmx_bench.measures.training_step import PHASES, prepare


def measure(model: Model, setting: Setting) -> Samples:
    """Bytes at the peak of each phase of a second step, and the most of the three.

    The first step makes AdamW's moments, which stay, and needs what later ones do not: cuDNN tries
    its algorithms, a compiled model is compiled.
    """
    before = psutil.Process().memory_info().rss
    step = prepare(model, setting)
    step()
    forget, peak = _on_cpu(before) if setting.kind == "cpu" else _on_cuda(setting.device)
    forget()
    loss = step.forward()
    peaks = [peak()]
    for run in (partial(step.backward, loss), step.optimize):
        forget()
        run()
        peaks.append(peak())
    found: Samples = {"train_memory": [max(peaks)]}
    for name, most in zip(PHASES, peaks, strict=True):
        found[f"train_{name}_memory"] = [most]
    return found


_Watch: TypeAlias = tuple[Callable[[], None], Callable[[], int]]


def _on_cpu(before: int) -> _Watch:
    """Growth of this process from before the model was there; what torch keeps for later counts."""
    return forget_peak, lambda: peak_resident() - before


def _on_cuda(device: str) -> _Watch:
    """What the allocator had handed out at most."""
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()

    def peak() -> int:
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device)

    return partial(torch.cuda.reset_peak_memory_stats, device), peak
