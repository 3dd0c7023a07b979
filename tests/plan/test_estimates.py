"""Batch sizes by arithmetic, and what planning learns of models without their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cmx_bench.errors import SuiteError
from cmx_bench.plan import Plan, estimates, making
from cmx_bench.spec import suite

from ..conftest import TINY
from .test_making import Write, made


@pytest.mark.parametrize(
    ("macs", "threads", "batch"),
    [(100_230_739_968, 2, 1), (16_000_000_000, 2, 2), (15_999_999_999, 1, 1), (4_000_000_000, 2, 8),
     (1_000, 64, 64), (100_230_739_968, 64, 8)],
)  # fmt: skip
def test_auto_batch_by_arithmetic(macs: int, threads: int, batch: int) -> None:
    assert estimates.auto_batch(macs, threads) == batch


def test_auto_is_one_batch_for_all_models(cpu: dict[str, Any]) -> None:
    settings = making.make(suite.load("paper"), cpu).settings
    assert [setting.batch_size for setting in settings] == [1]


MODELS = """\
import torch
from torch import nn

class Reads(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 10)

    def forward(self, x):
        scale = torch.arange(3).sum().item() + 1
        return self.head(x.mean((2, 3)) * scale)

def typo():
    return nn.Linaer(3, 3)

class Wrong(Reads):
    def forward(self, x):
        return self.haed(x)
"""


def test_models_that_meta_tensors_cannot_run(
    write_suite: Write, cpu: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "user_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)

    def planned(name: str) -> Plan:
        text = TINY.replace("timm: resnet10t", f"python: 'user_models:{name}'")
        return made(write_suite(text), cpu, allow_import=True)

    assert planned("Reads").models[1].source == "python"
    with pytest.raises(SuiteError, match="4:5: net: cannot be built: AttributeError: .*Linaer"):
        planned("typo")
    with pytest.raises(SuiteError, match="4:5: net: does not run on 56 px images: .*haed"):
        planned("Wrong")


def test_a_gpus_blocks_and_context_take_time(gpu: dict[str, Any], write_suite: Write) -> None:
    """Eight blocks of half a second, half a second of warm-up, and two for the context."""
    text = TINY.replace("params, ", "memory, ").replace("cpu: [{name: cpu", "cuda: [{name: x")
    plan = made(write_suite(text), gpu)
    for key, seconds in plan.estimates.items():
        assert seconds > (6.5 if "/throughput/" in key else 2.0), key
        assert seconds < (8.5 if "/throughput/" in key else 3.5), key
    searching = made(write_suite(text.replace("name: x", "name: x, compile: max-autotune")), gpu)
    assert min(searching.estimates.values()) > 300


def test_planning_allocates_no_weights(cpu: dict[str, Any]) -> None:
    before = torch.get_default_device()
    estimates = making.make(suite.load("paper"), cpu).estimates
    assert torch.get_default_device() == before
    # The heaviest model is planned to take longest.
    throughput = {key: value for key, value in estimates.items() if "/throughput/" in key}
    assert max(throughput, key=throughput.__getitem__).startswith("resmlp_big_24_224/")
