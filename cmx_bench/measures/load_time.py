"""Seconds from a name to a model that is ready to run, weights read where the suite names any; of a
runtime other than torch, from the exported files."""

from __future__ import annotations

import time

import torch

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Samples, Watched, compiled, ready, runtimes
from cmx_bench.measures.forward import images, place
from cmx_bench.models import fast, weights
from cmx_bench.models.building import build


def measure(model: Model, setting: Setting) -> Samples | Watched:
    """The device is woken and the weights are fetched first: neither belongs to loading."""
    torch.zeros(1, device=setting.device)
    if setting.runtime != "torch":
        return _of_file(model, setting)
    weights.load(build(model, setting.image_size), model, setting.image_size)
    begin = time.perf_counter()
    module = build(model, setting.image_size)
    weights.load(module, model, setting.image_size)
    fast.finish(place(module, setting), model)
    if setting.kind == "cuda":
        torch.cuda.synchronize(setting.device)
    return {"load_time": [time.perf_counter() - begin]}


def _of_file(model: Model, setting: Setting) -> Watched:
    """The second time that the file is loaded: the first sets up the runtime itself."""
    module = build(model, setting.image_size)
    weights.load(module, model, setting.image_size)
    module, batch = place(module, setting), images(setting)
    if model.weights is None:
        module = ready.initialise(module, batch, setting, model)
    else:
        module = fast.finish(module, model)
    with compiled.folder_of_cell() as home:
        exported = ready.export_module(module, batch, setting, home)
        begin = time.perf_counter()
        runtimes.functions(setting.runtime).load(exported.folder, setting)
        return Watched({"load_time": [time.perf_counter() - begin]}, details=exported.details)
