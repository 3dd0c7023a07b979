"""How fast a ConvMixer is on a CPU, plain and optimised, by torch and by runtimes, and the limit.

``python tests/bench/fast.py time NAME BATCH PRECISION ROUNDS FOLDER`` times timm's model of that
name with initial weights in every way, one pass of each in turns. It prints the best and the
median of the seconds by the wall and of those that the cores computed, which neighbours change
less, and the share of the limit: all MACs at the best rate of 2048³ products that stand among the
turns. FOLDER keeps what is exported and compiled: a first call with one round fills it. PRECISION
is fp32 or bf16.

``python tests/bench/fast.py agree NAME IMAGES`` compares logits and top-1 of timm's model of that
name with initial weights, plain and optimised, on pieces of real photographs.
"""

from __future__ import annotations

import copy
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

THREADS, SIZE, SIDE = 2, 224, 2048
FOLDER = Path(sys.argv[6]) if sys.argv[1:2] == ["time"] else Path()
os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(FOLDER.absolute() / "inductor")

import timm  # noqa: E402
import torch  # noqa: E402
import torch._inductor.config as inductor  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch._dynamo.utils import counters  # noqa: E402

from cmx_bench.measures.counting.twice import count  # noqa: E402
from cmx_bench.measures.normalising import normalise  # noqa: E402
from cmx_bench.models.fast import optimise  # noqa: E402
from tests.photographs import crops  # noqa: E402

Pass = Callable[[], object]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def build(name: str) -> nn.Module:
    """timm's model with initial weights, its BatchNorm layers with the statistics of other images
    than are timed: of its own, the mean over positions, and all that logits depend on, would be 0.
    """
    torch.manual_seed(0)
    module: nn.Module = timm.create_model(name).eval()
    others = torch.randn(2, 3, SIZE, SIZE)
    normalise(module, lambda: module(others))
    return module


def by_torch(module: nn.Module, images: Tensor, compile: bool = False, last: bool = False) -> Pass:
    """A pass of a copy by torch; where it compiles, with frozen weights."""
    layout = torch.channels_last if last else torch.contiguous_format
    module = copy.deepcopy(module).to(memory_format=layout)
    images = images.contiguous(memory_format=layout)
    return _compile(module, images, freeze=True) if compile else partial(module, images)


def by_runtimes(module: nn.Module, images: Tensor, name: str, precision: str) -> dict[str, Pass]:
    """A pass of the model, exported as ONNX in fp32, by each of two runtimes; in bf16 by OpenVINO,
    for ONNX Runtime has no bf16 on CPUs."""
    import onnxruntime
    import openvino

    file = FOLDER / f"{name}-{len(images)}.onnx"
    if not file.exists():
        torch.onnx.export(module, (images,), file, dynamo=True, optimize=True, verbose=False)
    hints = {"INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
             "INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY"}  # fmt: skip
    compiled = openvino.Core().compile_model(str(file), "CPU", hints)
    request, array = compiled.create_infer_request(), images.numpy()
    passes: dict[str, Pass] = {"OpenVINO": lambda: request.infer([array])[0]}
    if precision == "fp32":
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        feed = {session.get_inputs()[0].name: array}
        passes["ONNX Runtime"] = lambda: session.run(None, feed)[0]
    return passes


def ways(name: str, batch: int, precision: str) -> dict[str, Pass]:
    images = torch.randn(batch, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    plain = build(name)
    runtimes = by_runtimes(plain, images, name, precision)
    placed, images = plain.to(DTYPES[precision]), images.to(DTYPES[precision])
    fast = optimise(placed)
    return {
        "timm, as it comes": by_torch(placed, images),
        "channels-last": by_torch(placed, images, last=True),
        "compiled, frozen": by_torch(placed, images, compile=True),
        "compiled, frozen, channels-last": by_torch(placed, images, compile=True, last=True),
        "optimised": partial(fast, images),
        "optimised, compiled": _compile(fast, images, freeze=False),
        "optimised, compiled, frozen": _compile(fast, images, freeze=True),
        **runtimes,
    }


def _compile(module: nn.Module, images: Tensor, freeze: bool) -> Pass:
    """Not by `by_torch`, which would change the layouts that were chosen.

    Inductor reads `freezing` from its configuration, and passes over it among the options of a
    call. Isolated, because a copy would take what another copy has compiled.
    """
    module = copy.deepcopy(module)
    module.compile(isolate_recompiles=True)
    with inductor.patch(freezing=freeze):
        module(images)
    packed = counters["inductor"].pop("mkldnn_conv_weight_pack_matcher_count", 0)
    assert bool(packed) is freeze, f"{packed} convolutions have frozen weights"
    return partial(module, images)


def _product(precision: str) -> Pass:
    """As a pointwise convolution, which torch leaves to oneDNN: in fp32 MKL's products have half of
    its rate on an AMD EPYC."""
    images = torch.randn(1, SIDE, 1, SIDE).to(DTYPES[precision])
    weight = torch.randn(SIDE, SIDE, 1, 1).to(DTYPES[precision])
    images, weight = (
        each.contiguous(memory_format=torch.channels_last) for each in (images, weight)
    )
    return partial(torch.conv2d, images, weight)


@torch.no_grad()
def time_ways(name: str, batch: int, precision: str, rounds: int) -> None:
    """Prints a line for each way, and what it differs by from the first."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(THREADS)
    passes = ways(name, batch, precision)
    logits = {way: np.asarray(torch.as_tensor(run()).float()) for way, run in passes.items()}
    product = f"{SIDE}³ product"
    passes[product] = _product(precision)
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in passes}
    for _ in range(rounds):
        for way, run in passes.items():
            begin = time.perf_counter(), time.process_time()
            run()
            end = time.perf_counter(), time.process_time()
            taken[way].append((end[0] - begin[0], end[1] - begin[1]))
    macs = batch * count(lambda: timm.create_model(name), SIZE).macs
    limits = [macs / SIDE**3 * min(column) for column in zip(*taken.pop(product), strict=True)]
    print(f"{name}, batch {batch}, {precision}, {THREADS} threads, {rounds} rounds, "
          f"torch {torch.__version__} with {torch.backends.cpu.get_cpu_capability()}")  # fmt: skip
    print(f"{'':32}   wall: best, median, % of limit | cores: best, median, % | difference")
    first = next(iter(logits.values()))
    print(f"{'limit':32} {1000 * limits[0]:8.1f} ms {'':17} | {1000 * limits[1]:8.1f} ms")
    for way, seconds in taken.items():
        cells = []
        for column, limit in zip(zip(*seconds, strict=True), limits, strict=True):
            best, middle = min(column), statistics.median(column)
            cells.append(f"{1000 * best:8.1f} {1000 * middle:8.1f} {100 * limit / best:6.0f} %")
        off = np.abs(logits[way] - first).max() / np.abs(first).max()
        print(f"{way:32} {' | '.join(cells)} | {off:.1e}")


@torch.no_grad()
def agree(name: str, count: int) -> None:
    """Prints on how many images both name the same class, the largest difference, and how near the
    best two logits are where the classes differ."""
    plain = build(name)
    pieces = [np.asarray(piece.convert("RGB")) for piece in crops(count, SIZE, SIZE)]
    pixels = torch.from_numpy(np.stack(pieces)).permute(0, 3, 1, 2)
    others = torch.randn(32, 3, SIZE, SIZE)  # of photographs alone, logits would be rounding
    normalise(plain, lambda: plain(torch.cat([_values(pixels[:32]), others])))
    fast = optimise(plain)
    pairs = [(plain(images), fast(images)) for images in map(_values, pixels.split(20))]
    expected, logits = (torch.cat(side) for side in zip(*pairs, strict=True))
    classes, (best, second) = expected.argmax(1), expected.topk(2).values.T
    differ = classes != logits.argmax(1)
    margins, errors = best - second, (logits - expected).abs().amax(1)
    off = float(errors.max() / expected.abs().max())
    print(f"{name}: top-1 is the same on {int((~differ).sum())} of {count} images, which are of "
          f"{len(classes.unique())} classes by the plain one; "
          f"logits differ by {off:.1e} of the largest")  # fmt: skip
    for image in differ.nonzero().flatten().tolist():
        print(f"image {image}: the plain one's best two logits are {margins[image]:.1e} apart, "
              f"its logits are up to {errors[image]:.1e} from the optimised one's")  # fmt: skip
    within = int((margins <= 2 * errors).sum())
    print(f"{within} images have best two logits so near that rounding can swap them")
    exact, images = plain.double(), _values(pixels[differ]).double()
    same = exact(images).argmax(1) == optimise(exact)(images).argmax(1)
    print(f"of those that differ, {int(same.sum())} of {len(same)} are the same in fp64")


def _values(pixels: Tensor) -> Tensor:
    return pixels.float().div(127.5).sub(1)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1] == "agree":
        agree(sys.argv[2], int(sys.argv[3]))
    else:
        time_ways(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
