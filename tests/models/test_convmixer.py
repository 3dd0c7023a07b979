"""ConvMixer equals timm's and the authors' model, weight for weight and bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import nn

from cmx_bench.designs.depthwise import PUBLISHED
from cmx_bench.models import convmixer
from cmx_bench.models.convmixer import ConvMixer


@pytest.mark.parametrize(
    ("arguments", "act"),
    [
        ({"dim": 24, "depth": 3, "kernel_size": 9, "patch_size": 7}, nn.GELU),
        ({"dim": 16, "depth": 2, "kernel_size": 8, "patch_size": 4}, nn.GELU),
        (
            {"dim": 16, "depth": 2, "kernel_size": 3, "patch_size": 14, "activation": "relu"},
            nn.ReLU,
        ),
    ],
)
def test_logits_equal_timms_to_the_last_bit(
    arguments: dict[str, Any], act: type[nn.Module]
) -> None:
    torch.manual_seed(0)
    theirs_arguments = {k: v for k, v in arguments.items() if k != "activation"}
    theirs = timm.models.convmixer.ConvMixer(**theirs_arguments, act_layer=act, num_classes=10)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    ours = ConvMixer(**arguments, num_classes=10)
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 56, 70, dtype=torch.float64)
    with torch.inference_mode():
        difference = ours.double().eval()(images) - theirs.double().eval()(images)
    assert difference.abs().max() == 0


def authors_convmixer(h: int, depth: int, k: int, p: int, classes: int) -> nn.Sequential:
    """The layout of the authors' checkpoints: one flat Sequential (paper, figure 3)."""

    class Residual(nn.Module):
        def __init__(self, fn: nn.Module) -> None:
            super().__init__()
            self.fn = fn

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fn(x) + x

    def act_bn() -> list[nn.Module]:
        return [nn.GELU(), nn.BatchNorm2d(h)]

    blocks = [
        nn.Sequential(
            Residual(nn.Sequential(nn.Conv2d(h, h, k, groups=h, padding="same"), *act_bn())),
            nn.Conv2d(h, h, 1),
            *act_bn(),
        )
        for _ in range(depth)
    ]
    return nn.Sequential(
        nn.Conv2d(3, h, p, stride=p), *act_bn(), *blocks,
        nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(h, classes),
    )  # fmt: skip


def test_takes_the_authors_state_dict() -> None:
    theirs = authors_convmixer(12, 3, 5, 7, 10).double().eval()
    ours = ConvMixer(12, 3, 5, 7, num_classes=10).double().eval()
    ours.load_state_dict(convmixer.rename_authors_keys(theirs.state_dict()))
    images = torch.randn(1, 3, 56, 56, dtype=torch.float64)
    with torch.inference_mode():
        assert (ours(images) - theirs(images)).abs().max() == 0


def test_other_state_dicts_keep_their_names() -> None:
    state_dict = ConvMixer(4, 1).state_dict()
    assert convmixer.rename_authors_keys(state_dict).keys() == state_dict.keys()


@pytest.mark.parametrize(
    "name", ["convmixer_1536_20", "convmixer_768_32", "convmixer_1024_20_ks9_p14"]
)
def test_published_models_have_timms_shapes(name: str) -> None:
    with torch.device("meta"):
        theirs = timm.create_model(name)
        ours = ConvMixer(**PUBLISHED[name].arguments)  # type: ignore[arg-type]
    shapes = {key: value.shape for key, value in theirs.state_dict().items()}
    assert {key: value.shape for key, value in ours.state_dict().items()} == shapes
    acts = [{type(m) for m in model.modules()} & {nn.ReLU, nn.GELU} for model in (ours, theirs)]
    assert acts[0] == acts[1]


@pytest.mark.parametrize(
    ("h", "d", "k", "p", "c_in", "classes"),
    [(1536, 20, 9, 7, 3, 1000), (768, 32, 7, 7, 3, 1000), (8, 1, 2, 3, 1, 10), (5, 4, 8, 1, 4, 2)],
)
def test_parameters_by_the_closed_form(
    h: int, d: int, k: int, p: int, c_in: int, classes: int
) -> None:
    with torch.device("meta"):
        model = ConvMixer(h, d, k, p, in_channels=c_in, num_classes=classes)
    formula = h * (d * (k**2 + h + 6) + c_in * p**2 + classes + 3) + classes
    assert sum(parameter.numel() for parameter in model.parameters()) == formula
