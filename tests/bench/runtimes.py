"""What our wrapper adds to a bare loop over a runtime's own API, side by side in one process.

    python tests/bench/runtimes.py [MODEL] [ROUNDS]

Blocks of passes are timed in turns, one of ours and one of the bare loop. Printed are the best and
the median of both, and the difference. A small network shows the most: its pass is short.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from cmx_bench.cell import Model, Runtime, Setting
from cmx_bench.measures import ready
from cmx_bench.measures.forward import apply_flags, images, place
from cmx_bench.models.building import build


def bare_onnxruntime(folder: Path, batch: Tensor) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(folder / "model.onnx", options)
    array = batch.numpy()
    return lambda: session.run(None, {"images": array})


def bare_openvino(folder: Path, batch: Tensor) -> Callable[[], object]:
    import openvino

    config = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(), "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "f32",  # else it computes in bf16, where a CPU has that
    }  # fmt: skip
    compiled = openvino.Core().compile_model(folder / "model.xml", "CPU", config)
    request, array = compiled.create_infer_request(), batch.numpy()
    return lambda: request.infer([array], share_inputs=True)


PASSES = 20  # in a block
BARE = {"onnxruntime": bare_onnxruntime, "openvino": bare_openvino}


def in_turns(forwards: list[Callable[[], object]], rounds: int) -> list[list[float]]:
    """The seconds of a pass in each block of each forward."""
    seconds: list[list[float]] = [[] for _ in forwards]
    for turn in range(rounds + 1):
        for taken, forward in zip(seconds, forwards, strict=True):
            forward()  # threads of the other one still spin
            begin = time.perf_counter()
            for _ in range(PASSES):
                forward()
            if turn:
                taken.append((time.perf_counter() - begin) / PASSES)
    return seconds


def main(name: str = "resnet18", rounds: str = "30") -> None:
    model = Model(name, name, "", "timm", name)
    runtimes: tuple[Runtime, ...] = ("onnxruntime", "openvino")
    for runtime in runtimes:
        setting = Setting("s", "cpu", "fp32", "nchw", "none", 1, 224, runtime=runtime)
        apply_flags(setting)
        module, batch = place(build(model, 224), setting), images(setting)
        ready.initialise(module, batch, setting)
        with TemporaryDirectory() as home:
            exported = ready.export_module(module, batch, setting, Path(home))
            bare = BARE[runtime](exported.folder, batch)
            ours, theirs = in_turns([partial(exported.loaded.call, batch), bare], int(rounds))
        for what, of in (("best", min), ("median", statistics.median)):
            mine, other = 1e3 * of(ours), 1e3 * of(theirs)
            print(f"{runtime} {name} {what}: ours {mine:.3f} ms, bare loop {other:.3f} ms, "
                  f"{100 * (mine / other - 1):+.2f} %")  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
