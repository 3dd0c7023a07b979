"""A model made ready to train in its setting: a step in three phases, to be timed apart."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import ModelError, SkipError
from cmx_bench.measures.forward import (
    AUTOCAST,
    guarding,
    images,
    logits_of,
    make_ready,
    place,
    refuse_misfit,
)
from cmx_bench.measures.precisions import Precisions
from cmx_bench.measures.timing import record
from cmx_bench.models.building import build

PHASES = ("forward", "backward", "optimizer")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of training on a batch of the setting, phase by phase.

    `forward` is the pass and its loss, which `backward` takes; `optimize` updates the parameters
    and drops the gradients.
    """

    forward: Callable[[], Tensor]
    backward: Callable[[Tensor], None]
    optimize: Callable[[], None]

    def __call__(self) -> Tensor:
        """The whole step; its loss, before the update."""
        loss = self.forward()
        self.backward(loss)
        self.optimize()
        return loss


def prepare(model: Model, setting: Setting) -> Step:
    """Builds `model` with initial weights and makes it ready to train: cross-entropy, AdamW.

    In fp32, tf32 and bf16 parameters are what the setting says, and all is computed in that. fp16
    and autocast keep parameters and gradients in fp32 and compute under autocast: in fp16 or, for
    autocast on a CPU, in bf16. In fp16 the loss is scaled, so that gradients do not vanish.

    Raises:
        ModelError: it has no parameters to train.
        SkipError: it is optimised, which is for inference.
    """
    if model.optimised:
        raise SkipError("an optimised model is trained as the plain one, and folded afterwards: "
                        "measure the plain one")  # fmt: skip
    reduced = torch.float16 if setting.precision == "fp16" else AUTOCAST[setting.kind]
    mixed = setting.precision in ("fp16", "autocast")
    stored = replace(setting, precision="fp32") if mixed else setting
    module = place(build(model, setting.image_size), stored)
    module.train()
    make_ready(module, setting)
    # One kernel for all parameters. With a scaler no other AdamW updates without waiting for the
    # GPU. The learning rate is that of timm's benchmark.
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4, fused=fusable(module, model))
    scaler = torch.amp.GradScaler(setting.kind, enabled=mixed and reduced == torch.float16)

    casts = partial(torch.autocast, setting.kind, reduced, enabled=mixed)

    def backward(loss: Tensor) -> None:
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def optimize() -> None:
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()

    return Step(_loss_of(module, model, setting, images(stored), casts), backward, optimize)


def _loss_of(
    module: nn.Module, model: Model, setting: Setting, batch: Tensor,
    casts: Callable[[], AbstractContextManager[object]],
) -> Callable[[], Tensor]:  # fmt: skip
    """A pass over the batch and its cross-entropy with random labels."""
    drawn = torch.Generator().manual_seed(0)
    labels = torch.randint(model.num_classes, (setting.batch_size,), generator=drawn)
    labels = labels.to(setting.device)
    # Of the first step alone; what is compiled has no operators.
    watches = [Precisions(setting)] if setting.compile == "none" else []

    def forward() -> Tensor:
        watch = watches.pop() if watches else nullcontext()
        with watch, guarding(batch, setting), casts():
            logits = logits_of(module(batch))
            if logits.dim() != 2:
                refuse_misfit(logits, model, setting.batch_size)
            # A user's model may have another number of classes than the suite.
            return nn.functional.cross_entropy(logits, labels % logits.shape[-1])

    return forward


def fusable(module: nn.Module, model: Model) -> bool:
    """Whether one kernel can update all parameters of a model: torch has none for complex ones.

    Raises:
        ModelError: it has no parameters to train.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not trained:
        raise ModelError(f"{model.name}: has no parameters to train")
    return not any(parameter.is_complex() for parameter in trained)


def split(step: Step, steps: int, device: str) -> tuple[float, float, float]:
    """Seconds of `PHASES` over so many back-to-back steps; they add up to all the time there was.

    On CUDA between events in the stream, with one wait at the end: where launching does not keep
    ahead of the GPU, a phase includes what the GPU waits.
    """
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.synchronize()
    mark: Callable[[], Any] = record if on_gpu else time.perf_counter
    marks = [mark()]
    for _ in range(steps):
        loss = step.forward()
        marks.append(mark())
        step.backward(loss)
        marks.append(mark())
        step.optimize()
        marks.append(mark())
    if on_gpu:
        marks[-1].synchronize()
    seconds = [
        begin.elapsed_time(end) / 1000 if on_gpu else end - begin for begin, end in pairwise(marks)
    ]
    return sum(seconds[0::3]), sum(seconds[1::3]), sum(seconds[2::3])
