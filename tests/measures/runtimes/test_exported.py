"""Each runtime that is installed on small real models; `tox run -e runtimes` installs them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cmx_bench import measures
from cmx_bench.cell import Model, Runtime, Setting
from cmx_bench.errors import ExportError, SkipError
from cmx_bench.measures import Watched, ready
from cmx_bench.worker import local

CONVMIXER = Model(
    "m", "M", "convmixer", "convmixer", "",
    {"dim": 16, "depth": 2, "kernel_size": 5, "patch_size": 7}, num_classes=10,
)  # fmt: skip
SETTING = Setting("s", "cpu", "fp32", "nchw", "none", 2, 28, threads=1)


def on(runtime: Runtime) -> Setting:
    if runtime != "aotinductor":
        pytest.importorskip(runtime)
    return replace(SETTING, runtime=runtime)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_logits_are_those_of_torch(runtime: Runtime) -> None:
    setting = on(runtime)
    torch.set_num_threads(1)
    told = ready.prepare(CONVMIXER, setting).details["runtime"]
    assert told["version"].startswith(f"{runtime} ")
    assert 0 <= told["difference"] < 1e-4
    threads = {"onnxruntime": "intra_op_num_threads", "openvino": "INFERENCE_NUM_THREADS"}
    assert str(told["options"][threads[runtime]]) == "1"


def test_torch_compiles_ahead_of_time() -> None:
    pytest.importorskip("onnxruntime")  # it takes long: where the others are, it is measured too
    assert ready.prepare(CONVMIXER, on("aotinductor")).details["runtime"]["difference"] < 1e-4


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("measure", ["memory", "load_time"])
def test_measures_under_a_runtime(runtime: Runtime, measure: str) -> None:
    watched: Watched = local.call(f"cmx_bench.measures.{measure}:measure", CONVMIXER, on(runtime))
    assert watched.details["runtime"]["difference"] < 1e-4
    assert all(value > 0 for values in watched.values.values() for value in values)


def test_what_a_runtime_plans_is_its_own() -> None:
    with pytest.raises(SkipError, match="openvino plans its memory by itself"):
        measures.function("planned_memory")(CONVMIXER, replace(SETTING, runtime="openvino"))


class Airy(nn.Module):
    """Uses an operator that neither ONNX nor OpenVINO has."""

    def forward(self, batch: Tensor) -> Tensor:
        return torch.special.airy_ai(batch.mean((2, 3)))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_an_unknown_operator_is_named(runtime: Runtime) -> None:
    with pytest.raises(ExportError, match="it has no aten.+special_airy_ai"):
        ready.prepare_module(Airy().eval(), on(runtime))


@pytest.mark.parametrize(
    ("precision", "message"),
    [("fp16", "no fp16 kernel for Conv on a CPU"), ("bf16", "in bf16 on a CPU: it has no Conv")],
)
def test_onnxruntime_says_for_which_operator_it_has_no_kernel(precision: str, message: str) -> None:
    if "arm" in torch.backends.cpu.get_cpu_capability().lower():
        pytest.skip("it has some there")
    setting = replace(on("onnxruntime"), precision=precision)  # type: ignore[arg-type]
    with pytest.raises(ExportError, match=message):
        ready.prepare(CONVMIXER, setting)


def test_openvino_does_not_pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setting = replace(on("openvino"), precision="fp16")
    from openvino import Core

    if "FP16" in Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU computes fp16")
    with pytest.raises(SkipError, match="computes fp16 in fp32 on this CPU"):
        ready.prepare(CONVMIXER, setting)
