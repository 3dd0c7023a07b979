"""Warm-up and blocks, on a clock that the forward pass itself moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, repeat

import pytest
import torch

from cmx_bench.cell import Setting
from cmx_bench.measures import conditions, nvml, throughput, timing

from .events import note_events


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    return now


def forward_lasting(clock: list[float], seconds: Iterator[float]) -> Callable[[], torch.Tensor]:
    def forward() -> torch.Tensor:
        clock[0] += next(seconds)
        return torch.empty(0)

    return forward


def test_blocks_last_what_their_passes_last(clock: list[float]) -> None:
    forward = forward_lasting(clock, iter([1.0, 2.0, 3.0]))
    assert timing.elapsed(forward, 3, "cpu") == 6.0


@pytest.mark.parametrize(
    ("passes", "count"),
    [
        ([9, 1, 1, 1], 4),  # the first pass compiles and is never among the steady ones
        ([9, 0.75, 0.65, 0.5, 0.4, 0.4, 0.4], 7),
        ([1, 1, 1, 1], 4),
        ([9] + [0.125] * 9, 5),  # half a second at least
        ([9, 1.0, 1.04, 1.02], 4),
        ([9, 1.0, 1.06, 1.03, 1.03], 5),
    ],
)
def test_warm_up_ends_when_three_passes_agree(
    clock: list[float], passes: list[float], count: int
) -> None:
    seconds = chain(passes, repeat(100.0))
    assert len(timing.warm_up(forward_lasting(clock, seconds), "cpu")) == count


def test_warm_up_that_never_settles_ends_in_time(clock: list[float]) -> None:
    seconds = chain([60.0], (1.0 + n % 2 for n in range(1000)))
    passes = timing.warm_up(forward_lasting(clock, seconds), "cpu")
    assert 5.0 < sum(passes) - 60.0 <= 7.0


@pytest.mark.parametrize(("spin", "naps"), [(0.0, 1), (0.012, 4), (9.0, timing.MOST_NAPS)])
def test_threads_that_spin_behind_a_pass_are_waited_for(
    spin: float, naps: int, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One core computes for so many seconds more; whatever computes for ever is no spinning."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(timing.time, "sleep", sleep)
    monkeypatch.setattr(timing.time, "process_time", lambda: min(clock[0], spin))
    timing.rest()
    assert len(slept) == naps


@pytest.mark.parametrize(("seconds", "count", "on_a_gpu"), [(0.02, 5, 25), (3.0, 1, 1)])
def test_a_block_is_a_tenth_of_a_second_long_and_half_a_second_on_a_gpu(
    seconds: float, count: int, on_a_gpu: int
) -> None:
    assert timing.passes_a_block(seconds, "cpu") == count
    assert timing.passes_a_block(seconds, "cuda") == on_a_gpu


def take(
    paces: Iterator[float], probes: Iterator[float], one_pass: float = 0.1
) -> tuple[timing.Blocks, list[int]]:
    """Blocks of a network whose passes last `paces`, and the number of passes asked for."""
    asked: list[int] = []

    def block(passes: int) -> tuple[float, ...]:
        asked.append(passes)
        return (passes * next(paces),)

    return timing.take_blocks(block, lambda: {"probe": next(probes)}, one_pass, "cpu"), asked


def test_undisturbed_blocks_are_enough() -> None:
    blocks, asked = take(repeat(0.02), repeat(1.0), one_pass=0.02)
    assert asked == blocks.passes == [5] * timing.BLOCKS
    assert blocks.rates() == [pytest.approx(50)] * timing.BLOCKS
    assert {block["core_speed"] for block in blocks.conditions} == {1.0}


def test_disturbed_blocks_are_repeated() -> None:
    paces = chain([0.1, 0.2, 0.2, 0.15], repeat(0.1))
    slow = chain([1.0, 1.0, 2.0, 2.0, 1.0], repeat(1.0))
    blocks, _ = take(paces, slow)
    assert len(blocks.passes) == timing.BLOCKS + 3


def test_a_cause_that_slows_nothing_costs_nothing() -> None:
    blocks, _ = take(repeat(0.1), chain([1.0] * 4, repeat(2.0)))
    assert len(blocks.passes) == timing.BLOCKS


def test_fast_probes_may_come_late() -> None:
    """Blocks look undisturbed until probes have shown what the core can do."""
    blocks, _ = take(chain([0.2] * 6, repeat(0.1)), chain([2.0] * 6, repeat(1.0)))
    assert len(blocks.passes) == 6 + timing.BLOCKS
    assert [block["core_speed"] for block in blocks.conditions] == [0.5] * 6 + [1.0] * timing.BLOCKS


@pytest.mark.parametrize(
    ("length", "extra"), [(0.1, timing.EXTRA_BLOCKS), (0.5, 6), (2.0, 1), (5.0, 0)]
)
def test_repeating_has_an_end(length: float, extra: int) -> None:
    assert timing.most_blocks(length) == timing.BLOCKS + extra


def test_a_network_that_a_neighbour_makes_thirty_times_slower_ends_in_time() -> None:
    """A first block as long as planned for a calm machine, then as many passes as fit into one."""
    blocks, asked = take(repeat(0.03), chain([1.0], repeat(2.0)), one_pass=0.001)
    assert asked[:3] == [100, 3, 3]
    assert sum(map(sum, blocks.parts)) < timing.MOST_TIMES * timing.BLOCKS * 0.1 + 0.1


def test_a_warm_up_that_a_neighbour_slowed_decides_nothing() -> None:
    """A single pass of a millisecond is no block: the next has a hundred."""
    blocks, asked = take(repeat(0.001), repeat(1.0), one_pass=0.2)
    assert asked == [1] + [100] * timing.BLOCKS
    assert blocks.passes == [100] * timing.BLOCKS
    assert len(blocks.conditions) == timing.BLOCKS


def test_passes_that_stay_far_slower_than_foretold_end_after_a_few_blocks() -> None:
    blocks, _ = take(repeat(9.0), chain([1.0], repeat(2.0)))
    assert len(blocks.passes) == conditions.FEWEST_KEPT


def test_launching_is_timed_on_a_gpu_that_idles(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of five passes is launched after the GPU has done the one before; the median counts."""
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: clock.__setitem__(0, clock[0] + 100))
    forward = forward_lasting(clock, iter([9.0, 2.0, 3.0, 4.0, 2.0]))
    assert timing.launch_seconds(forward) == 3.0
    assert clock[0] == 500 + 20


def test_cuda_blocks_are_timed_by_events_with_one_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for torch.cuda writes down what is asked of it, in order."""
    asked: list[str] = []

    note_events(monkeypatch, asked, 1500.0)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: asked.append("synchronize"))

    def forward() -> torch.Tensor:
        asked.append("pass")
        return torch.empty(0)

    assert timing.elapsed(forward, 3, "cuda:0") == 1.5
    assert asked == ["synchronize", "record", "pass", "pass", "pass", "record", "wait"]


# --- how long a GPU is warmed --------------------------------------------------------------------

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
    assert timing.warm_through(lambda: 0.5, GPU) == 6.0


def test_a_warm_one_takes_no_longer_than_that(
    thermometer: Callable[[Iterator[float]], None],
) -> None:
    thermometer(repeat(70))
    assert timing.warm_through(lambda: 0.5, GPU) == timing.STEADY_HEAT


def test_one_that_never_settles_takes_a_minute(
    thermometer: Callable[[Iterator[float]], None],
) -> None:
    thermometer(iter(range(1000)))
    assert timing.warm_through(lambda: 0.5, GPU) == timing.MOST_HEATING


@pytest.mark.parametrize("setting", [GPU, replace(GPU, device="cpu")])
def test_without_a_thermometer_nothing_is_run(
    monkeypatch: pytest.MonkeyPatch, setting: Setting
) -> None:
    monkeypatch.setattr(nvml, "celsius", lambda device: None)

    def block() -> float:
        raise AssertionError("was run")

    assert timing.warm_through(block, setting) is None


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
    assert [condition["gpu_warm_up"] for condition in blocks.conditions] == [3.0] * 8
    assert timed == [5] * 8  # the passes that warm it are no blocks
