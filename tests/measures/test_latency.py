"""The time of a batch, waited for: how many calls, and their percentiles."""

from __future__ import annotations

import pytest
import torch

from cmx_bench.measures import latency, ready, timing

from .test_measures import CPU, MODEL, measure


def test_percentiles_are_of_all_calls_on_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 calls of 1, 2, … 100 ms: between neighbours, percentiles are interpolated."""
    clock = iter(
        moment for call in range(1, 101) for moment in (10.0 * call, 10 * call + call / 1e3)
    )
    monkeypatch.setattr(latency, "prepare", lambda *_: ready.Ready(lambda: torch.zeros(1)))
    monkeypatch.setattr(latency, "warm_up", lambda *_: [0.02] * 4)
    monkeypatch.setattr(latency.time, "perf_counter", lambda: next(clock))
    samples = latency.measure(MODEL, CPU).values
    expected = {"latency_p50": 0.0505, "latency_p90": 0.0901, "latency_p99": 0.09901}
    assert {name: value for name, [value] in samples.items()} == pytest.approx(expected, rel=1e-6)


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
