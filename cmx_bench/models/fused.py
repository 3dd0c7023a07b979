"""The spatial half of a ConvMixer block in one pass over its activations, as a kernel for GPUs.

`x + scale * activation(convolution(x))` takes four operators of torch, each of which reads and
writes all activations. The kernel, in Triton, reads x and writes the result: its sums stay in
registers. Depthwise convolutions have no use for matrix units, so that none is lost.

A program of the kernel computes a strip of one row for a block of channels, from activations in
channels-last layout: neighbouring threads read neighbouring channels. Sums are in fp32, rounded
once. No GPU has run it yet: tests run it in Triton's interpreter, and compile it for Hopper.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.library import triton_op, wrap_triton

# Columns, channels and warps of a program: 16 sums a thread. For compute capability 9.0 it compiles
# to 64 registers, without spilling, and to loads of 16 bytes.
_COLUMNS, _CHANNELS, _WARPS = 32, 128, 8


@triton.jit  # type: ignore[untyped-decorator]
def _kernel(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    images, taps, bias, scale, results,
    height, width, channels,
    size: tl.constexpr, gelu: tl.constexpr, strip: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) % height
    image = (tl.program_id(0) // height).to(tl.int64)
    columns = tl.program_id(1) * strip + tl.arange(0, strip)
    channel = tl.program_id(2) * block + tl.arange(0, block)
    known = channel < channels
    before = (size - 1) // 2  # as padding="same" has it: an even kernel reaches further behind
    sums = tl.zeros((strip, block), tl.float32)
    for down in range(tl.maximum(before - row, 0), tl.minimum(height + before - row, size)):
        y = row + down - before
        for across in range(size):
            x = columns + across - before
            inside = (x >= 0) & (x < width)
            places = ((image * height + y) * width + x)[:, None] * channels + channel[None, :]
            values = tl.load(images + places, inside[:, None] & known[None, :], 0.0)
            tap = tl.load(taps + (down * size + across) * channels + channel, known, 0.0)
            sums += values.to(tl.float32) * tap.to(tl.float32)[None, :]
    sums += tl.load(bias + channel, known, 0.0).to(tl.float32)[None, :]
    sums = 0.5 * sums * (1 + tl.erf(sums * 0.7071067811865476)) if gelu else tl.maximum(sums, 0.0)
    places = ((image * height + row) * width + columns)[:, None] * channels + channel[None, :]
    there = (columns < width)[:, None] & known[None, :]
    residual = tl.load(images + places, there, 0.0).to(tl.float32)
    factor = tl.load(scale + channel, known, 0.0).to(tl.float32)
    tl.store(results + places, residual + factor[None, :] * sums, there)


def launch(
    kernel: Any, images: Tensor, taps: Tensor, bias: Tensor, scale: Tensor, gelu: bool
) -> Tensor:
    """Computes `spatial` by this kernel."""
    images = images.contiguous(memory_format=torch.channels_last)
    results = torch.empty_like(images)
    count, channels, height, width = images.shape
    grid = (count * height, triton.cdiv(width, _COLUMNS), triton.cdiv(channels, _CHANNELS))
    kernel[grid](
        images, taps, bias, scale, results, height, width, channels,
        size=taps.shape[0], gelu=gelu, strip=_COLUMNS, block=_CHANNELS, num_warps=_WARPS,
    )  # fmt: skip
    return results


@triton_op("cmx_bench::spatial", mutates_args=())
def spatial(images: Tensor, taps: Tensor, bias: Tensor, scale: Tensor, gelu: bool) -> Tensor:
    """`images + scale * activation(convolution(images))`, a depthwise convolution, padded "same".

    Args:
        images: `(N, C, H, W)`, channels-last.
        taps: `(k, k, C)`, the kernel of each channel; `bias` and `scale`: `(C,)`.
        gelu: the activation is the exact gelu, and ReLU otherwise.

    Returns:
        `(N, C, H, W)`, channels-last, of the type of `images`.
    """
    return launch(wrap_triton(_kernel), images, taps, bias, scale, gelu)
