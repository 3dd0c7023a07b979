"""TensorRT: a model in ONNX, run by ONNX Runtime's TensorRT provider on a GPU.

What TensorRT has no kernel for runs by the CUDA provider. No run was timed yet.
"""

from __future__ import annotations

from pathlib import Path

from cmx_bench.cell import Setting
from cmx_bench.measures.runtimes import Loaded
from cmx_bench.measures.runtimes.onnxruntime import export, of_cuda, of_stream, on_cuda

__all__ = ["export", "load"]


def load(folder: Path, setting: Setting) -> Loaded:
    """A session whose engine TensorRT builds for the exported shape."""
    return on_cuda(
        folder, setting, [("TensorrtExecutionProvider", of_stream(setting)), of_cuda(setting)]
    )
