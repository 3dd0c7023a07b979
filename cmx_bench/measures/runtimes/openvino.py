"""OpenVINO: a model converted by its own reader of torch's modules, run by its CPU plugin."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

os.environ["CI"] = "true"  # else OpenVINO and NNCF report each use to their makers
import openvino
from openvino import properties
from openvino.properties import hint

from cmx_bench.cell import Setting
from cmx_bench.errors import ExportError, SkipError, first_line, in_a_line
from cmx_bench.measures.counting import free
from cmx_bench.measures.runtimes import Loaded

# For each precision OpenVINO's name of its type, and of the capability to compute in it.
_PRECISIONS = {
    "fp32": ("f32", "FP32"), "fp16": ("f16", "FP16"), "bf16": ("bf16", "BF16"),
    "int8": ("f32", "INT8"),  # what is not quantised is computed in fp32
}  # fmt: skip
_FILE = "model.xml"
_PRODUCTS = ("Convolution", "GroupConvolution", "MatMul")
_UNKNOWN = re.compile(r"operations: (.+)")
# The properties that the record holds, as OpenVINO reports them.
_TOLD = (
    hint.inference_precision, properties.inference_num_threads, properties.num_streams,
    hint.performance_mode, hint.execution_mode, hint.enable_cpu_pinning,
    hint.enable_hyper_threading,
)  # fmt: skip


def export(module: nn.Module, batch: Tensor, folder: Path, setting: Setting) -> None:
    """Writes the module as OpenVINO's own files, its weights in fp32."""
    _refuse_emulation(setting)
    _refuse_decisions(module, batch)
    try:
        model = openvino.convert_model(module, example_input=batch, input=[list(batch.shape)])
    except Exception as error:  # whatever tracing the module raises, and OpenVINO's own
        match = _UNKNOWN.search(str(error))
        why = f"it has no {match[1]}" if match else in_a_line(error)
        raise ExportError(f"OpenVINO cannot convert it: {why}") from error
    openvino.save_model(model, folder / _FILE, compress_to_fp16=False)


def _refuse_decisions(module: nn.Module, batch: Tensor) -> None:
    """Refuses a module that decides by its images: OpenVINO traces it on one batch, and would keep
    those decisions for all others."""
    values = _values_read(module, batch)
    others = (4 * batch + 1, -4 * batch)
    if values and any(_values_read(module, other) != values for other in others):
        raise ExportError("OpenVINO cannot convert it: it reads values of the images while it runs "
                          "and computes by them")  # fmt: skip


@torch.no_grad()
def _values_read(module: nn.Module, batch: Tensor) -> list[str]:
    """The values that the module's code reads, and the shapes that depend on values."""
    reads = _Reads()
    with reads:
        module(batch)
    return reads.values


class _Reads(TorchDispatchMode):
    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.values: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if isinstance(func, torch._ops.HigherOrderOperator):  # traced as it decides on one batch
            raise ExportError(f"OpenVINO cannot convert it: it has no {func}")
        output = func(*args, **(kwargs or {}))
        if free.reads(func):
            self.values += [str(getattr(leaf, "shape", leaf)) for leaf in tree_leaves(output)]
        return output


def quantise(folder: Path, batches: Sequence[Tensor], bits: int) -> tuple[int, int]:
    """Quantises the exported model by NNCF, with its fast bias correction."""
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    nncf.set_log_level(logging.ERROR)
    exported = openvino.Core().read_model(folder / _FILE)
    model = nncf.quantize(
        exported,
        nncf.Dataset([batch.numpy() for batch in batches]),
        subset_size=len(batches),
        fast_bias_correction=True,
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.ENABLE if bits == 7 else None
        ),
    )
    whole = folder / f"int8-{_FILE}"
    openvino.save_model(model, whole, compress_to_fp16=False)
    for suffix in (".xml", ".bin"):  # NNCF holds the exported files open until now
        whole.with_suffix(suffix).replace((folder / _FILE).with_suffix(suffix))
    products = [node for node in model.get_ops() if node.get_type_name() in _PRODUCTS]
    sources = [node.input_value(0).get_node().get_type_name() for node in products]
    return sources.count("FakeQuantize"), len(products)


def load(folder: Path, setting: Setting) -> Loaded:
    """A model in one stream, as torch runs it: one batch at a time, with torch's number of threads,
    none of them bound to a core."""
    asked = _options(setting)
    try:
        model = openvino.Core().compile_model(folder / _FILE, "CPU", asked)
    except RuntimeError as error:
        raise ExportError(f"OpenVINO cannot compile it: {first_line(error)}") from error
    told = {str(name): _plain(model.get_property(name)) for name in _TOLD}
    threads = told["INFERENCE_NUM_THREADS"]
    if threads != str(torch.get_num_threads()):
        raise SkipError(f"OpenVINO runs on {threads} threads, not on the {torch.get_num_threads()} "
                        f"that are asked for: set threads: {threads}")  # fmt: skip
    request = model.create_infer_request()
    infer = request.infer

    def call(batch: Tensor) -> Tensor:
        # The images are read where they lie; the logits are copied, for the next pass overwrites
        # what the request holds.
        return torch.from_numpy(infer([batch.numpy()], share_inputs=True)[0])

    return Loaded(call, told)


def _options(setting: Setting) -> dict[Any, Any]:
    name, _ = _PRECISIONS[setting.precision]
    return {
        hint.inference_precision: getattr(openvino.Type, name),
        properties.inference_num_threads: torch.get_num_threads(),
        properties.num_streams: 1,
        hint.performance_mode: hint.PerformanceMode.LATENCY,
        hint.execution_mode: hint.ExecutionMode.PERFORMANCE,
        hint.enable_cpu_pinning: False,
        hint.enable_hyper_threading: True,
    }


def _refuse_emulation(setting: Setting) -> None:
    """OpenVINO silently computes in fp32 what the CPU has no instructions for."""
    _, capability = _PRECISIONS[setting.precision]
    able = openvino.Core().get_property("CPU", properties.device.capabilities)
    if capability not in able:
        raise SkipError(f"OpenVINO computes {setting.precision} in fp32 on this CPU, which has no "
                        f"instructions for it: use precision: fp32")  # fmt: skip


def _plain(value: Any) -> str:
    """`f32`, `LATENCY`: a property's value without the names of OpenVINO's classes."""
    if isinstance(value, openvino.Type):
        return str(value.get_type_name())
    return str(getattr(value, "name", value))
