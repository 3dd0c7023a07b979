"""The settings of a suite: how models run on each kind of device."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from cmx_bench.cell import CompileMode, Layout, Precision, Runtime
from cmx_bench.measures.runtimes import RUNTIMES
from cmx_bench.spec.schema import ImageSize, Name, Positive, Some, Strict

# What is torch's to decide, as it is where it is left out: other runtimes decide it by themselves.
_OF_TORCH = {"layout": "nchw", "compile": "none", "freeze": False}


class _Setting(Strict):
    """What a setting of any kind of device says, and what of it goes together."""

    kind: ClassVar[str]
    name: Name
    precision: Precision
    layout: Layout = "nchw"
    compile: CompileMode = "none"
    freeze: bool = False
    runtime: Runtime = "torch"

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.freeze and self.compile == "none":
            raise ValueError("freeze: true is a way of compiling; "
                             "add compile: default, or leave freeze out")  # fmt: skip
        if self.precision == "int8" and self.kind not in RUNTIMES[self.runtime].int8:
            able = " or ".join(name for name, info in RUNTIMES.items() if "cpu" in info.int8)
            raise ValueError(f"precision: int8 is for runtime: {able}, on a CPU; {self.runtime} "
                             f"runs none on {self.kind}")  # fmt: skip
        if self.runtime == "torch":
            return self
        for key, usual in _OF_TORCH.items():
            # AOTInductor runs torch's kernels on torch's tensors, in either layout.
            if getattr(self, key) != usual and (self.runtime, key) != ("aotinductor", "layout"):
                raise ValueError(f"runtime: {self.runtime} decides {key} by itself; leave {key} "
                                 "out, or set runtime: torch")  # fmt: skip
        if self.precision == "autocast":
            raise ValueError(f"precision: autocast is torch's own, and the runtime is "
                             f"{self.runtime}; give fp32, fp16 or bf16")  # fmt: skip
        return self


class CpuSetting(_Setting):
    """A setting for CPUs. `batch_size: auto` is chosen once for the whole suite."""

    kind = "cpu"
    precision: Literal["fp32", "fp16", "bf16", "autocast", "int8"] = "fp32"
    runtime: Literal["torch", "aotinductor", "onnxruntime", "openvino"] = "torch"
    batch_size: Positive | Literal["auto"] = "auto"
    image_size: ImageSize = 224
    threads: Positive | None = None


class CudaSetting(_Setting):
    """A setting for CUDA devices."""

    kind = "cuda"
    precision: Precision = "fp16"
    runtime: Literal["torch", "aotinductor", "onnxruntime", "tensorrt"] = "torch"
    batch_size: Positive = 64
    image_size: ImageSize = 224
    cudnn_benchmark: bool = True


class Settings(Strict):
    """The settings of each kind of device."""

    cuda: Some[CudaSetting] = []
    cpu: Some[CpuSetting] = []


# Where a suite names none: what most compare by on either kind of device, as the paper did on CUDA.
USUAL = Settings(cuda=[CudaSetting(name="cuda")], cpu=[CpuSetting(name="cpu")])
