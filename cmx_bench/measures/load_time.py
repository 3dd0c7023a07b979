"""Seconds from a name to a model that is ready to run, weights read where the suite names any."""

from __future__ import annotations

import time

import torch

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Samples
from cmx_bench.measures.forward import place
from cmx_bench.models import fast, weights
from cmx_bench.models.building import build


def measure(model: Model, setting: Setting) -> Samples:
    """The device is woken and the weights are fetched first: neither belongs to loading."""
    torch.zeros(1, device=setting.device)
    weights.load(build(model, setting.image_size), model, setting.image_size)
    begin = time.perf_counter()
    module = build(model, setting.image_size)
    weights.load(module, model, setting.image_size)
    fast.finished(place(module, setting), model)
    if setting.kind == "cuda":
        torch.cuda.synchronize(setting.device)
    return {"load_time": [time.perf_counter() - begin]}
