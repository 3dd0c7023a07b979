"""Each runtime that is installed on small real models; `tox run -e runtimes` installs them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cmx_bench import measures
from cmx_bench.accuracy.predicting import predictor
from cmx_bench.accuracy.preprocessing import Geometry, Preprocessing
from cmx_bench.cell import Cell, Model, Runtime, Setting
from cmx_bench.errors import ExportError, SkipError
from cmx_bench.measures import Watched, instructions, ready
from cmx_bench.measures.calibration import Calibration, giving
from cmx_bench.measures.normalising import normalise
from cmx_bench.models.building import build
from cmx_bench.worker import local
from cmx_bench.worker.job import Job, Outcome
from cmx_bench.worker.targets import Target

from ...conftest import Cli

CONVMIXER = Model(
    "m", "M", "convmixer", "convmixer", "",
    {"dim": 16, "depth": 2, "kernel_size": 5, "patch_size": 7}, num_classes=10,
)  # fmt: skip
INT8 = """\
name: int8
models: [{name: m, convmixer: {dim: 16, depth: 2, kernel_size: 5, patch_size: 7}}]
num_classes: 10
measures: [throughput, memory, load_time, roofline, accuracy]
accuracy: {dataset: digits, image_size: 28}
replicates: 1
settings:
  cpu: [{name: s, runtime: RUNTIME, precision: int8, batch_size: 2, image_size: 28, threads: 1}]
"""
IMAGES = torch.randn(20, 3, 28, 28, generator=torch.Generator().manual_seed(1))
SETTING = Setting("s", "cpu", "fp32", "nchw", "none", 2, 28, threads=1)


def on(runtime: Runtime) -> Setting:
    if runtime != "aotinductor":
        pytest.importorskip(runtime)
    return replace(SETTING, runtime=runtime)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_logits_are_those_of_torch(runtime: Runtime) -> None:
    setting = on(runtime)
    torch.set_num_threads(1)
    details = ready.prepare(CONVMIXER, setting).details["runtime"]
    assert details["version"].startswith(f"{runtime} ")
    assert 0 <= details["difference"] < 1e-4
    threads = {"onnxruntime": "intra_op_num_threads", "openvino": "INFERENCE_NUM_THREADS"}
    assert str(details["options"][threads[runtime]]) == "1"


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


OWN = """\
from torch import nn
def net(): return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10))
"""


@pytest.mark.parametrize("measure", ["memory", "throughput"])
def test_the_file_of_a_users_model_is_known_whichever_process_exports_it(
    measure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = on("onnxruntime")
    (tmp_path / "own_net.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    model = Model("m", "M", "m", "python", "own_net:net", {}, num_classes=10)
    job = Job(Cell(model, measure, setting), 0, tmp_path / "log.txt")
    outcome: Outcome = local.call(Target.SAMPLE, job)
    assert (outcome.reason, outcome.details["origin"]["file"]) == ("", "own_net.py")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_an_unknown_operator_is_named(runtime: Runtime) -> None:
    with pytest.raises(ExportError, match="it has no aten.+special_airy_ai"):
        ready.prepare_module(Airy().eval(), on(runtime))


class Decides(nn.Module):
    """Another network for bright images than for dark ones; finite they must all be."""

    def __init__(self, bright: float) -> None:
        super().__init__()
        self.bright = bright

    def forward(self, batch: Tensor) -> Tensor:
        assert batch.isfinite().all()
        means = batch.mean((2, 3))
        return means if means.mean() < self.bright else -means


class DecidesByCond(nn.Module):
    def forward(self, batch: Tensor) -> Tensor:
        means = batch.mean((2, 3))
        decided: Tensor = torch.cond(means.mean() < 0.5, torch.neg, torch.clone, (means,))
        return decided


def test_openvino_has_no_cond() -> None:
    with pytest.raises(ExportError, match="^OpenVINO cannot convert it: it has no cond$"):
        ready.prepare_module(DecidesByCond().eval(), on("openvino"))


@pytest.mark.parametrize("runtime", ["aotinductor", "onnxruntime", "openvino"])
def test_a_model_that_decides_by_the_images_is_refused(runtime: Runtime) -> None:
    with pytest.raises(ExportError, match="reads values of the images|data-dependent"):
        ready.prepare_module(Decides(0.5).eval(), on(runtime))


def test_what_all_images_decide_alike_is_converted() -> None:
    assert ready.prepare_module(Decides(99.0).eval(), on("openvino")).details


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


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model with weights, whose statistics are those of the images that it is calibrated on."""
    torch.manual_seed(0)
    module = build(CONVMIXER, 28)
    normalise(module, lambda: module.eval()(IMAGES))
    file = tmp_path_factory.mktemp("weights") / "m.safetensors"
    save_file(module.state_dict(), file)
    return replace(CONVMIXER, weights=str(file))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_int8_is_of_the_models_weights(runtime: Runtime, taught: Model) -> None:
    setting = replace(on(runtime), precision="int8")
    torch.set_num_threads(1)
    with giving(lambda size: Calibration(IMAGES, "here")):
        details = [ready.prepare(taught, setting).details["runtime"] for _ in range(2)]
    assert details[0]["calibration"]["images"] == len(IMAGES)
    assert 0.001 < details[0]["difference"] < 0.3
    # The first convolution of each block, the pointwise ones and the classifier.
    assert details[0]["quantised"]["products"][1] == 6
    assert details[0]["quantised"] == details[1]["quantised"]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_weights_have_7_bits_where_sums_of_8_would_overflow(
    runtime: Runtime, taught: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime and NNCF advise it for CPUs that have AVX2 or AVX-512 without VNNI."""
    setting = replace(on(runtime), precision="int8")
    monkeypatch.setitem(ready.TOLERANCES, "int8", 10)  # this CPU may be one of them
    details = []
    for int8 in ("emulated", "AVX-VNNI"):
        monkeypatch.setattr(instructions, "of_cpu", lambda int8=int8: {"int8": int8})
        with giving(lambda size: Calibration(IMAGES, "here")):
            details.append(ready.prepare(taught, setting).details["runtime"])
    assert [runtime["quantised"]["weight_bits"] for runtime in details] == [7, 8]
    assert details[0]["quantised"]["sha256"] != details[1]["quantised"]["sha256"]
    assert details[0]["difference"] < 0.3


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_other_images_make_another_int8_model(runtime: Runtime, taught: Model) -> None:
    setting = replace(on(runtime), precision="int8")
    details = []
    for images in (Calibration(IMAGES, "here"), Calibration(3 * IMAGES, "here")):
        with giving(Mock(return_value=images)):
            details.append(ready.prepare(taught, setting).details["runtime"])
    assert details[0]["calibration"]["sha256"] != details[1]["calibration"]["sha256"]
    assert details[0]["quantised"]["sha256"] != details[1]["quantised"]["sha256"]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_what_is_timed_in_int8_is_what_is_evaluated(
    runtime: Runtime, taught: Model, cmx: Cli, tmp_path: Path
) -> None:
    on(runtime)
    Path("suite.yaml").write_text(INT8.replace("RUNTIME", runtime))
    code, _, err = cmx("run", "suite.yaml", "--out", "run", "--weights", f"m={taught.weights}")
    assert code == 0, err
    lines = map(json.loads, Path("run/records.jsonl").read_text().splitlines())
    details = {line["measure"]: line["details"]["runtime"] for line in lines if line["details"]}
    assert set(details) == {"throughput", "memory", "load_time", "accuracy"}
    assert len({runtime["quantised"]["sha256"] for runtime in details.values()}) == 1
    assert len({runtime["calibration"]["sha256"] for runtime in details.values()}) == 1


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_accuracy_may_have_an_image_size_of_its_own(runtime: Runtime, taught: Model) -> None:
    preprocessing = Preprocessing(Geometry(35, 1.0, "center", "bicubic"), (0.5,) * 3, (0.5,) * 3)
    pixels = torch.randint(0, 256, (3, 3, 35, 35), dtype=torch.uint8)
    setting = on(runtime)
    predict, _, details = predictor(taught, setting, preprocessing, None)
    _, scores = predict(pixels)
    as_torch, *_ = predictor(taught, replace(setting, runtime="torch"), preprocessing, None)
    torch.testing.assert_close(scores, as_torch(pixels)[1])
    assert details["runtime"]["difference"] < 1e-4


def test_openvino_tells_nobody_of_its_use() -> None:
    pytest.importorskip("openvino")
    words = "import cmx_bench.measures.runtimes.openvino, openvino.tools.ovc as ovc, nncf.telemetry"
    statement = "print(ovc.telemetry.consent, nncf.telemetry.telemetry._impl.consent)"
    line = [sys.executable, "-c", f"{words}; {statement}"]
    asked = subprocess.run(line, capture_output=True, text=True, check=True)
    assert asked.stdout.split() == ["False", "False"]


def test_openvino_does_not_pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setting = replace(on("openvino"), precision="fp16")
    from openvino import Core

    if "FP16" in Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU computes fp16")
    with pytest.raises(SkipError, match="computes fp16 in fp32 on this CPU"):
        ready.prepare(CONVMIXER, setting)


def test_a_provider_computes_in_the_stream_that_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for torch's streams, of which the default one has the number 0."""
    pytest.importorskip("onnxruntime")
    from cmx_bench.measures.runtimes import onnxruntime

    current = [Mock(cuda_stream=0)]
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: current[-1])
    monkeypatch.setattr(torch.cuda, "synchronize", Mock())
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Mock(cuda_stream=77))
    monkeypatch.setattr(torch.cuda, "set_stream", current.append)
    setting = Setting("s", "cuda:1", "fp16", "nchw", "none", 2, 8, runtime="tensorrt")
    expected = {"device_id": "1", "user_compute_stream": "77"}
    assert onnxruntime.of_stream(setting) == onnxruntime.of_stream(setting) == expected
    assert len(current) == 2
