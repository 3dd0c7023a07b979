"""Peak of live tensor bytes of a forward pass, planned without running it: exact."""

from __future__ import annotations

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import CmxError, CountError, SkipError, first_line
from cmx_bench.measures import Samples
from cmx_bench.measures.forward import AUTOCAST, DTYPES
from cmx_bench.measures.live_bytes import planned_peak
from cmx_bench.measures.tracing import in_words
from cmx_bench.models import fast
from cmx_bench.models.building import build


def measure(model: Model, setting: Setting) -> Samples:
    """Bytes of weights, input and intermediates alive at once, for a batch of the setting.

    Raises:
        SkipError: the setting's runtime is not torch.
    """
    if setting.runtime != "torch":
        raise SkipError(f"{setting.runtime} plans its memory by itself, and tells nobody: a "
                        "setting with runtime: torch")  # fmt: skip
    batch = setting.batch_size
    try:
        planned = planned_peak(
            lambda: fast.finish(build(model, setting.image_size), model),
            (batch, 3, setting.image_size, setting.image_size),
            DTYPES[setting.precision],
            AUTOCAST[setting.kind] if setting.precision == "autocast" else None,
            setting.layout == "nhwc",
        )
    except CmxError:
        raise
    except Exception as error:  # of the model's own code, or of torch's on its behalf
        count = "one image" if batch == 1 else f"{batch} images"
        raise CountError(
            f"cannot be counted on {count}: {in_words(error) or first_line(error)}"
        ) from error
    return {"planned_memory": [planned]}
