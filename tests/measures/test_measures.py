"""Each measure on a small real model, against arithmetic."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch._inductor.exc import InductorError

from cmx_bench import measures
from cmx_bench.cell import Layout, Model, Precision, Setting
from cmx_bench.measures import MEASURES, forward, ready
from cmx_bench.metrics import METRICS, first_of
from cmx_bench.models import fast
from cmx_bench.models.building import build
from cmx_bench.models.fast import optimise
from cmx_bench.worker import local

MODEL = Model(
    "m", "M", "convmixer", "convmixer", "",
    {"dim": 16, "depth": 2, "kernel_size": 5, "patch_size": 7}, num_classes=10,
)  # fmt: skip
OPTIMISED = replace(MODEL, optimised=True)
CPU = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 56)


def measure(name: str, model: Model = MODEL, setting: Setting = CPU) -> measures.Samples:
    forward.apply_flags(setting)
    result = measures.function(name)(model, setting)
    return result.values if isinstance(result, measures.Watched) else result


def measure_afresh(name: str, model: Model, setting: Setting) -> measures.Samples:
    """As a run measures: in a fresh process. This one has room left by earlier tests, in which a
    model would lie without the process growing."""
    samples: measures.Samples = local.call(f"cmx_bench.measures.{name}:measure", model, setting)
    return samples


def test_the_table_and_the_metrics_agree() -> None:
    assert {metric.measure for metric in METRICS.values()} == set(MEASURES)


def test_precise_measures_are_repeated_and_sampled() -> None:
    precise = [name for name, info in MEASURES.items() if info.precise]
    assert precise == ["throughput", "latency", "train_throughput"]
    for name in precise:
        assert MEASURES[name].repeated
        assert not METRICS[first_of(name)].exact


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "autocast"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_settings_reach_the_model(precision: Precision, layout: Layout) -> None:
    setting = replace(CPU, precision=precision, layout=layout)
    module = forward.place(build(MODEL, 56), setting)
    weight = next(p for p in module.parameters() if p.ndim == 4 and p.shape[1] > 1)
    images = forward.images(setting)
    output: Any = ready.prepare_module(module, setting).forward()
    expected = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16,
                "autocast": torch.bfloat16}[precision]  # fmt: skip
    assert output.dtype == expected
    assert weight.dtype == images.dtype == forward.DTYPES[precision]
    for tensor in (weight, images):
        assert tensor.is_contiguous(memory_format=torch.channels_last) == (layout == "nhwc")
    assert output.shape == (2, 10)
    assert output.is_inference()


@pytest.mark.parametrize(("precision", "name"), [("tf32", "tf32"), ("fp32", "ieee")])
def test_flags_are_set_both_ways(precision: Precision, name: str) -> None:
    on = precision == "tf32"
    forward.apply_flags(replace(CPU, precision=precision, cudnn_benchmark=on))
    assert torch.backends.cuda.matmul.fp32_precision == name
    assert torch.backends.cudnn.benchmark == on
    # Readers of the older switches, Inductor among them, fail where only the newer ones are set.
    assert torch.backends.cuda.matmul.allow_tf32 == on
    assert torch.backends.cudnn.allow_tf32 == on
    assert torch.get_float32_matmul_precision() == ("high" if on else "highest")


def test_an_optimised_model_is_timed_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[nn.Module] = []

    def fold(module: nn.Module) -> nn.Module:
        folded.append(optimise(module))
        return folded[-1]

    monkeypatch.setattr(fast, "optimise", fold)
    outputs = []
    for model in (MODEL, OPTIMISED):
        torch.manual_seed(0)
        outputs.append(ready.prepare(model, CPU).forward())
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-5)
    assert [type(module) for module in folded] == [fast.FastConvMixer]


def test_a_models_own_flags_do_not_last() -> None:
    torch.backends.cudnn.benchmark = False
    ready.prepare_module(build(MODEL, 56), CPU)
    assert torch.backends.cudnn.benchmark


@pytest.mark.parametrize("own", ["tf32", "ieee"])
@pytest.mark.parametrize(
    "where", ["", "cudnn", "cudnn.conv", "cudnn.rnn", "cuda.matmul", "mkldnn", "mkldnn.matmul"]
)
@pytest.mark.parametrize(("precision", "name"), [("tf32", "tf32"), ("fp32", "ieee")])
def test_torchs_newer_switches_do_not_last(
    where: str, own: str, precision: Precision, name: str
) -> None:
    """Set by a user's module, they won over the older ones: TF32 in a row that says fp32."""
    operator.attrgetter(f"backends.{where}".rstrip("."))(torch).fp32_precision = own
    forward.apply_flags(replace(CPU, precision=precision))
    backends: Any = torch.backends
    conv = backends.cudnn.conv.fp32_precision
    assert (conv == "tf32", torch.backends.cuda.matmul.fp32_precision) == (name == "tf32", name)
    assert backends.mkldnn.matmul.fp32_precision == "none"
    # The older ones, which Inductor reads, raise an error where the newer ones say otherwise.
    assert torch.backends.cudnn.allow_tf32 == (name == "tf32")
    assert torch.get_float32_matmul_precision() == ("high" if name == "tf32" else "highest")


def test_switches_that_no_setting_decides_are_torchs_defaults() -> None:
    backends, matmul = torch.backends, torch.backends.cuda.matmul
    matmul.allow_fp16_accumulation = backends.cudnn.deterministic = True
    matmul.allow_bf16_reduced_precision_reduction = False
    backends.cuda.enable_flash_sdp(False)
    torch.use_deterministic_algorithms(True)
    forward.apply_flags(CPU)
    assert not matmul.allow_fp16_accumulation
    assert not backends.cudnn.deterministic
    assert matmul.allow_bf16_reduced_precision_reduction
    assert backends.cuda.flash_sdp_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_gpu_of_a_setting_is_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    current: list[str] = []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    forward.apply_flags(replace(CPU, device="cuda:1"))
    forward.apply_flags(CPU)
    assert current == ["cuda:1"]


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("Triton Error [CUDA]: out of memory"), True),
        (
            RuntimeError(
                "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(h)`"
            ),
            True,
        ),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), True),
        (InductorError(torch.OutOfMemoryError("CUDA out of memory."), None), True),
        (InductorError(ValueError("no such kernel"), None), False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (ValueError("DefaultCPUAllocator: "), False),
    ],
)
def test_out_of_memory(error: Exception, answer: bool) -> None:
    assert forward.out_of_memory(error) == answer


@pytest.mark.parametrize(("device", "kept"), [("cpu", True), ("cuda:0", False)])
def test_what_a_gpus_process_picked_by_timing_is_not_shared(
    monkeypatch: pytest.MonkeyPatch, device: str, kept: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, mode: None)
    forward.make_ready(build(MODEL, 56), replace(CPU, device=device, compile="default"))
    assert torch._inductor.config.autotune_local_cache == kept


def test_threads_are_set() -> None:
    before = torch.get_num_threads()
    try:
        forward.apply_flags(replace(CPU, threads=1))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
