"""Peak of live tensor bytes of a forward pass, planned without running it: exact."""

from __future__ import annotations

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Samples
from cmx_bench.measures.forward import AUTOCAST, DTYPES
from cmx_bench.measures.live_bytes import planned_peak
from cmx_bench.models.building import build
from cmx_bench.models.trial import on_shapes


def measure(model: Model, setting: Setting) -> Samples:
    """Bytes of weights, input and intermediates alive at once, for a batch of the setting."""
    with on_shapes(setting.batch_size):
        planned = planned_peak(
            lambda: build(model, setting.image_size),
            (setting.batch_size, 3, setting.image_size, setting.image_size),
            DTYPES[setting.precision],
            AUTOCAST[setting.kind] if setting.precision == "autocast" else None,
            setting.layout == "nhwc",
        )
    return {"planned_memory": [planned]}
