"""Work by kind and peaks, on a small real model and by a clock that ticks as it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest
import torch

from cmx_bench.cell import Model, Precision, Setting
from cmx_bench.errors import SkipError
from cmx_bench.measures import Watched, roofline
from cmx_bench.measures.workload import KINDS, read

MODEL = Model(
    "m", "M", "convmixer", "convmixer", "",
    {"dim": 16, "depth": 2, "kernel_size": 5, "patch_size": 7}, num_classes=10,
)  # fmt: skip
CPU = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 56)
TOKENS = 8 * 8


@pytest.fixture(scope="module")
def taken() -> Watched:
    """What the measure gives where each look at the clock takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        clock = count()
        patch.setitem(roofline._CLOCKS, "cpu", (lambda: next(clock), lambda a, b: b - a))
        patch.setattr(roofline, "elapsed", lambda run, passes, device: 2.0)
        patch.setitem(roofline.SIDE, "cpu", 16)
        patch.setattr(roofline, "LONGEST", 2000)
        patch.setitem(roofline.COPIED, "cpu", 2**10)
        watched = roofline.measure(MODEL, CPU)
    assert isinstance(watched, Watched)
    return watched


def test_macs_and_bytes_of_a_batch(taken: Watched) -> None:
    work = taken.details["work"]
    image = 4 * TOKENS * 16  # fp32
    assert work["depthwise"]["macs"] == 2 * 2 * TOKENS * 16 * 5**2
    assert work["depthwise"]["bytes"] == 2 * (2 * 2 * image + 4 * (16 * 5**2 + 16))
    assert work["linear"]["macs"] == 2 * 16 * 10
    assert work["linear"]["bytes"] == 4 * (2 * (16 + 10) + 16 * 10 + 10)


def test_each_call_is_timed_by_itself(taken: Watched) -> None:
    """Two depthwise convolutions, three others, one linear layer: a second each. The clock is read
    13 times between the beginning and the end of a pass."""
    seconds = {kind: work["seconds"] for kind, work in taken.details["work"].items()}
    assert seconds == {
        "depthwise": [2, 2, 2], "convolution": [3, 3, 3], "linear": [1, 1, 1], "other": [7, 7, 7],
    }  # fmt: skip


def test_rates(taken: Watched) -> None:
    assert taken.values["compute_peak"] == [16**3 / 2]
    assert taken.values["bandwidth_peak"] == [2 * 2**10 / 2]
    macs = sum(work["macs"] for work in taken.details["work"].values())
    assert taken.values["mac_rate"] == [pytest.approx(macs / 13)] * 3


def test_details_are_read_for_one_image(taken: Watched) -> None:
    by_kind = {work.kind: work for work in read(taken.details, CPU.batch_size)}
    assert list(by_kind) == [kind for kind in KINDS if kind != "attention"]
    assert by_kind["depthwise"].macs == 2 * TOKENS * 16 * 5**2
    assert by_kind["depthwise"].seconds == 1
    assert by_kind["depthwise"].rate == 2 * TOKENS * 16 * 5**2
    assert by_kind["other"].intensity is None


@pytest.mark.parametrize("precision", ["bf16", "autocast"])
def test_peaks_are_those_of_the_precision(
    precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    types: list[torch.dtype] = []

    def fastest(run: Callable[[], torch.Tensor], setting: Setting) -> float:
        types.append(run().dtype)
        return 1.0

    monkeypatch.setattr(roofline, "_fastest", fastest)
    roofline._compute_rate(16, replace(CPU, precision=precision))
    assert types == [torch.bfloat16, torch.bfloat16]  # as a product, and as a convolution


def test_the_peak_is_that_of_the_faster_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of products and of pointwise convolutions, which are the same products."""
    seconds = iter([3.0, 2.0])
    results: list[torch.Tensor] = []

    def fastest(run: Callable[[], torch.Tensor], setting: Setting) -> float:
        results.append(run())
        return next(seconds)

    monkeypatch.setattr(roofline, "_fastest", fastest)
    assert roofline._compute_rate(16, CPU) == 16**3 / 2
    assert [result.numel() for result in results] == [16**2, 16**2]


@pytest.mark.parametrize(("seconds", "sides"), [(1e-3, [2, 16]), (1.0, [2])])
def test_a_peak_that_would_take_too_long_is_that_of_small_matrices(
    seconds: float, sides: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of bf16 on a CPU that emulates it: 4,096 products there, at 8 a second."""
    tried: list[int] = []

    def rate(side: int, setting: Setting) -> float:
        tried.append(side)
        return side**3 / seconds

    monkeypatch.setattr(roofline, "_compute_rate", rate)
    monkeypatch.setitem(roofline.SIDE, "cpu", 16)
    assert roofline.compute_peak(CPU) == sides[-1] ** 3 / seconds
    assert tried == sides


def test_a_peak_of_int8_is_no_less_than_that_of_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch multiplies int8 by a plain loop where a CPU has no instructions for it."""
    monkeypatch.setattr(
        roofline, "_compute_rate", lambda side, each: {"int8": 1e6, "fp32": 1e9}[each.precision]
    )
    assert roofline.compute_peak(replace(CPU, precision="int8", runtime="openvino")) == 1e9


def test_real_peaks_and_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(roofline.SIDE, "cpu", 64)
    monkeypatch.setitem(roofline.COPIED, "cpu", 2**16)
    watched = roofline.measure(MODEL, CPU)
    assert min(watched.values["compute_peak"] + watched.values["bandwidth_peak"]) > 0
    assert all(min(work["seconds"]) > 0 for work in watched.details["work"].values())


def test_a_gpu_waits_until_the_timed_pass_is_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the GPU writes down what is launched, in order."""
    asked: list[object] = []

    def mark() -> int:
        asked.append("mark")
        return len(asked)

    monkeypatch.setattr(roofline, "sleep", asked.append)
    monkeypatch.setitem(roofline._CLOCKS, "cuda", (mark, lambda begin, end: end - begin))
    module = torch.nn.Linear(4, 4)

    def forward() -> torch.Tensor:
        asked.append("pass")
        return module(torch.ones(1, 4))  # type: ignore[no-any-return]

    taken = roofline._time(forward, module, replace(CPU, device="cuda:0"))
    assert asked == [roofline.AHEAD_CYCLES, "mark", "pass", "mark", "mark", "mark"]
    assert taken.by_kind == {"linear": 1}


def test_a_compiled_setting_is_skipped() -> None:
    with pytest.raises(SkipError, match="no operators one by one: a setting with compile: none"):
        roofline.measure(MODEL, replace(CPU, compile="default"))


def test_of_another_runtime_the_peaks_alone_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(roofline.SIDE, "cpu", 16)
    monkeypatch.setitem(roofline.COPIED, "cpu", 2**10)
    peaks = roofline.measure(MODEL, replace(CPU, runtime="openvino"))
    assert set(peaks.values) == {"compute_peak", "bandwidth_peak"}
    assert peaks.details == {}
