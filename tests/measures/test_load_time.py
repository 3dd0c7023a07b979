"""From a name to a model that is ready: what is timed, and what comes before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cmx_bench.measures import load_time

from .test_measures import CPU, MODEL, measure


def test_weights_are_fetched_before_the_clock_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second reading is timed, for the first may download."""
    done: list[str] = []
    clock = iter([1.0, 4.5])

    def tick() -> float:
        done.append("clock")
        return next(clock)

    monkeypatch.setattr(load_time.time, "perf_counter", tick)

    def note(name: str) -> Callable[..., Any]:
        step = getattr(load_time, name)

        def run(*given: Any) -> Any:
            done.append(name)
            return step(*given)

        return run

    for name in ("build", "place"):
        monkeypatch.setattr(load_time, name, note(name))
    monkeypatch.setattr(load_time.weights, "load", lambda *_: done.append("weights"))
    assert load_time.measure(MODEL, CPU) == {"load_time": [3.5]}
    assert done == ["build", "weights", "clock", "build", "weights", "place", "clock"]


def test_load_time() -> None:
    assert measure("load_time")["load_time"][0] > 0
