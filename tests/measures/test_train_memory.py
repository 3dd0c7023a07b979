"""Memory of a training step, by phase."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cmx_bench.measures import (
    train_memory,
    training_step,
)

from .test_measures import measure_afresh
from .test_training_step import CPU, MODEL, noting_step


def test_memory_holds_weights_gradients_and_both_moments() -> None:
    # 32 MiB of weights in two layers: far above the noise of a process.
    wide = replace(MODEL, args={"dim": 2048, "depth": 2, "kernel_size": 3, "patch_size": 7})
    weights = 4 * (2048 * (2 * (9 + 2048 + 6) + 147 + 10 + 3) + 10)
    peaks = {metric: value for metric, [value] in measure_afresh("train_memory", wide, CPU).items()}
    by_phase = [peaks[f"train_{phase}_memory"] for phase in training_step.PHASES]
    assert peaks["train_memory"] == max(by_phase)
    assert 0.9 * 4 * weights < peaks["train_optimizer_memory"]
    assert peaks["train_memory"] < 12 * weights


def test_each_phase_has_its_own_peak_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for torch.cuda whose peaks are told; the first step is not watched."""
    asked: list[str] = []
    peaks = iter([30, 50, 40])

    def most(device: str) -> int:
        asked.append("peak")
        return next(peaks)

    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda *device, name=name: asked.append(name))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", most)
    monkeypatch.setattr(train_memory, "prepare", lambda model, setting: noting_step(asked))
    samples = train_memory.measure(MODEL, replace(CPU, device="cuda:0"))
    assert samples == {
        "train_memory": [50],
        "train_forward_memory": [30],
        "train_backward_memory": [50],
        "train_optimizer_memory": [40],
    }
    phase = ["reset_peak_memory_stats", "{}", "synchronize", "peak"]
    assert asked == [
        *training_step.PHASES, "synchronize", "empty_cache",
        *(step.format(name) for name in training_step.PHASES for step in phase),
    ]  # fmt: skip
