"""The settings of a suite: how models run on each kind of device."""

from __future__ import annotations

from typing import Literal

from cmx_bench.cell import CompileMode, Layout, Precision
from cmx_bench.spec.schema import ImageSize, Name, Positive, Some, Strict


class CpuSetting(Strict):
    """A setting for CPUs. `batch_size: auto` is chosen once for the whole suite."""

    name: Name
    precision: Literal["fp32", "fp16", "bf16", "autocast"] = "fp32"
    layout: Layout = "nchw"
    compile: CompileMode = "none"
    batch_size: Positive | Literal["auto"] = "auto"
    image_size: ImageSize = 224
    threads: Positive | None = None


class CudaSetting(Strict):
    """A setting for CUDA devices."""

    name: Name
    precision: Precision = "fp16"
    layout: Layout = "nchw"
    compile: CompileMode = "none"
    batch_size: Positive = 64
    image_size: ImageSize = 224
    cudnn_benchmark: bool = True


class Settings(Strict):
    """The settings of each kind of device."""

    cuda: Some[CudaSetting] = []
    cpu: Some[CpuSetting] = []


# Where a suite names none: what most compare by on either kind of device, as the paper did on CUDA.
USUAL = Settings(cuda=[CudaSetting(name="cuda")], cpu=[CpuSetting(name="cpu")])
