"""BatchNorm statistics of untrained models: what they are, and what stays as it was."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from cmx_bench.cell import Model, Precision, Setting
from cmx_bench.measures import forward, ready
from cmx_bench.measures.normalising import normalise
from cmx_bench.models.building import build

CPU = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 56)
DEEP = Model(
    "m", "M", "convmixer", "convmixer", "",
    {"dim": 32, "depth": 12, "kernel_size": 5, "patch_size": 7}, num_classes=10,
)  # fmt: skip
# timm's: BatchNorm with an activation in one module, and none at all.
FUSED = Model("f", "F", "other", "timm", "test_efficientnet", num_classes=10)
TOKENS = Model("t", "T", "vit", "timm", "test_vit", {"img_size": 56}, num_classes=10)


def inputs(module: nn.Module, run: forward.Forward) -> list[Tensor]:
    """What reaches each convolution in a pass, as fp16 holds it."""
    received: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(
            lambda _, arguments: received.append(arguments[0].half().float())
        )
        for layer in module.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    run()
    for hook in hooks:
        hook.remove()
    return received


def variation(values: Tensor) -> float:
    """The share of the root mean square that differs between positions."""
    alone = values - values.mean((2, 3), keepdim=True)
    return float(alone.square().mean().sqrt() / values.square().mean().sqrt())


def as_built(module: nn.Module, setting: Setting = CPU) -> forward.Forward:
    return partial(forward.call_of(module, setting), forward.images(setting))


def test_what_reaches_the_last_layers_differs_between_positions() -> None:
    module = forward.place(build(DEEP, 56), CPU)
    before = inputs(module, as_built(module))[-1]
    after = inputs(module, ready.prepare_module(module, CPU).forward)[-1]
    assert variation(before) < 0.2
    assert variation(after) > 0.95
    equal = [
        float((values[..., 1:] == values[..., :-1]).float().mean()) for values in (before, after)
    ]
    assert equal[1] < equal[0] / 2


@pytest.mark.parametrize("model", [DEEP, FUSED])
def test_a_timed_pass_gives_what_one_in_training_mode_would(model: Model) -> None:
    module = forward.place(build(model, 56), CPU)
    training = copy.deepcopy(module)
    layers = [layer for layer in training.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in layers:
        layer.train()
    assert layers
    torch.testing.assert_close(
        ready.prepare_module(module, CPU).forward(), training(forward.images(CPU))
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "autocast"])
def test_outputs_are_finite_in_every_precision(precision: Precision) -> None:
    setting = replace(CPU, precision=precision, layout="nhwc")
    output = ready.prepare(DEEP, setting).forward()
    assert isinstance(output, Tensor) and output.isfinite().all()


def test_nothing_else_changes() -> None:
    module = forward.place(build(DEEP, 56), CPU)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    random = torch.get_rng_state()
    ready.prepare_module(module, CPU)
    changed = {name for name, value in module.state_dict().items() if not value.equal(before[name])}
    assert {name.rpartition(".")[2] for name in changed} == {"running_mean", "running_var"}
    assert torch.get_rng_state().equal(random)
    assert not any(layer.training or layer._forward_pre_hooks for layer in module.modules())
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}


def test_the_same_weights_get_the_same_statistics() -> None:
    """In every process: weights are drawn from a generator that begins the same in all."""
    statistics = []
    for _ in range(2):
        torch.manual_seed(3)
        module = forward.place(build(DEEP, 56), CPU)
        ready.prepare_module(module, CPU)
        statistics.append([buffer.tolist() for buffer in module.buffers()])
    assert statistics[0] == statistics[1]


def test_without_batchnorm_no_pass_is_run() -> None:
    def run() -> Tensor:
        raise AssertionError("was run")

    normalise(build(TOKENS, 56), run)


def test_statistics_of_one_value_are_left_alone() -> None:
    """A channel of one position and one image would become 0, and all behind it a constant."""
    layer = nn.BatchNorm2d(4).eval()
    assert layer.running_mean is not None
    normalise(layer, lambda: layer(torch.full((1, 4, 1, 1), 3.0)))
    assert layer.running_mean.tolist() == [0.0] * 4
    normalise(layer, lambda: layer(torch.full((2, 4, 1, 1), 3.0)))
    assert layer.running_mean.tolist() == [3.0] * 4
    own = nn.BatchNorm2d(4, track_running_stats=False).eval()
    normalise(own, lambda: own(torch.ones(2, 4, 3, 3)))
    assert own.running_mean is None
