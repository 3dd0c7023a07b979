"""MACs and activations of one image, counted twice. A count that is not exact is an error."""

from __future__ import annotations

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Watched
from cmx_bench.measures.counting import given
from cmx_bench.measures.counting.twice import count
from cmx_bench.models.building import build


def measure(model: Model, setting: Setting) -> Watched:
    """Multiply-accumulates and activations of one image of the setting's size.

    The details hold the user's words that they rest on. A user's model is counted in batches too.
    """
    size = setting.image_size
    batch = max(2, setting.batch_size) if model.source == "python" else 1
    counts = count(lambda: build(model, size), size, counted_by=model.counted_by, batch_size=batch)
    words = given.details(model.counted_by, counts.given)
    return Watched(
        {"macs": [counts.macs], "activations": [counts.activations]},
        details={"given": words} if words else {},
    )
