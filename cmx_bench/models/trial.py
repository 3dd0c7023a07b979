"""Runs a model once, to learn its cost and whether it runs at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.compiler import set_stance
from torch.utils.flop_counter import FlopCounterMode

from cmx_bench.errors import in_a_line
from cmx_bench.models import unseen
from cmx_bench.models.building import build_on_meta
from cmx_bench.models.tensors import convert


@dataclass(frozen=True, slots=True)
class Trial:
    """What one forward pass of `module` showed.

    `macs` are those of one image, by torch's counter; `error` is why the model does not run,
    `hidden` names the parameters that it does not show. Both are empty where all is well.
    `output` is what it gave; None where it does not run.
    """

    module: nn.Module
    macs: int
    error: str
    hidden: str
    output: object = None


def run(
    build: Callable[[], nn.Module],
    image_size: int,
    batch_size: int = 1,
    may_want_values: Callable[[BaseException], bool] = lambda error: True,
) -> Trial:
    """Runs `build()`'s model in fp32 on shapes alone or, where it may read a value, on the CPU; on
    one image or, where it takes no less, on a batch.

    Raises:
        ModelError: it cannot be built.
    """
    for device, make in (("meta", build_on_meta), ("cpu", _build_on_cpu)):
        module = convert(make(build), device, torch.float32, torch.preserve_format)
        for images in dict.fromkeys((1, batch_size)):
            trial, problem = _try(module, device, (images, 3, image_size, image_size))
            if trial.hidden or problem is None:
                return trial
        if problem is not None and not may_want_values(problem):
            break
    return trial


def _build_on_cpu(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("cpu"):
        return build()


def _try(
    module: nn.Module, device: str, shape: tuple[int, ...]
) -> tuple[Trial, BaseException | None]:
    problem: BaseException | None = None
    output: object = None
    with unseen.watching(module) as hidden, torch.no_grad(), torch.device(device):
        # What the model compiles by itself would take a minute, for a pass that nobody times.
        with set_stance("force_eager"), FlopCounterMode(display=False) as counter:
            try:
                output = module(torch.zeros(shape, dtype=torch.float32))
            except BaseException as error:  # whatever the model's own code raises
                problem = error
        said = "" if problem is None else in_a_line(problem)
        macs = int(counter.get_total_flops()) // 2 // shape[0]
        return Trial(module, macs, said, hidden(), output), problem
