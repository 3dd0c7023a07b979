"""One forward pass of a model: what it costs, why it fails, and with which images it was tried."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cmx_bench.models import trial


class Net(nn.Module):
    """Reads a value, makes a parameter late, wants a batch, or casts, as told."""

    def __init__(
        self, reads: bool = False, late: bool = False, fewest: int = 1, casts: bool = False
    ) -> None:
        super().__init__()
        self.casts = casts
        self.reads, self.late, self.fewest = reads, late, fewest
        self.layer = nn.Linear(3, 10)

    def forward(self, images: Tensor) -> Tensor:
        if self.reads and float(images.mean()) > 1:
            return images
        if self.late:
            self.scale = nn.Parameter(torch.ones(3, device=images.device))
        if len(images) < self.fewest:
            raise ValueError(f"expected {self.fewest} images\nat least")
        with torch.autocast("cpu", torch.bfloat16, enabled=self.casts):
            out: Tensor = self.layer(images.mean((2, 3)))
        return out


def test_macs_are_of_one_image_and_nothing_is_computed_where_shapes_are_enough() -> None:
    tried = trial.run(Net, 8)
    assert (tried.macs, tried.error, tried.hidden) == (30, "", "")
    assert next(tried.module.parameters()).is_meta


def test_a_model_that_reads_a_value_is_run_with_values() -> None:
    tried = trial.run(lambda: Net(reads=True), 8)
    assert (tried.macs, tried.error) == (30, "")
    assert not next(tried.module.parameters()).is_meta


def test_a_model_that_takes_no_single_image_is_run_on_a_batch() -> None:
    tried = trial.run(lambda: Net(fewest=4), 8, batch_size=4)
    assert (tried.macs, tried.error) == (30, "")


def test_nothing_is_compiled_for_a_trial() -> None:
    def refuse(*graph: object) -> Any:
        raise AssertionError("compiled")

    class Compiling(Net):
        @torch.compile(backend=refuse)
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images)

    assert trial.run(Compiling, 8).error == ""


def test_why_a_model_fails_is_one_line() -> None:
    assert (
        trial.run(lambda: Net(fewest=4), 8, batch_size=2).error == "ValueError: expected 4 images"
    )


def test_a_parameter_that_is_made_late_is_named() -> None:
    hidden = trial.run(lambda: Net(late=True), 8).hidden
    assert hidden.startswith("makes a parameter while it runs (scale of a Net)")


def test_what_autocast_makes_of_a_weight_is_no_weight_of_its_own() -> None:
    tried = trial.run(lambda: Net(reads=True, casts=True), 8)
    assert (tried.error, tried.hidden) == ("", "")


def test_what_no_value_would_mend_is_not_tried_with_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_build_on_cpu", None)
    tried = trial.run(lambda: Net(fewest=4), 8, may_want_values=lambda error: False)
    assert tried.error == "ValueError: expected 4 images"
