"""Families of models: which name belongs to which, and what can be read off a built one."""

from __future__ import annotations

import re
from collections import Counter

import timm.layers
from torch import nn

# By prefix of the architecture's name, the longest first; the labels are the paper's.
PREFIXES = ("convmixer", "resnet", "deit", "resmlp", "mixer", "vit", "swin")

_ACTIVATIONS = {
    nn.ReLU: "ReLU", nn.ReLU6: "ReLU6", nn.GELU: "GELU", nn.SiLU: "SiLU", nn.Hardswish: "Hardswish",
    nn.LeakyReLU: "LeakyReLU", nn.PReLU: "PReLU", nn.ELU: "ELU", nn.Mish: "Mish",
    timm.layers.GELU: "GELU", timm.layers.GELUTanh: "GELU (tanh)", timm.layers.Swish: "SiLU",
    timm.layers.Mish: "Mish", timm.layers.HardSwish: "Hardswish", timm.layers.PReLU: "PReLU",
}  # fmt: skip


def family(name: str) -> str:
    """The family of an architecture by its name: `deit_small_patch16_224` is a "deit"."""
    known = next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)
    # Up to a number, unless it is a version's: mobilenetv3.
    return known or re.split(r"_|(?<!v)(?=\d)", name, maxsplit=1)[0] or name


def patch_size(model: nn.Module) -> int | None:
    """The side of the patches that the first convolution cuts without overlap, if it does so."""
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None or first.kernel_size != first.stride or first.stride == (1, 1):
        return None
    return int(first.stride[0])


def kernel_size(model: nn.Module) -> int | None:
    """The side of the largest spatial convolution kernel behind the stem, if there is any."""
    kernels = [m.kernel_size[0] for m in model.modules() if isinstance(m, nn.Conv2d)][1:]
    return max((int(kernel) for kernel in kernels if kernel > 1), default=None)


def activation(model: nn.Module) -> str | None:
    """The activation function that the model has most modules of, if it has any."""
    counts = Counter(_ACTIVATIONS[type(m)] for m in model.modules() if type(m) in _ACTIVATIONS)
    return counts.most_common(1)[0][0] if counts else None
