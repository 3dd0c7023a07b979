"""Training: a step against one written out, phases on a clock of ours."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cmx_bench.cell import Model, Precision, Setting
from cmx_bench.measures import (
    training_step,
)
from cmx_bench.measures.forward import images
from cmx_bench.measures.training_step import Step, prepare, split
from cmx_bench.models.building import build

MODEL = Model(
    "m", "M", "convmixer", "convmixer", "",
    {"dim": 16, "depth": 2, "kernel_size": 5, "patch_size": 7}, num_classes=10,
)  # fmt: skip
CPU = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 28)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """The modules that training builds, the same at every time."""
    modules: list[nn.Module] = []

    def build_seeded(model: Model, image_size: int) -> nn.Module:
        torch.manual_seed(0)
        modules.append(build(model, image_size))
        return modules[-1]

    monkeypatch.setattr(training_step, "build", build_seeded)
    return modules


def test_two_steps_are_those_of_a_loop_as_anyone_would_write_it(built: list[nn.Module]) -> None:
    step = prepare(MODEL, CPU)
    losses = [step().item() for _ in range(2)]
    theirs = training_step.build(MODEL, 28).train()
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=1e-4, foreach=False)
    labels = torch.randint(10, (2,), generator=torch.Generator().manual_seed(0))
    for ours in losses:
        loss = nn.functional.cross_entropy(theirs(images(CPU)), labels)
        assert ours == pytest.approx(loss.item(), rel=1e-6)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    for mine, other in zip(built[0].parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-7)


def test_each_phase_does_its_own(built: list[nn.Module]) -> None:
    step = prepare(MODEL, CPU)
    parameters = list(built[0].parameters())
    before = [p.detach().clone() for p in parameters]
    loss = step.forward()
    assert built[0].training
    assert all(p.grad is None for p in parameters)
    step.backward(loss)
    assert all(p.grad is not None for p in parameters)
    assert all(torch.equal(p, old) for p, old in zip(parameters, before, strict=True))
    step.optimize()
    assert all(p.grad is None for p in parameters)
    assert not any(torch.equal(p, old) for p, old in zip(parameters, before, strict=True))


@pytest.mark.parametrize(
    ("precision", "stored", "computed"),
    [
        ("fp32", torch.float32, torch.float32),
        ("bf16", torch.bfloat16, torch.bfloat16),
        ("autocast", torch.float32, torch.bfloat16),
        ("fp16", torch.float32, torch.float16),
    ],
)
def test_precisions(
    built: list[nn.Module], precision: Precision, stored: torch.dtype, computed: torch.dtype
) -> None:
    step = prepare(MODEL, replace(CPU, precision=precision))
    dtypes: set[torch.dtype] = set()
    [module] = built
    convolution = next(m for m in module.modules() if isinstance(m, nn.Conv2d))
    convolution.register_forward_hook(lambda module, inputs, output: dtypes.add(output.dtype))
    before = [p.detach().clone() for p in module.parameters()]
    losses = [step().item() for _ in range(8)]  # a scaler finds its scale within some steps
    assert dtypes == {computed}
    assert {p.dtype for p in module.parameters()} == {stored}
    assert all(map(math.isfinite, losses))
    assert any(not torch.equal(p, old) for p, old in zip(module.parameters(), before, strict=True))


def test_a_users_model_may_have_other_classes_and_give_two_outputs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 4)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            logits = self.head(x.mean((2, 3)))
            return logits, logits

    monkeypatch.setattr(training_step, "build", lambda model, image_size: Two())
    assert prepare(replace(MODEL, num_classes=1000), replace(CPU, batch_size=64))() > 0


def noting_step(asked: list[str]) -> Step:
    """A step that only notes its phases."""

    def forward() -> Tensor:
        asked.append("forward")
        return torch.empty(0)

    return Step(forward, lambda loss: asked.append("backward"), lambda: asked.append("optimizer"))


def test_phases_are_split_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 1.0, 3.0, 7.0, 8.0, 10.0, 14.5])  # 1, 2, 4 and 1, 2, 4.5 seconds
    monkeypatch.setattr(training_step.time, "perf_counter", lambda: next(moments))
    asked: list[str] = []
    assert split(noting_step(asked), 2, "cpu") == (2.0, 4.0, 8.5)
    assert asked == ["forward", "backward", "optimizer"] * 2


def test_phases_are_split_by_events_with_one_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for torch.cuda writes down what is asked of it, in order."""
    asked: list[str] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            self.place = asked.count("record")
            asked.append("record")

        def synchronize(self) -> None:
            asked.append("wait")

        def elapsed_time(self, end: Event) -> float:
            return 1000.0 * 2**self.place * (end.place - self.place)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: asked.append("synchronize"))
    assert split(noting_step(asked), 2, "cuda:0") == (1 + 8, 2 + 16, 4 + 32)
    step = ["forward", "record", "backward", "record", "optimizer", "record"]
    assert asked == ["synchronize", "record", *step, *step, "wait"]
