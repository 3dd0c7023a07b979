"""How long a GPU is warmed, by a made-up one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, repeat

import pytest
import torch

from cmx_bench.cell import Setting
from cmx_bench.measures import heat, nvml, throughput
from cmx_bench.measures.heat import warm_through

GPU = Setting("g", "cuda:0", "fp16", "nchw", "none", 64, 224)


@pytest.fixture
def thermometer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[float]], None]:
    def give(degrees: Iterator[float]) -> None:
        monkeypatch.setattr(nvml, "celsius", lambda device: next(degrees))

    return give


def test_until_no_degree_is_added_in_three_seconds(
    thermometer: Callable[[Iterator[float]], None],
) -> None:
    # Half a second a block: at 6 s it is as warm as at 3 s, where it reached 58 degrees.
    thermometer(chain([40, 44, 48, 52, 55, 57, 58], repeat(58)))
    assert warm_through(lambda: 0.5, GPU) == 6.0


def test_a_warm_one_takes_no_longer_than_that(
    thermometer: Callable[[Iterator[float]], None],
) -> None:
    thermometer(repeat(70))
    assert warm_through(lambda: 0.5, GPU) == heat.STEADY_SECONDS


def test_one_that_never_settles_takes_a_minute(
    thermometer: Callable[[Iterator[float]], None],
) -> None:
    thermometer(iter(range(1000)))
    assert warm_through(lambda: 0.5, GPU) == heat.MOST_SECONDS


@pytest.mark.parametrize("setting", [GPU, replace(GPU, device="cpu")])
def test_without_a_thermometer_nothing_is_run(
    monkeypatch: pytest.MonkeyPatch, setting: Setting
) -> None:
    monkeypatch.setattr(nvml, "celsius", lambda device: None)

    def block() -> float:
        raise AssertionError("was run")

    assert warm_through(block, setting) is None


def test_blocks_say_how_long_the_gpu_was_warmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "celsius", lambda device: 50.0)
    monkeypatch.setattr(throughput, "warm_up", lambda forward, device: [3.0, 0.1, 0.1, 0.1])
    monkeypatch.setattr(throughput, "elapsed", lambda forward, passes, device: 0.1 * passes)
    monkeypatch.setattr(throughput, "launch_seconds", lambda forward: 0.01)
    monkeypatch.setattr(throughput, "look_for", lambda setting: lambda: {"gpu_sm_clock": 1e9})
    timed: list[int] = []

    def block(passes: int) -> tuple[float]:
        timed.append(passes)
        return (0.1 * passes,)

    _, blocks = throughput.take(lambda: torch.zeros(()), GPU, block)
    assert [one["gpu_warm_up"] for one in blocks.conditions] == [3.0] * 8
    assert timed == [5] * 8  # the passes that warm it are no blocks
