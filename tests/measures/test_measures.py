"""Each measure on a small real model, against arithmetic."""

from __future__ import annotations

import operator
import resource
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._inductor.exc import InductorError

from cmx_bench import measures
from cmx_bench.cell import Layout, Model, Precision, Setting
from cmx_bench.errors import SkipError
from cmx_bench.measures import MEASURES, forward, latency, memory, ready, throughput, timing
from cmx_bench.measures.forward import Forward
from cmx_bench.metrics import METRICS, first_of
from cmx_bench.models import fast
from cmx_bench.models.building import build
from cmx_bench.models.fast import optimised
from cmx_bench.worker import local

MODEL = Model(
    "m", "M", "convmixer", "convmixer", "",
    {"dim": 16, "depth": 2, "kernel_size": 5, "patch_size": 7}, num_classes=10,
)  # fmt: skip
OPTIMISED = replace(MODEL, optimised=True)
CPU = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 56)


def measure(name: str, model: Model = MODEL, setting: Setting = CPU) -> measures.Samples:
    forward.apply_flags(setting)
    found = measures.function(name)(model, setting)
    return found.values if isinstance(found, measures.Watched) else found


def measured(name: str, model: Model, setting: Setting) -> measures.Samples:
    """As a run measures: in a fresh process. This one has room left by earlier tests, in which a
    model would lie without the process growing."""
    found: measures.Samples = local.call(f"cmx_bench.measures.{name}:measure", model, setting)
    return found


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes that "last" 0.1 s each, the first 3 s, on a machine that nobody disturbs."""
    monkeypatch.setattr(throughput, "warm_up", lambda forward, device: [3.0, 0.1, 0.1, 0.1])
    monkeypatch.setattr(throughput, "elapsed", lambda forward, passes, device: 0.1 * passes)
    monkeypatch.setattr(throughput, "look_for", lambda setting: lambda: {"probe": 1.0})


def test_the_table_and_the_metrics_agree() -> None:
    assert {metric.measure for metric in METRICS.values()} == set(MEASURES)


def test_precise_measures_are_repeated_and_sampled() -> None:
    precise = [name for name, info in MEASURES.items() if info.precise]
    assert precise == ["throughput", "latency", "train_throughput"]
    for name in precise:
        assert MEASURES[name].repeated
        assert not METRICS[first_of(name)].exact


def test_params() -> None:
    bn = 2 * 16 * 5  # running mean and variance of five BatchNorms
    assert measure("params") == {
        "params": [16 * (2 * (25 + 16 + 6) + 3 * 49 + 10 + 3) + 10],
        "trainable_params": [16 * (2 * (25 + 16 + 6) + 3 * 49 + 10 + 3) + 10],
        "buffers": [bn + 5],
    }


def test_macs() -> None:
    n = 8 * 8
    assert measure("macs") == {
        "macs": [n * 16 * 3 * 49 + 2 * (n * 16 * 25 + n * 16 * 16) + 160],
        "activations": [n * 16 * 5 + 10],
    }


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "autocast"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_settings_reach_the_model(precision: Precision, layout: Layout) -> None:
    setting = replace(CPU, precision=precision, layout=layout)
    module = forward.place(build(MODEL, 56), setting)
    weight = next(p for p in module.parameters() if p.ndim == 4 and p.shape[1] > 1)
    images = forward.images(setting)
    output = ready.prepare_module(module, setting).forward()
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
        folded.append(optimised(module))
        return folded[-1]

    monkeypatch.setattr(fast, "optimised", fold)
    outputs = []
    for model in (MODEL, OPTIMISED):
        torch.manual_seed(0)
        outputs.append(ready.prepare(model, CPU).forward())
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-5)
    assert [type(module) for module in folded] == [fast.FastConvMixer]


def test_an_optimised_model_plans_and_loads_the_folded_one_and_does_not_train() -> None:
    planned, less = (measure("planned_memory", model)["planned_memory"] for model in
                     (MODEL, OPTIMISED))  # fmt: skip
    assert less[0] < planned[0]
    assert measure("load_time", OPTIMISED)["load_time"][0] > 0
    for name in ("train_throughput", "train_memory"):
        with pytest.raises(SkipError, match="trained as the plain one"):
            measure(name, OPTIMISED)


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
    conv = torch.backends.cudnn.conv.fp32_precision
    assert (conv == "tf32", torch.backends.cuda.matmul.fp32_precision) == (name == "tf32", name)
    assert torch.backends.mkldnn.matmul.fp32_precision == "none"
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


@pytest.mark.usefixtures("steady")
def test_a_setting_is_compiled_in_its_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, mode: modes.append(mode))
    samples = measure("throughput", setting=replace(CPU, compile="max-autotune"))
    assert modes == ["max-autotune"]
    assert samples["compile_time"] == [3.0]
    assert torch.compiler.config.force_disable_caches


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


@pytest.mark.usefixtures("steady")
def test_throughput_is_images_over_seconds() -> None:
    assert measure("throughput") == {"throughput": [pytest.approx(20.0)] * 8}


@pytest.mark.usefixtures("steady")
def test_disturbed_blocks_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    # One before the warm-up, one before the first block; two blocks lie beside the slow one.
    probes = chain([1.0, 1.0, 2.0], repeat(1.0))
    seconds = chain([0.4, 0.2], repeat(0.1))
    monkeypatch.setattr(throughput, "look_for", lambda setting: lambda: {"probe": next(probes)})
    monkeypatch.setattr(throughput, "elapsed", lambda forward, passes, device: next(seconds))
    watched = throughput.measure(MODEL, CPU)
    assert watched.values == {"throughput": [pytest.approx(20.0)] * 8}
    assert watched.discarded == {"throughput": [pytest.approx(5.0), pytest.approx(10.0)]}
    assert watched.covariates["discarded"] == [1, 1] + [0] * 8


@pytest.mark.usefixtures("steady")
def test_the_first_look_is_before_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the warm-up and the first block a GPU would idle while it is made."""
    asked: list[str] = []

    def look_for(setting: Setting) -> Callable[[], dict[str, float]]:
        asked.append("look for")
        return look

    def look() -> dict[str, float]:
        asked.append("look")
        return {"probe": 1.0}

    def warm_up(forward: Forward, device: str) -> list[float]:
        asked.append("warm up")
        return [3.0, 0.1, 0.1, 0.1]

    monkeypatch.setattr(throughput, "look_for", look_for)
    monkeypatch.setattr(throughput, "warm_up", warm_up)
    throughput.measure(MODEL, CPU)
    assert asked[:4] == ["look for", "look", "warm up", "look"]


@pytest.mark.usefixtures("steady")
def test_a_gpus_blocks_say_what_share_launching_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes of 0.1 s, in one block of 0.06 s, each launched in 0.07 s."""
    seconds = chain([0.1, 0.06], repeat(0.1))
    monkeypatch.setattr(throughput, "launch_seconds", lambda forward: 0.07)
    on_gpu = replace(CPU, device="cuda:0")
    _, blocks = throughput.take(torch.zeros, on_gpu, lambda count: (count * next(seconds),))
    assert [one["launching"] for one in blocks.conditions] == [
        pytest.approx(0.7), 1.0, *[pytest.approx(0.7)] * 6,
    ]  # fmt: skip
    assert "launching" not in throughput.measure(MODEL, CPU).covariates


@pytest.mark.parametrize(
    ("seconds", "calls"),
    [(1e-6, 1000), (0.01, 200), (0.1, 50), (0.4, 50), (0.8, 25), (3.0, 10), (60.0, 10)],
)
def test_slow_calls_are_fewer(seconds: float, calls: int) -> None:
    """Two seconds of calls, 50 at least, but no longer than 20 s for more than 10 of them."""
    assert latency.calls(seconds) == calls


def test_real_throughput_and_latency_are_of_one_size() -> None:
    rate = measure("throughput")["throughput"]
    calls = measure("latency")
    assert 3 <= len(rate) <= timing.BLOCKS + timing.EXTRA_BLOCKS  # more where others disturb it
    assert min(rate) > 0
    assert 0 < calls["latency_p50"][0] <= calls["latency_p90"][0] <= calls["latency_p99"][0]


def test_load_time() -> None:
    assert measure("load_time")["load_time"][0] > 0


def test_memory_holds_the_weights_and_the_images() -> None:
    # 64 MiB of weights in one layer: far above the noise of a process.
    wide = replace(MODEL, args={"dim": 4096, "depth": 1, "kernel_size": 3, "patch_size": 7})
    weights = 4 * (4096 * (9 + 4096 + 6 + 147 + 10 + 3) + 10)
    assert weights < measure("planned_memory", wide)["planned_memory"][0] < 2 * weights
    assert 0.9 * weights < measured("memory", wide, CPU)["peak_memory"][0] < 4 * weights


def test_the_peak_is_counted_anew() -> None:
    block = torch.ones(32 * 2**20)  # 128 MiB
    high = memory.peak_resident()
    del block
    memory.forget_peak()
    assert memory.peak_resident() < high - 100 * 2**20


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a system tells of this process in place of /proc: that no file can be written."""
    monkeypatch.setattr(memory, "_PROCESS", tmp_path)
    (tmp_path / "clear_refs").mkdir()
    return tmp_path


@pytest.mark.parametrize("status", [None, "", "VmRSS:\t 5 kB\n", "VmHWM:\t 99999999 kB\n"])
def test_a_peak_that_cannot_be_counted_anew_is_that_of_the_process(
    proc: Path, status: str | None
) -> None:
    """A read-only /proc, none, and sandboxes whose status has no peak; the record says so."""
    if status is not None:
        (proc / "status").write_text(status)
    for name in ("memory", "train_memory"):
        found = measures.function(name)(MODEL, CPU)
        assert isinstance(found, measures.Watched)
        assert found.details == {"peak_since": "the start of the process"}
        most = 99_999_999 * 1024 if status and "VmHWM" in status else _own_peak()
        assert -(2**20) < max(value for [value] in found.values.values()) < most


def _own_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_status_without_a_peak_is_not_counted_anew(proc: Path) -> None:
    (proc / "clear_refs").rmdir()
    (proc / "status").write_text("VmRSS:\t 5 kB\n")
    assert not memory.forget_peak()
    assert memory.peak_resident() == pytest.approx(_own_peak(), rel=0.01)
    assert memory.peak_resident() >= memory.resident() - 2**20


def test_what_a_process_holds_is_not_told_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise memory.psutil.NoSuchProcess(1)

    monkeypatch.setattr(memory.psutil, "Process", missing)
    for name in ("memory", "train_memory"):
        with pytest.raises(SkipError, match="how much memory a process holds: mount /proc"):
            measures.function(name)(MODEL, CPU)


def test_device_memory_is_what_the_device_has_in_use_more_than_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a made-up GPU: of 1000 bytes 900 are free, and 640 once the model has run."""
    free = [900]

    def prepare(model: Model, setting: Setting) -> ready.Ready:
        free[0] -= 260
        return ready.Ready(lambda: torch.zeros(()))

    monkeypatch.setattr(memory, "prepare", prepare)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[0], 1000))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 150)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 200)
    for name in ("synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda device: None)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    assert memory.measure(MODEL, replace(CPU, device="cuda:0")) == {
        "peak_memory": [150], "reserved_memory": [200], "device_memory": [260],
    }  # fmt: skip
