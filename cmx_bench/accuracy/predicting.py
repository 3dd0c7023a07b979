"""A model with its weights, ready to name the five likeliest classes of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from cmx_bench.accuracy.preprocessing import Preprocessing, colours
from cmx_bench.cell import Model, Setting
from cmx_bench.errors import ModelError
from cmx_bench.measures.forward import (
    call_of,
    dtype_of,
    logits_of,
    memory_format,
    place,
    refuse_misfit,
    watch,
)
from cmx_bench.measures.ready import prepare_call
from cmx_bench.measures.runtimes import Call
from cmx_bench.models import fast
from cmx_bench.models.building import build
from cmx_bench.models.resampling import Resampling
from cmx_bench.models.weights import load

# From pixels, uint8 `(n, 3, H, W)`, to classes, int `(n, k)`, and their probabilities.
Predict: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor]]

TOP = 5


def predictor(
    model: Model, setting: Setting, preprocessing: Preprocessing, valid: Sequence[int] | None
) -> tuple[Predict, Resampling | None, Mapping[str, Any]]:
    """The model as timm's `validate.py` runs it: same batches, same arithmetic, same order; whether
    its weights were resampled; what a record tells of the setting's runtime, after the first batch.

    Args:
        valid: the classes to choose among; None for all.

    Raises:
        ExportError: the runtime cannot take it, or gives other logits than torch.
        ModelError: it cannot be built.
        WeightsError: its weights are missing, unreadable, or do not fit.
    """
    size = preprocessing.geometry.image_size
    module = build(model, size)
    resampling = load(module, model, size)
    module = fast.finish(place(module, setting), model)
    call, of_runtime = prepare_call(module, replace(setting, image_size=size))
    details = dict(of_runtime)
    if setting.compile != "none":
        call = watch(call, module, model, details)
    return _predict(call, model, setting, preprocessing, valid), resampling, details


def predict_with(
    module: nn.Module, model: Model, setting: Setting, preprocessing: Preprocessing,
    valid: Sequence[int] | None = None,
) -> Predict:  # fmt: skip
    """The same with a module that is there, run by torch: it is placed as the setting says."""
    call = call_of(fast.finish(place(module, setting), model), setting)
    return _predict(lambda batch: logits_of(call(batch)), model, setting, preprocessing, valid)


def _predict(
    call: Call, model: Model, setting: Setting, preprocessing: Preprocessing,
    valid: Sequence[int] | None,
) -> Predict:  # fmt: skip
    dtype = dtype_of(setting)
    mean, std = colours(preprocessing, setting.device, dtype)
    chosen = None if valid is None else torch.tensor(valid, device=setting.device)

    def predict_batch(pixels: Tensor) -> tuple[Tensor, Tensor]:
        images = pixels.to(setting.device).to(dtype).sub_(mean).div_(std)
        logits = call(images.contiguous(memory_format=memory_format(setting)))
        refuse_misfit(logits, model, len(pixels))
        if not logits.isfinite().all():
            raise ModelError(f"{model.name}: gives values that are not finite")
        if chosen is not None:
            logits = logits[:, chosen]
        places = logits.topk(min(TOP, logits.shape[1]), 1, True, True).indices
        scores = logits.float().softmax(1).gather(1, places)
        classes = places if chosen is None else chosen[places]
        return classes.cpu(), scores.cpu()

    @torch.inference_mode()
    def predict(pixels: Tensor) -> tuple[Tensor, Tensor]:
        predicted = [predict_batch(batch) for batch in torch.split(pixels, setting.batch_size)]
        classes, scores = zip(*predicted, strict=True)
        return torch.cat(classes), torch.cat(scores)

    return predict
