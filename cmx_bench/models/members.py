"""Members of the families that `designs` describes, built of timm's own blocks."""

from __future__ import annotations

from functools import partial
from typing import Any

import timm
from timm.models.mlp_mixer import Affine, MlpMixer, ResBlock
from torch import nn

from cmx_bench.cell import Model

_RESNETS = {"basic": "resnet34", "bottleneck": "resnet50"}


def build_resnet(model: Model, image_size: int) -> nn.Module:
    """A ResNet; it takes images of every size."""
    width = _number(model, "width")
    module: nn.Module = timm.create_model(
        _RESNETS[str(model.args["block"])],
        num_classes=model.num_classes,
        layers=tuple(map(int, str(model.args["layers"]).split("-"))),
        channels=tuple(width << stage for stage in range(4)),
    )
    return module


def build_deit(model: Model, image_size: int) -> nn.Module:
    """A DeiT without distillation, for images of this size."""
    dim, mlp_dim = _number(model, "dim"), _number(model, "mlp_dim")
    module: nn.Module = timm.create_model(
        "deit_small_patch16_224",
        num_classes=model.num_classes,
        img_size=image_size,
        patch_size=_number(model, "patch_size"),
        embed_dim=dim,
        depth=model.args["depth"],
        num_heads=model.args["heads"],
        mlp_ratio=(mlp_dim + 0.5) / dim,  # timm multiplies again, and drops the fraction
    )
    return module


def build_resmlp(model: Model, image_size: int) -> nn.Module:
    """A ResMLP, for images of this size."""
    block = partial(ResBlock, init_values=_layer_scale(_number(model, "depth")))
    return _mlp(model, image_size, mlp_ratio=4, block_layer=block, norm_layer=Affine)


def build_mixer(model: Model, image_size: int) -> nn.Module:
    """An MLP-Mixer, for images of this size."""
    return _mlp(model, image_size)


def _mlp(model: Model, image_size: int, **rest: Any) -> nn.Module:
    """By the class: timm's functions for published members accept no other width or depth."""
    module: nn.Module = MlpMixer(
        num_classes=model.num_classes,
        img_size=image_size,
        patch_size=_number(model, "patch_size"),
        num_blocks=_number(model, "depth"),
        embed_dim=_number(model, "dim"),
        **rest,
    )
    return module


def _number(model: Model, name: str) -> int:
    value = model.args[name]
    assert isinstance(value, int)
    return value


def _layer_scale(depth: int) -> float:
    """As timm starts ResMLP-12, 24 and 36: what a deeper one's blocks add begins smaller."""
    return 1e-4 if depth <= 18 else 1e-5 if depth <= 24 else 1e-6
