"""MACs and activations of one image: counted twice, exact, or refused."""

from __future__ import annotations

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Samples
from cmx_bench.measures.counting import count
from cmx_bench.models.building import build


def measure(model: Model, setting: Setting) -> Samples:
    """Multiply-accumulates and activations of one image of the setting's size."""
    counts = count(lambda: build(model, setting.image_size), setting.image_size)
    return {"macs": [counts.macs], "activations": [counts.activations]}
