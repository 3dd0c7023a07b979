"""Parameters and buffers of a model: exact, on the meta device."""

from __future__ import annotations

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Samples
from cmx_bench.models.building import build, build_on_meta


def measure(model: Model, setting: Setting) -> Samples:
    """Elements of all parameters, of the trainable ones, and of the buffers."""
    module = build_on_meta(lambda: build(model, setting.image_size))
    parameters = list(module.parameters())
    return {
        "params": [sum(p.numel() for p in parameters)],
        "trainable_params": [sum(p.numel() for p in parameters if p.requires_grad)],
        "buffers": [sum(b.numel() for b in module.buffers())],
    }
