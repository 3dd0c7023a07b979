"""What a process says of a cell that it cannot measure."""

from __future__ import annotations

from pathlib import Path

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.worker import sampling
from cmx_bench.worker.job import Job


def test_what_a_cell_lacks_is_no_failure(tmp_path: Path) -> None:
    compiled = Setting("cpu", "cpu", "fp32", "nchw", "default", 1, 32)
    cell = Cell(Model("net", "Net", "resnet", "timm", "resnet10t"), "roofline", compiled)
    outcome = sampling._outcome(Job(cell, 0, tmp_path / "log.txt"))
    assert outcome.skipped
    lack, _, remedy = outcome.reason.partition(": ")
    assert lack == "a compiled model has no operators one by one"
    assert remedy == "a setting with compile: none"
    assert outcome.values == {}
