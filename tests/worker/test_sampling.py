"""What a process says of a cell that it cannot measure."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

from cmx_bench import measures
from cmx_bench.cell import Cell, CompileMode, Model, Setting
from cmx_bench.errors import ModelError
from cmx_bench.worker import local, sampling
from cmx_bench.worker.job import Job
from cmx_bench.worker.targets import Target


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


def test_samples_that_no_record_can_hold_are_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = Setting("cpu", "cpu", "fp32", "nchw", "none", 1, 32)
    cell = Cell(Model("net", "Net", "resnet", "timm", "resnet10t"), "params", setting)
    monkeypatch.setattr(measures, "function", lambda name: lambda model, setting: {"params": []})
    outcome = sampling._outcome(Job(cell, 0, tmp_path / "log.txt"))
    assert outcome.values == {} and not outcome.lost
    assert outcome.reason == "the measure params gave [] for params; expected a list of numbers"


CLOSES = """
import os, sys, torch
from torch import nn

class Closes(nn.Module):
    def __init__(self, why):
        super().__init__()
        self.head, self.why = nn.Linear(3, 10), why
        torch.set_num_threads(1)

    def forward(self, x):
        os.environ["OMP_SCHEDULE"] = "static"
        sys.stdout.close()
        sys.stderr.close()
        if self.why:
            raise ValueError(self.why)
        return self.head(x.mean((2, 3)))
"""


@pytest.mark.parametrize(
    ("measure", "why"), [("memory", ""), ("memory", "the true reason"), ("planned_memory", "")]
)
def test_a_model_that_closes_its_streams_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measure: str, why: str
) -> None:
    (tmp_path / "closing_models.py").write_text(CLOSES)
    monkeypatch.chdir(tmp_path)
    model = Model("m", "M", "m", "python", "closing_models:Closes", {"why": why}, num_classes=10)
    setting = Setting("s", "cpu", "fp32", "nchw", "none", 2, 8)
    outcome = local.call(Target.SAMPLE, Job(Cell(model, measure, setting), 0, tmp_path / "log.txt"))
    assert outcome.reason == (f"ValueError: {why}" if why else "")
    assert bool(outcome.values) != bool(why)
    assert "OMP_SCHEDULE" not in outcome.environment
    assert outcome.environment["threads"] == local.call("torch:get_num_threads")


EAGER = """
import torch
import torch._dynamo
from torch import nn

class Net(nn.Sequential):  # torch 2.11 compiles no module that has torch's own forward
    def forward(self, x):
        return super().forward(x)

def net(): return Net(nn.Conv2d(3, 4, 8), nn.Flatten(), nn.Linear(4, 10))

def switched_off():
    torch._dynamo.config.disable = torch._dynamo.config.suppress_errors = True
    torch.compiler.set_stance("force_eager")
    return Net(nn.Flatten(), nn.Linear(192, 10))  # for which no C++ is compiled: that takes long

class Disabled(nn.Module):
    def __init__(self, inner=False):
        super().__init__()
        self.net = Disabled() if inner else net()
        self.inner = inner

    def forward(self, x):
        return self.net(x * 2) + 1 if self.inner else self.run(x)

    @torch.compiler.disable
    def run(self, x):
        return self.net(x)

def wrapped():
    module = net()
    module.forward = torch.compiler.disable(module.forward)
    return module

def scripted(): return torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(192, 10)))

class Compiles(nn.Module):
    def __init__(self):
        super().__init__()
        self.net, self.double = net(), torch.compile(lambda x: x * 2, backend="aot_eager")

    def forward(self, x):
        return self.net(self.double(x))
"""


@pytest.mark.parametrize(
    ("target", "mode", "reason"),
    [
        # Switches that a user's module sets go back to torch's own.
        ("switched_off", "default", ""),
        ("Disabled", "default", "m: keeps code from being compiled by torch.compiler.disable; rem"),
        ("wrapped", "default", "m: torch compiled nothing of it; set compile: none"),
        ("scripted", "default", "is a TorchScript module, which torch does not compile again"),
        pytest.param(
            "Compiles",
            "none",
            "m: compiles code by itself where the setting compiles none; leave",
            marks=pytest.mark.skipif(
                Version(version("torch")) < Version("2.12"),
                reason="what first runs while a mode of the dispatcher watches stays eager there",
            ),
        ),
    ],
)
def test_what_was_not_compiled_as_the_setting_says_is_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, mode: CompileMode, reason: str
) -> None:
    (tmp_path / "eager_models.py").write_text(EAGER)
    monkeypatch.chdir(tmp_path)
    model = Model("m", "M", "m", "python", f"eager_models:{target}", {}, num_classes=10)
    setting = Setting("s", "cpu", "fp32", "nchw", mode, 2, 8)
    job = Job(Cell(model, "memory", setting), 0, tmp_path / "log.txt")
    outcome = local.call(Target.SAMPLE, job)
    assert outcome.reason.startswith(reason)
    assert bool(outcome.reason) == bool(reason)
    assert bool(outcome.values) != bool(reason)
