"""Images a second of training, by phase, on a clock of ours."""

from __future__ import annotations

from itertools import chain, repeat

import pytest

from cmx_bench.measures import (
    Watched,
    conditions,
    throughput,
    train_throughput,
    training_step,
)
from cmx_bench.measures.forward import apply_flags

from .test_training_step import CPU, MODEL


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that "last" 0.05 s in a warm-up on a machine that nobody disturbs."""
    monkeypatch.setattr(throughput, "warm_up", lambda forward, device: [3.0, 0.05, 0.05, 0.05])
    monkeypatch.setattr(throughput, "look_for", lambda setting: lambda: {"probe": 1.0})


@pytest.mark.usefixtures("steady")
def test_disturbed_blocks_count_for_no_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    # One probe before the warm-up, one before the first block; two blocks lie beside the slow one.
    probes = chain([1.0, 1.0, 2.0], repeat(1.0))
    phases = chain([(0.1, 0.2, 0.5), (0.1, 0.2, 0.1)], repeat((0.02, 0.06, 0.02)))
    monkeypatch.setattr(throughput, "look_for", lambda setting: lambda: {"probe": next(probes)})

    def split(step: object, steps: int, device: str) -> tuple[float, ...]:
        return tuple(steps * seconds for seconds in next(phases))

    monkeypatch.setattr(train_throughput, "split", split)
    watched = train_throughput.measure(MODEL, CPU)
    assert watched.values == {  # two images a step
        "train_throughput": [pytest.approx(2 / 0.1)] * 8,
        "train_forward_time": [0.02] * 8,
        "train_backward_time": [0.06] * 8,
        "train_optimizer_time": [0.02] * 8,
    }
    assert watched.discarded == {
        "train_throughput": [pytest.approx(2 / 0.8), pytest.approx(2 / 0.4)],
        "train_forward_time": [0.1, 0.1],
        "train_backward_time": [0.2, 0.2],
        "train_optimizer_time": [0.5, 0.1],
    }
    assert watched.covariates["discarded"] == [1, 1] + [0] * 8


@pytest.mark.usefixtures("steady")
def test_phases_add_up_to_the_step() -> None:
    apply_flags(CPU)
    watched = train_throughput.measure(MODEL, CPU)
    assert isinstance(watched, Watched)
    phases = (watched.values[f"train_{phase}_time"] for phase in training_step.PHASES)
    for rate, *seconds in zip(watched.values["train_throughput"], *phases, strict=True):
        assert min(seconds) > 0
        assert sum(seconds) == pytest.approx(CPU.batch_size / rate)
    assert len(watched.values["train_throughput"]) >= conditions.FEWEST_KEPT
