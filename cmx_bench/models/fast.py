"""A ConvMixer made ready for inference: the same function with fewer passes over its activations.

Every convolution of a ConvMixer is followed by the activation a and then by BatchNorm, which in
evaluation mode is a scale s and a shift t a channel. With D for the depthwise convolution and
r ↦ W r + b for the pointwise one, a block is

    r = x + s₁·a(D(x)) + t₁          y = s₂·a(W r + b) + t₂

- t₁ goes through the pointwise convolution, which sees every position alike, into its bias:
  b' = b + W t₁. The rest, x + s₁·a(…), is one operator in place of BatchNorm and residual.
- s₁ and s₂ cannot go back through a.
- s₂ and t₂ do not go on into the next block. Its D pads y with zeros, so that D(s₂·v + t₂) is a
  convolution of v plus a sum of the taps that lie inside, which is another at every position near
  the border. A map of these sums is as large as an activation, for every block: to read 100 MB more
  for one image is more than the weights of ConvMixer-768/32. The residual needs y besides.
- Behind the last block comes the mean over positions: s₂ and t₂ go into the classifier.

In activations written or read, a block has 13 passes in place of 15: BatchNorm, 2, is gone. A
compiler fuses both to 9; with the map it would be 7 and one of the map, which measured no faster
(tests/bench/README.md). Where torch compiles for a CPU, `native` takes s₂ and t₂ in as it reads y:
4 passes are left.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeVar

import timm.models.convmixer
import torch
from torch import Tensor, nn

from cmx_bench.cell import Model
from cmx_bench.errors import ModelError
from cmx_bench.models import convmixer, native

_CONVMIXERS = (convmixer.ConvMixer, timm.models.convmixer.ConvMixer)
_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)


def finish(module: nn.Module, model: Model) -> nn.Module:
    """What runs of a module that has its weights and its place: itself, or `optimise` of it."""
    return optimise(module) if model.optimised else module


@torch.no_grad()
def optimise(module: nn.Module) -> nn.Module:
    """A module equal to `module` in evaluation mode, with every ConvMixer in it folded.

    It is for inference alone. Its weights are copies of the same type, on the same device.

    Raises:
        ModelError: there is no ConvMixer in it, or one that does not fold.
    """
    if isinstance(module, _CONVMIXERS):
        return FastConvMixer(module)
    names = [
        name for name, part in module.named_children()
        if any(isinstance(inner, _CONVMIXERS) for inner in part.modules())
    ]  # fmt: skip
    if not names:
        raise ModelError(f"{type(module).__name__} is no ConvMixer, and nothing else is optimised")
    for name in names:
        setattr(module, name, optimise(getattr(module, name)))
    return module


class FastConvMixer(nn.Module):
    """A folded ConvMixer.

    Args:
        plain: this project's or timm's, with its weights; its blocks are the paper's.
    """

    def __init__(self, plain: Any) -> None:
        super().__init__()
        _refuse_other(plain)
        self._layout = _layout(plain.blocks[0][0].fn[0])
        convolution, activation, norm = plain.stem
        if isinstance(activation, nn.ReLU):
            activation = nn.ReLU(inplace=True)
        self.activation = activation
        self.stem = nn.Sequential(self._copied(convolution), activation)
        self.blocks = nn.ModuleList()
        for residual, pointwise, _, next_norm in plain.blocks:
            depthwise, _, inner_norm = residual.fn
            scale, shift = _affine(inner_norm)
            spatial = _Spatial(self._copied(depthwise), activation, scale)
            mixing = _behind(torch.ones_like(scale), shift, self._copied(pointwise))
            self.blocks.append(nn.ModuleList([deepcopy(norm), spatial, mixing]))
            norm = next_norm
        self.head = _behind(*_affine(norm), deepcopy(plain.head))
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(N, num_classes)` of images `x: (N, in_channels, H, W)`."""
        x = self.stem(x)
        if self._layout is not None:
            x = x.contiguous(memory_format=self._layout)
        blocks: Any = self.blocks
        # A module that called these in turn would keep its own input until it ends.
        for norm, spatial, mixing in blocks:
            if spatial.is_native(x):
                x = spatial.in_native_code(x, norm)
            else:
                x = norm(x)
                x = spatial(x)
            x = mixing(x)
            x = self.activation(x)
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits

    def _copied(self, convolution: nn.Conv2d) -> nn.Conv2d:
        """With weights in this layout and no other: torch computes channels-last where the strides
        of the weights are so, also where kernels have one pixel and strides mean nothing."""
        copied = deepcopy(convolution)
        layout = torch.preserve_format if self._layout is None else self._layout
        copied.weight = nn.Parameter(convolution.weight.clone(memory_format=layout))
        return copied


class _Spatial(nn.Module):
    """`x + scale * activation(convolution(x))`, with a scale for each channel.

    Two kernels take one pass: `native` where torch compiles for a CPU, and `fused` for activations
    in channels-last layout on a GPU like Hopper's. Other runtimes have no such operators.
    """

    scale: Tensor
    taps: Tensor

    def __init__(self, convolution: nn.Conv2d, activation: nn.Module, scale: Tensor) -> None:
        super().__init__()
        self.convolution = convolution
        self.activation = activation
        self.register_buffer("scale", scale.to(convolution.weight.dtype).view(1, -1, 1, 1))
        self._fused = _fits_fused(convolution, activation)
        if self._fused:
            taps = convolution.weight[:, 0].permute(1, 2, 0).contiguous()
            self.register_buffer("taps", taps)
            self._refuse_other_values()

    def forward(self, x: Tensor) -> Tensor:
        # Where torch 2.11 compiles, it says that it exports too.
        exporting = torch.compiler.is_exporting() and not torch.compiler.is_dynamo_compiling()
        channels_last = x.is_contiguous(memory_format=torch.channels_last)
        if self._fused and channels_last and not exporting:
            return self._in_one_pass(x)
        return self._in_steps(x)

    def is_native(self, x: Tensor) -> bool:
        """Whether `in_native_code` is for this layer and this input."""
        return (
            torch.compiler.is_dynamo_compiling()
            and x.device.type == "cpu"
            and x.dtype == self.convolution.weight.dtype
            and x.dtype in (torch.float32, torch.bfloat16)
            and not torch.is_autocast_enabled("cpu")
            and max(self.convolution.kernel_size) <= native.LARGEST
            and _fits_kernels(self.convolution, self.activation)
        )

    def in_native_code(self, x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
        """The same of `norm(x)`; the constants are folded where weights are frozen."""
        weight, bias = self.convolution.weight, self.convolution.bias
        assert bias is not None
        taps = weight[:, 0].permute(1, 2, 0).flatten(0, 1)
        rows = [taps, bias, self.scale.flatten(), *_affine(norm)]
        constants = torch.cat([row.double().view(-1, len(bias)) for row in rows]).float()
        return native.spatial(x, constants, weight.shape[2], isinstance(self.activation, nn.GELU))

    def _in_one_pass(self, x: Tensor) -> Tensor:
        from cmx_bench.models import fused  # brings Triton along

        gelu, bias = isinstance(self.activation, nn.GELU), self.convolution.bias
        values: Tensor = fused.spatial(x, self.taps, bias, self.scale.flatten(), gelu)
        return values

    def _in_steps(self, x: Tensor) -> Tensor:
        values = self.activation(self.convolution(x))
        # Under autocast the scale alone is fp32, and would widen all that follows.
        return torch.addcmul(x, values, self.scale.to(values.dtype))

    def _refuse_other_values(self) -> None:
        """Holds the kernel against torch on an image, for another Triton compiles it otherwise."""
        weight = self.convolution.weight
        generator = torch.Generator(weight.device).manual_seed(0)
        shape = 1, len(weight), 2 * weight.shape[2], 2 * weight.shape[3] + 1
        image = torch.randn(shape, generator=generator, device=weight.device).to(weight.dtype)
        image = image.contiguous(memory_format=torch.channels_last)
        expected = self._in_steps(image).float()
        difference = (self._in_one_pass(image).float() - expected).abs().max()
        allowed = 4 * torch.finfo(weight.dtype).eps * expected.abs().max()
        if not difference <= allowed:
            raise ModelError(f"the fused kernel differs from torch by {float(difference):.2g}, and "
                             f"{float(allowed):.2g} is allowed")  # fmt: skip


def _fits_kernels(convolution: nn.Conv2d, activation: nn.Module) -> bool:
    """Whether a layer is one that kernels of one pass are written for."""
    exact = isinstance(activation, nn.ReLU) or getattr(activation, "approximate", "") == "none"
    return exact and convolution.bias is not None


def _fits_fused(convolution: nn.Conv2d, activation: nn.Module) -> bool:
    """Whether the kernel of `fused` is for this layer and its device."""
    weight = convolution.weight
    return (
        weight.dtype in (torch.float16, torch.bfloat16)
        and weight.device.type == "cuda"
        and torch.cuda.get_device_capability(weight.device) >= (9, 0)
        and _fits_kernels(convolution, activation)
    )


def _affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift of a BatchNorm in evaluation mode, in fp64."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None
    scale = norm.weight.double() / torch.sqrt(variance.double() + norm.eps)
    return scale, norm.bias.double() - mean.double() * scale


def _behind(scale: Tensor, shift: Tensor, layer: _Layer) -> _Layer:
    """A linear layer or a pointwise convolution, changed to take v for `scale * v + shift`."""
    weight = layer.weight.double()
    assert layer.bias is not None
    layer.bias.copy_(layer.bias.double() + weight.flatten(1) @ shift)
    layer.weight.copy_(weight * scale.view(1, -1, *[1] * (weight.dim() - 2)))
    return layer


def _layout(depthwise: nn.Conv2d) -> torch.memory_format | None:
    """The layout of activations; None on a GPU, where it is the setting's.

    oneDNN has two kernels of a depthwise convolution. That for NCHW works on blocks of 8 channels,
    into which and from which every call copies all activations; that for channels-last copies
    nothing, and slows down more with the area of its kernels. Milliseconds of one core with AVX2
    for 32 × 32 positions, NCHW and channels-last: 768 channels of 8 images 50 and 13 with k = 5,
    48 and 30 with 7, 25 and 49 with 9; 1536 channels of one image 12 and 3, 5 and 9, 6 and 14, with
    11 for which there is no kernel 114 and 22. With AVX-512, all of ConvMixer-768/32 (k = 7)
    channels-last is 1.33 times as fast, ConvMixer-1536/20 (k = 9) 0.88 times. Pointwise
    convolutions take as long in both, and no longer than the same products of matrices.
    """
    if depthwise.weight.device.type not in ("cpu", "meta"):
        return None
    blocked = 8 <= max(depthwise.kernel_size) <= 9
    return torch.contiguous_format if blocked else torch.channels_last


def _refuse_other(plain: Any) -> None:
    """Refuses what the algebra above does not hold for: the ablations, and timm's other heads."""
    pool = getattr(plain, "global_pool", None) or getattr(plain, "pooling", None)
    pooling = getattr(pool, "pool_type", "avg")  # earlier timm has it as `pooling`
    blocks = all(
        len(block) == 4 and hasattr(block[0], "fn") and isinstance(block[3], nn.BatchNorm2d)
        for block in plain.blocks
    )
    if not (blocks and pooling == "avg" and isinstance(plain.head, nn.Linear)):
        raise ModelError(
            "a ConvMixer is optimised as published: with BatchNorm, a residual around the "
            "depthwise convolution alone, the mean over positions and a linear classifier"
        )
