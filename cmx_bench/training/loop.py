"""The steps of a training, by one process or by several that share each batch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import timm.optim
import torch
import torch.distributed
from timm.data.mixup import Mixup
from timm.layers.norm_act import convert_sync_batchnorm
from timm.utils.distributed import distribute_bn
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from cmx_bench.cell import Model
from cmx_bench.errors import ModelError
from cmx_bench.measures.forward import logits_of, refuse_misfit
from cmx_bench.measures.training_step import fusable
from cmx_bench.models.building import build
from cmx_bench.models.tensors import convert
from cmx_bench.spec.recipe import Optimizer, Recipe
from cmx_bench.training import derive, schedule
from cmx_bench.training.batches import Batches, Images, Part, load

# After so many steps the loss is looked at, for which a GPU has to be waited for.
_LOOK = 50


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch that is done, counted from 1: the mean loss of its steps, the learning rate of its
    last, and the seconds and images that it took; `data_seconds` of them the process waited for
    images to learn from."""

    number: int
    loss: float
    lr: float
    seconds: float
    images: int
    data_seconds: float


@dataclass(slots=True)
class Training:
    """A model that is being trained; `epochs` goes on from what `load_state_dict` was given.

    Args:
        workers: the processes that prepare images for this one.
        device: "cpu" or "cuda:N", of this process.
        advance: called at points that every process of a training passes, in the same order.
    """

    model: Model
    recipe: Recipe
    images: Images
    image_size: int
    seed: int
    device: str
    workers: int = 0
    part: Part = field(default_factory=Part)
    advance: Callable[[], None] = lambda: None
    done: int = field(default=0, init=False)
    module: nn.Module = field(init=False)
    _call: nn.Module = field(init=False)
    _optimizer: torch.optim.Optimizer = field(init=False)
    _scaler: torch.amp.GradScaler = field(init=False)
    _mix: Mixup | None = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(derive(self.seed, "weights"))
        built = build(self.model, self.image_size)
        built.train()
        self.module = convert(built, self.device, None, self._layout)
        self.advance()
        self._call = self._share() if self.part.count > 1 else self.module
        fused = fusable(self.module, self.model)
        self._optimizer = _optimizer(self.module, self.recipe.optimizer, fused)
        scaled = self._half == torch.float16
        self._scaler = torch.amp.GradScaler(self._kind, enabled=scaled)
        recipe, classes = self.recipe, self.model.num_classes
        self._mix = None
        if recipe.mixes:
            self._mix = Mixup(  # type: ignore[no-untyped-call]
                recipe.mixup, recipe.cutmix, num_classes=classes,
                label_smoothing=recipe.label_smoothing,
            )  # fmt: skip

    @property
    def _kind(self) -> str:
        return self.device.partition(":")[0]

    @property
    def _layout(self) -> torch.memory_format:
        return torch.channels_last if self.recipe.channels_last else torch.preserve_format

    @property
    def _half(self) -> torch.dtype | None:
        """What a GPU computes in where the recipe wants mixed precision."""
        if self._kind != "cuda" or not self.recipe.amp:
            return None
        return torch.bfloat16 if self.recipe.amp == "bf16" else torch.float16

    def state_dict(self) -> dict[str, Any]:
        """All that `epochs` needs to go on as if it had never stopped."""
        return {
            "done": self.done,
            "module": self.module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self.done = state["done"]
        self.module.load_state_dict(state["module"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])

    def epochs(self, tell: Callable[[int], None]) -> Iterator[Epoch]:
        """Trains; each epoch as it is done, until the recipe's last.

        Args:
            tell: called after each step with the number of images so far, of all epochs.

        Raises:
            DataError: an image cannot be learned from.
            ModelError: the loss is not finite any more, or the logits do not fit.
        """
        size, recipe = len(self.images), self.recipe
        batches = Batches(size, recipe, self.seed, self.part, self.done)
        coming = load(self.images, batches, self.workers, self._kind)
        for epoch in range(self.done, recipe.epochs):
            begin, waited = time.monotonic(), 0.0
            total = torch.zeros((), device=self.device)
            for step in range(epoch * batches.steps, (epoch + 1) * batches.steps):
                asked = time.monotonic()
                images, labels = next(coming)
                waited += time.monotonic() - asked
                self.advance()
                progress = (step + 1) / (batches.steps * recipe.epochs)
                lr = recipe.optimizer.lr * schedule.share(recipe.schedule, progress)
                batch = (tensor.to(self.device, non_blocking=True) for tensor in (images, labels))
                total += self._step(step, lr, *batch)
                if (step + 1) % _LOOK == 0:
                    self._refuse_strange(total, epoch, lr)
                self.advance()
                tell((step + 1) * recipe.batch_size)
            self._refuse_strange(total, epoch, lr)
            if self.part.count > 1 and recipe.batch_norm == "own":
                # Running statistics are the mean of all, as in timm's train.py.
                distribute_bn(self.module, self.part.count, reduce=True)  # type: ignore[no-untyped-call]
            self.done = epoch + 1
            seconds = time.monotonic() - begin
            yield Epoch(self.done, self._mean(total / batches.steps), lr, seconds,
                        batches.steps * recipe.batch_size, waited)  # fmt: skip

    def _step(self, step: int, lr: float, images: Tensor, labels: Tensor) -> Tensor:
        """One update; the loss before it, of this process's images."""
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        np.random.seed(derive(self.seed, "mixup", step))  # of all processes the same
        targets = labels
        if self._mix is not None:
            images, targets = self._mix(images, labels)
        torch.manual_seed(derive(self.seed, "step", step, self.part.rank))  # for dropout
        with torch.autocast(self._kind, self._half, enabled=self._half is not None):
            logits = logits_of(self._call(images.to(memory_format=self._layout)))
        self.advance()
        refuse_misfit(logits, self.model, len(images))
        smoothing = 0.0 if self._mix is not None else self.recipe.label_smoothing
        loss = nn.functional.cross_entropy(logits.float(), targets, label_smoothing=smoothing)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip_grad_norm is not None:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self.module.parameters(), self.recipe.clip_grad_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad()
        return loss.detach()

    def _refuse_strange(self, total: Tensor, epoch: int, lr: float) -> None:
        if not math.isfinite(loss := self._mean(total)):
            raise ModelError(
                f"{self.model.name}: the loss became {loss} in epoch {epoch + 1}, at a learning "
                f"rate of {lr:.3g}; lower lr, or clip gradients"
            )

    def _mean(self, value: Tensor) -> float:
        if self.part.count > 1:
            torch.distributed.all_reduce(value := value.clone())
        return float(value) / self.part.count

    def _share(self) -> nn.Module:
        """The module as several processes call it: gradients are the mean of all."""
        norms = any(isinstance(layer, _BatchNorm) for layer in self.module.modules())
        if norms and self.recipe.batch_norm == "shared":
            if self._kind == "cpu":
                raise ModelError(
                    f"{self.model.name}: has BatchNorm, which torch shares between processes on "
                    f"GPUs only; train it with --processes 1, or with batch_norm: own"
                )
            self.module = synchronise(self.module, self.advance)
        devices = None if self._kind == "cpu" else [self.device]
        return DistributedDataParallel(self.module, devices)


def synchronise(module: nn.Module, advance: Callable[[], None]) -> nn.Module:
    """`module` with BatchNorm over the images of all processes, by timm: torch's own conversion
    drops the activation that timm's `BatchNormAct2d` has within it.

    Args:
        advance: called at each of them in training, where a process waits for the others.
    """
    converted: nn.Module = convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
    for layer in converted.modules():
        if isinstance(layer, nn.SyncBatchNorm):
            layer.register_forward_pre_hook(lambda norm, _: advance() if norm.training else None)
    return converted


def _optimizer(module: nn.Module, asked: Optimizer, fused: bool) -> torch.optim.Optimizer:
    rest: dict[str, Any] = (
        {"betas": tuple(asked.betas), "eps": asked.eps}
        if asked.name == "adamw"
        else {"momentum": asked.momentum}
    )
    optimizer: torch.optim.Optimizer = timm.optim.create_optimizer_v2(  # type: ignore[attr-defined]
        module,
        opt={"adamw": "adamw", "sgd": "momentum"}[asked.name],  # timm's sgd is Nesterov's
        lr=asked.lr,
        weight_decay=asked.weight_decay,
        filter_bias_and_bn=asked.decay == "weights",
        fused=fused,  # one pass over all parameters: a fifth of a small model's step on a CPU
        **rest,
    )
    return optimizer
