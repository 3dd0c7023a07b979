"""ONNX Runtime: a model exported by torch's exporter, run on the CPU or by its CUDA provider."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import onnx
import onnxruntime
import torch
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from cmx_bench.cell import Setting
from cmx_bench.errors import ExportError, SkipError, in_a_line
from cmx_bench.measures.compiled import folder_of_process
from cmx_bench.measures.runtimes import Loaded

# As ONNX Runtime takes a provider: its name, and its options.
Provider: TypeAlias = tuple[str, dict[str, str]]

_FILE, _INPUT = "model.onnx", "images"
_PRODUCTS = ("Conv", "MatMul", "Gemm")
_ON_CPU = "CPUExecutionProvider"
# How the exporter, and a session, name an operator that they do not know.
_UNKNOWN = re.compile(r"op='([\w.:]+)'|implementation for (\w+)|of operator \((\w+)\)")
_CAST = "InsertedPrecisionFreeCast_"  # what a session calls those that it adds around its kernels
_ONNX_TYPES = {
    torch.float32: onnx.TensorProto.FLOAT,
    torch.float16: onnx.TensorProto.FLOAT16,
    torch.bfloat16: onnx.TensorProto.BFLOAT16,
}


def export(module: nn.Module, batch: Tensor, folder: Path, setting: Setting) -> None:
    """Writes the module as ONNX, its weights next to it; within, where it is to be quantised, for
    the tool for that loses them else."""
    try:
        program = torch.onnx.export(
            module, (batch,), dynamo=True, verbose=False, input_names=[_INPUT]
        )
    except Exception as error:  # of many classes, all of them private
        raise ExportError(f"torch cannot export it to ONNX: {_name(error)}") from error
    assert program is not None
    program.save(folder / _FILE, external_data=setting.precision != "int8")
    if setting.kind == "cpu" and setting.precision not in ("fp32", "int8"):
        _refuse_conversions(folder, setting)


def quantise(folder: Path, batches: Sequence[Tensor], bits: int) -> tuple[int, int]:
    """By its own tool, which writes what quantises and back around all operators that it knows, as
    it does by default. Weights have a scale for each channel; ranges are the least and the greatest
    value of the calibration."""
    prepared, whole = folder / "prepared.onnx", folder / "int8.onnx"
    quant_pre_process(folder / _FILE, prepared, skip_symbolic_shape=True)
    quantization.quantize_static(
        prepared, whole, _Reader(batches), quant_format=quantization.QuantFormat.QDQ,
        per_channel=True, reduce_range=bits == 7,
        activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
        calibrate_method=quantization.CalibrationMethod.MinMax,
    )  # fmt: skip
    prepared.unlink()
    graph = onnx.load(whole.replace(folder / _FILE)).graph
    back = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    products = [node for node in graph.node if node.op_type in _PRODUCTS]
    return sum(back >= {*node.input[:2]} for node in products), len(products)


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
    """The batches of a calibration, as ONNX Runtime asks for them."""

    def __init__(self, batches: Iterable[Tensor]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> dict[str, Any] | None:
        """The next batch, None behind the last."""
        batch = next(self._batches, None)
        return None if batch is None else {_INPUT: batch.numpy()}


def load(folder: Path, setting: Setting) -> Loaded:
    """A session on the setting's device."""
    if setting.kind == "cpu":
        session = _session(folder, setting, _options(), [(_ON_CPU, {})])
        run = session.run
        return Loaded(
            lambda batch: torch.from_numpy(run(None, {_INPUT: batch.numpy()})[0]), _tell(session)
        )
    return on_cuda(folder, setting, [of_cuda(setting)])


def on_cuda(folder: Path, setting: Setting, providers: Sequence[Provider]) -> Loaded:
    """A session on a GPU. It reads and writes torch's own memory, in torch's stream."""
    session = _session(folder, setting, _options(), providers)
    binding, device = session.io_binding(), int(setting.device.partition(":")[2])
    [output] = session.get_outputs()
    # Waiting at the end of each run would keep the host from launching ahead, which torch does.
    launched = onnxruntime.RunOptions()
    launched.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def call(batch: Tensor) -> Tensor:
        logits = torch.empty(output.shape, dtype=batch.dtype, device=batch.device)
        binding.bind_input(
            _INPUT, "cuda", device, _ONNX_TYPES[batch.dtype], list(batch.shape), batch.data_ptr()
        )
        binding.bind_output(
            output.name, "cuda", device, _ONNX_TYPES[logits.dtype], list(logits.shape),
            logits.data_ptr(),
        )  # fmt: skip
        session.run_with_iobinding(binding, launched)
        return logits

    return Loaded(call, _tell(session))


def of_cuda(setting: Setting) -> Provider:
    """The CUDA provider with what a setting says of torch's kernels, said of its own."""
    return "CUDAExecutionProvider", {
        **of_stream(setting),
        "use_tf32": str(int(setting.precision == "tf32")),
        "cudnn_conv_algo_search": "EXHAUSTIVE" if setting.cudnn_benchmark else "HEURISTIC",
    }


def of_stream(setting: Setting) -> dict[str, str]:
    """The options by which a provider computes on the setting's GPU, in torch's current stream.

    To a provider the number 0 of torch's default stream means none: it would compute in one of its
    own, unseen by the events that time it. So another becomes the current one.
    """
    stream = torch.cuda.current_stream(setting.device)
    if not stream.cuda_stream:
        torch.cuda.synchronize(setting.device)  # what is there was computed in the default one
        stream = torch.cuda.Stream(setting.device)  # type: ignore[no-untyped-call]
        torch.cuda.set_stream(stream)
    return {
        "device_id": setting.device.partition(":")[2],
        "user_compute_stream": str(stream.cuda_stream),
    }


def _options() -> Any:
    """As torch runs a model: one operator at a time, with torch's number of threads, none of them
    bound to a core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.log_severity_level = 3  # errors
    return options


def _session(folder: Path, setting: Setting, options: Any, providers: Sequence[Provider]) -> Any:
    wanted = providers[0][0]
    if wanted not in onnxruntime.get_available_providers():
        raise SkipError(f"this ONNX Runtime has no {wanted}: install one that has")
    try:
        session = onnxruntime.InferenceSession(folder / _FILE, options, providers=list(providers))
    except Exception as error:  # of many classes, all of them private
        raise ExportError(
            f"{setting.runtime} cannot run it in {setting.precision} on a {setting.kind.upper()}: "
            f"{_name(error)}"
        ) from error
    if wanted not in session.get_providers():
        raise SkipError(f"{wanted} cannot be loaded: install the CUDA, cuDNN and TensorRT that "
                        f"ONNX Runtime {onnxruntime.__version__} wants")  # fmt: skip
    return session


def _refuse_conversions(exported: Path, setting: Setting) -> None:
    """Refuses a model that a CPU would compute in fp32, between conversions that a session adds."""
    with folder_of_process() as folder:
        options = _options()
        options.optimized_model_filepath = str(folder / "optimised.onnx")
        _session(exported, setting, options, [(_ON_CPU, {})])
        graph = onnx.load(options.optimized_model_filepath, load_external_data=False).graph
    converted = {name for node in graph.node if node.name.startswith(_CAST) for name in node.output}
    for node in graph.node:
        if converted & set(node.input):
            raise ExportError(
                f"onnxruntime has no {setting.precision} kernel for {node.op_type} on a CPU, and "
                f"would compute it in fp32"
            )


def _tell(session: Any) -> dict[str, str | int]:
    options = session.get_session_options()
    return {
        "providers": ", ".join(session.get_providers()),
        "intra_op_num_threads": options.intra_op_num_threads,
        "inter_op_num_threads": options.inter_op_num_threads,
        "execution_mode": str(options.execution_mode).rpartition(".")[2],
        "graph_optimization_level": str(options.graph_optimization_level).rpartition(".")[2],
        "intra_op.allow_spinning": options.get_session_config_entry(
            "session.intra_op.allow_spinning"
        ),
    }


def _name(error: BaseException) -> str:
    """The operator that an error, or what caused it, names; else what the first cause says."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    for text in (str(error), str(cause)):
        if match := _UNKNOWN.search(text):
            return f"it has no {next(filter(None, match.groups()))}"
    return in_a_line(cause)
