"""Parameters and buffers of a model: exact, on the meta device."""

from __future__ import annotations

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import ModelError
from cmx_bench.measures import Samples
from cmx_bench.models import trial
from cmx_bench.models.building import build, build_on_meta


def measure(model: Model, setting: Setting) -> Samples:
    """Elements of all parameters, of the trainable ones, and of the buffers.

    Raises:
        ModelError: the model has parameters that it does not show, which would count as none.
    """
    tried = trial.run(
        lambda: build(model, setting.image_size), setting.image_size, setting.batch_size
    )
    if tried.hidden:
        raise ModelError(f"{model.name}: {tried.hidden}")
    module = build_on_meta(lambda: build(model, setting.image_size))
    parameters = list(module.parameters())
    return {
        "params": [sum(p.numel() for p in parameters)],
        "trainable_params": [sum(p.numel() for p in parameters if p.requires_grad)],
        "buffers": [sum(b.numel() for b in module.buffers())],
    }
