"""AOTInductor: torch's compiler, ahead of time, with the weights as constants of the package."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch._inductor import aoti_compile_and_package, aoti_load_package
from torch._inductor import config as inductor

from cmx_bench.cell import Setting
from cmx_bench.errors import ExportError, in_a_line
from cmx_bench.measures.forward import pick_instructions
from cmx_bench.measures.runtimes import Loaded

_FILE = "model.pt2"


def export(module: nn.Module, batch: Tensor, folder: Path, setting: Setting) -> None:
    """Compiles the module, and packs the machine's code with the weights."""
    pick_instructions(setting)
    try:
        with torch.no_grad(), inductor.patch(freezing=True):
            program = torch.export.export(module, (batch,))
            aoti_compile_and_package(program, package_path=str(folder / _FILE))
    except Exception as error:  # of many classes, all of them private
        raise ExportError(f"AOTInductor cannot compile it: {in_a_line(error)}") from error


def load(folder: Path, setting: Setting) -> Loaded:
    """The package on the setting's device; it runs on torch's threads, or in torch's stream."""
    index = int(setting.device.partition(":")[2] or -1)
    package = aoti_load_package(str(folder / _FILE), device_index=index)

    def call(batch: Tensor) -> Tensor:
        logits: Tensor = package(batch)
        return logits

    return Loaded(call, {"threads": torch.get_num_threads(), "freezing": True})
