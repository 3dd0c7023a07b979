"""Images a second: on a clock of ours, with disturbed blocks, launches and compiling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain, repeat

import pytest
import torch

from cmx_bench.cell import Setting
from cmx_bench.measures import throughput
from cmx_bench.measures.forward import Forward

from .test_measures import CPU, MODEL, measure


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes that "last" 0.1 s each, the first 3 s, on a machine that nobody disturbs."""
    monkeypatch.setattr(throughput, "warm_up", lambda forward, device: [3.0, 0.1, 0.1, 0.1])
    monkeypatch.setattr(throughput, "elapsed", lambda forward, passes, device: 0.1 * passes)
    monkeypatch.setattr(throughput, "look_for", lambda setting: lambda: {"probe": 1.0})


@pytest.mark.usefixtures("steady")
def test_a_setting_is_compiled_in_its_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, mode: modes.append(mode))
    samples = measure("throughput", setting=replace(CPU, compile="max-autotune"))
    assert modes == ["max-autotune"]
    assert samples["compile_time"] == [3.0]
    assert torch.compiler.config.force_disable_caches


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
    assert [condition["launching"] for condition in blocks.conditions] == [
        pytest.approx(0.7), 1.0, *[pytest.approx(0.7)] * 6,
    ]  # fmt: skip
    assert "launching" not in throughput.measure(MODEL, CPU).covariates
