"""Warm-up and blocks, on a clock that the forward pass itself moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import chain, cycle, repeat

import pytest
import torch

from cmx_bench.measures import timing


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    return now


def forward_lasting(clock: list[float], seconds: Iterator[float]) -> timing.Forward:
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


@pytest.mark.parametrize(
    ("passes", "count", "on_a_gpu"),
    [
        ([9.0, 0.02, 0.02, 0.02], 5, 25),
        ([9.0, 3.0, 3.0, 3.0], 1, 1),
        ([9, 0.04, 0.038, 0.1], 2, 12),
    ],
)
def test_a_block_is_a_tenth_of_a_second_long_and_half_a_second_on_a_gpu(
    passes: list[float], count: int, on_a_gpu: int
) -> None:
    assert timing.passes_a_block(passes, "cpu") == count
    assert timing.passes_a_block(passes, "cuda") == on_a_gpu


def looks(probes: Iterator[float]) -> Callable[[], dict[str, float]]:
    return lambda: {"probe": next(probes)}


def test_undisturbed_blocks_are_enough() -> None:
    seconds, seen = timing.take_blocks(lambda: 0.1, looks(repeat(1.0)), 24)
    assert seconds == [0.1] * timing.BLOCKS
    assert {one["core_speed"] for one in seen} == {1.0}


def test_disturbed_blocks_are_repeated() -> None:
    slow = (1.0, 1.0, 2.0, 2.0, 1.0)  # three of the blocks between these are disturbed
    seconds, _ = timing.take_blocks(lambda: 0.1, looks(chain(slow, repeat(1.0))), 24)
    assert len(seconds) == timing.BLOCKS + 3


def test_the_best_probes_may_come_late() -> None:
    """Six blocks look undisturbed until three probes have shown what the core can do."""
    seconds, seen = timing.take_blocks(lambda: 0.1, looks(chain([2.0] * 6, repeat(1.0))), 24)
    assert len(seconds) == 6 + timing.BLOCKS
    assert [one["core_speed"] for one in seen] == [0.5] * 6 + [1.0] * timing.BLOCKS


@pytest.mark.parametrize(
    ("length", "extra"), [(0.1, timing.EXTRA_BLOCKS), (0.5, 6), (2.0, 1), (5.0, 0)]
)
def test_repeating_has_an_end(length: float, extra: int) -> None:
    assert timing.most_blocks(length) == timing.BLOCKS + extra


@pytest.mark.parametrize("most", [8, 14])
@pytest.mark.parametrize("lengths", [[0.1], [5.0], [0.1, 3.0, 0.01]])
def test_how_many_blocks_are_taken_does_not_depend_on_their_times(
    lengths: list[float], most: int
) -> None:
    probes, times = chain([1.0] * 3, repeat(2.0)), cycle(lengths)
    seconds, _ = timing.take_blocks(lambda: next(times), looks(probes), most)
    assert len(seconds) == most


def test_cuda_blocks_are_timed_by_events_with_one_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for torch.cuda writes down what is asked of it, in order."""
    asked: list[str] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            asked.append("record")

        def synchronize(self) -> None:
            asked.append("wait")

        def elapsed_time(self, end: Event) -> float:
            return 1500.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: asked.append("synchronize"))
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())

    def forward() -> torch.Tensor:
        asked.append("pass")
        return torch.empty(0)

    assert timing.elapsed(forward, 3, "cuda:0") == 1.5
    assert asked == ["synchronize", "record", "pass", "pass", "pass", "record", "wait"]
