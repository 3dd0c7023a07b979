"""The spatial half of a ConvMixer block in one pass over its activations, as a kernel for CPUs.

oneDNN's depthwise convolution takes most of the time of a ConvMixer in bf16, where matrix units
compute the pointwise ones, and what stands around it takes further passes over all activations.
`spatial.cpp` does both at once. It is compiled for this machine, in about a second a process and
kernel size, with the C++ compiler that Inductor needs anyway.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from cmx_bench.errors import ModelError

LARGEST = 15  # kernel size: taps lie on the stack of a thread, and their loops are unrolled
_SOURCE = Path(__file__).with_name("spatial.cpp")
_FLAGS = ("-std=c++17", "-O3", "-march=native", "-fopenmp", "-fPIC", "-shared")
_FUNCTIONS = {torch.float32: "fp32", torch.bfloat16: "bf16"}
_OPERATOR = "cmx_bench::spatial_on_cpu"
torch.library.define(_OPERATOR, "(Tensor images, Tensor constants, int size, bool gelu) -> Tensor")


def spatial(images: Tensor, constants: Tensor, size: int, gelu: bool) -> Tensor:
    """`y + factor * activation(convolution(y) + bias)` of `y = scale * images + shift`.

    Args:
        images: `(N, C, H, W)` in fp32 or bf16.
        constants: `(size² + 4, C)`: the taps of each channel's kernel, which is padded "same", then
            bias, factor, scale and shift.
        gelu: the activation is the exact gelu, and ReLU otherwise.

    Returns:
        `(N, C, H, W)`, channels-last, of the type of `images`. Sums are in fp32, rounded once.

    Raises:
        ModelError: the compiler fails.
    """
    results: Tensor = torch.ops.cmx_bench.spatial_on_cpu(images, constants, size, gelu)
    return results


@torch.library.register_fake(_OPERATOR)  # type: ignore[untyped-decorator]
def _allocate(images: Tensor, constants: Tensor, size: int, gelu: bool) -> Tensor:
    return torch.empty_like(images, memory_format=torch.channels_last)


@torch.library.impl(_OPERATOR, "cpu")
def _compute(images: Tensor, constants: Tensor, size: int, gelu: bool) -> Tensor:
    images = images.contiguous(memory_format=torch.channels_last)
    constants = constants.to(torch.float32).contiguous()
    results = torch.empty_like(images)
    function = getattr(_library(size), _FUNCTIONS[images.dtype])
    function(
        *(ctypes.c_void_p(each.data_ptr()) for each in (images, constants, results)),
        *map(ctypes.c_int64, images.shape), ctypes.c_int(torch.get_num_threads()),
        ctypes.c_bool(gelu),
    )  # fmt: skip
    return results


def compiler() -> list[str]:
    """The words of the C++ compiler's command, which Inductor takes from CXX too."""
    return os.environ.get("CXX", "").split() or ["g++"]


@lru_cache
def _library(size: int) -> ctypes.CDLL:
    """The compiled kernels for one size of kernels.

    Its threads are those of torch, whose library for OpenMP is there first.
    """
    with TemporaryDirectory(prefix="cmx-kernel-") as folder:
        file = Path(folder, "spatial.so")
        command = [*compiler(), *_FLAGS, f"-DKERNEL_SIZE={size}", str(_SOURCE), "-o", str(file)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = str(getattr(error, "stderr", "") or error).strip().splitlines()[0]
            raise ModelError(f"the kernel of an optimised ConvMixer does not compile: {reason}; "
                             f"install g++, or set compile: none") from error  # fmt: skip
        return ctypes.CDLL(str(file))
