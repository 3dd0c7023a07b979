"""What a process says of a cell that it cannot measure."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.errors import ModelError
from cmx_bench.worker import sampling
from cmx_bench.worker.job import Job


@pytest.mark.parametrize("text", ["x" * 10**6, "Caught ValueError in a worker\n" + "x" * 10**6])
def test_a_reason_is_no_longer_than_a_page(text: str) -> None:
    setting = Setting("cpu", "cpu", "fp32", "nchw", "none", 1, 32)
    assert 1900 < len(sampling.reason_of(ValueError(text), setting)) < 2100
    assert len(sampling.reason_of(ModelError(text), setting)) < 2100


def test_what_a_cell_lacks_is_no_failure(tmp_path: Path) -> None:
    compiled = Setting("cpu", "cpu", "fp32", "nchw", "default", 1, 32)
    cell = Cell(Model("net", "Net", "resnet", "timm", "resnet10t"), "roofline", compiled)
    outcome = sampling._outcome(Job(cell, 0, tmp_path / "log.txt"))
    assert outcome.skipped
    lack, _, remedy = outcome.reason.partition(": ")
    assert lack == "a compiled model has no operators one by one"
    assert remedy == "a setting with compile: none"
    assert outcome.values == {}
