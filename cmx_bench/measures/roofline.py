"""Finds where a forward pass spends its time: its work by kind, and the peaks of the device.

Every convolution, linear layer and product is timed as one call of torch (see `calls`), on CUDA
between two events in the stream. Hooks on leaf modules would miss attention, whose products no
module makes. torch.profiler needs CUPTI, which containers often refuse, and sees kernels, which
tell neither the groups of a convolution nor whether a product's operand is a weight.

torch runs a model eagerly here: kernels that a compiler fused are of no one kind. For another
runtime only the peaks are measured: the rate of its pass follows from the throughput.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import SkipError
from cmx_bench.measures import Watched, timing
from cmx_bench.measures.calls import Call, Calls, macs_by_kind
from cmx_bench.measures.forward import AUTOCAST, DTYPES, Forward, place
from cmx_bench.measures.ready import prepare_module
from cmx_bench.measures.timing import elapsed, sleep
from cmx_bench.measures.workload import OTHER
from cmx_bench.models.building import build
from cmx_bench.models.tensors import leaves

PASSES = 3
# For a tenth of a second or so a GPU only waits before a timed pass, which is launched meanwhile:
# else the gaps between launches would count as time of the kernels.
AHEAD_CYCLES = 200_000_000
# The side of square matrices, the bytes of a copy, and how often either is done in a row: far more
# than caches hold, and than a launch takes.
SIDE = {"cpu": 2048, "cuda": 8192}
COPIED = {"cpu": 2**28, "cuda": 2**30}
IN_A_ROW = {"cpu": 1, "cuda": 10}
TRIES = 5
LONGEST = 4.0  # seconds that a product may take; else its matrices are smaller
_SMALLER = 8  # times


def measure(model: Model, setting: Setting) -> Watched:
    """The rate of a pass, the peaks of the device, and the work of the pass by kind.

    The details hold, for a batch and by kind, exact MACs, bytes, and seconds of each pass.

    Raises:
        CountError: the model does work of a kind that nobody knows.
        SkipError: the setting compiles.
    """
    if setting.compile != "none":
        raise SkipError(
            "a compiled model has no operators one by one: a setting with compile: none"
        )
    peaks = {"compute_peak": [compute_peak(setting)], "bandwidth_peak": [bandwidth_peak(setting)]}
    if setting.runtime != "torch":
        return Watched(peaks)
    size = setting.image_size
    macs = macs_by_kind(lambda: build(model, size), size, model.counted_by)
    module = place(build(model, size), setting)
    forward = prepare_module(module, setting, model).forward
    forward()  # allocates, and lets cuDNN try its algorithms
    passes = [_time(forward, module, setting) for _ in range(PASSES)]
    batch = sum(macs.values()) * setting.batch_size
    return Watched(
        {"mac_rate": [batch / each.seconds for each in passes], **peaks},
        details={"work": _work(macs, setting.batch_size, passes)},
    )


def compute_peak(setting: Setting) -> float:
    """MACs a second in the setting's precision: the best of a few products of large matrices, or of
    small ones where large ones take too long, as in a precision that a CPU emulates.

    The peak of int8 is at least that of fp32: where a CPU has no instructions for int8, torch has
    only a plain loop, and runtimes have faster ones.
    """
    if setting.precision == "int8":
        return max(map(_peak, (setting, replace(setting, precision="fp32"))))
    return _peak(setting)


def _peak(setting: Setting) -> float:
    side = SIDE[setting.kind]
    rate = _compute_rate(side // _SMALLER, setting)
    return _compute_rate(side, setting) if side**3 < LONGEST * rate else rate


def _compute_rate(side: int, setting: Setting) -> float:
    """MACs a second of products of square matrices.

    On a CPU they are computed as pointwise convolutions too: torch leaves those to oneDNN and
    products to MKL, which has half of oneDNN's rate in fp32 on an AMD EPYC (104 and 215 GMAC/s).
    """
    device = setting.device
    if setting.precision == "int8":
        ones = torch.ones(side, side, dtype=torch.int8, device=device)
        return side**3 / _fastest(lambda: torch._int_mm(ones, ones), setting)
    autocast = setting.precision == "autocast"
    dtype = AUTOCAST[setting.kind] if autocast else DTYPES[setting.precision]
    left, right, product = (torch.randn(side, side, dtype=dtype, device=device) for _ in range(3))
    seconds = [_fastest(lambda: torch.mm(left, right, out=product), setting)]
    if setting.kind == "cpu":
        images, weight = (
            matrix.view(shape).contiguous(memory_format=torch.channels_last)
            for matrix, shape in ((left, (1, side, 1, side)), (right, (side, side, 1, 1)))
        )
        seconds.append(_fastest(lambda: torch.conv2d(images, weight), setting))
    return side**3 / min(seconds)


def bandwidth_peak(setting: Setting) -> float:
    """Bytes a second, those read and those written: the best of a few large copies (as McCalpin's
    STREAM counts its Copy)."""
    source = torch.ones(COPIED[setting.kind], dtype=torch.uint8, device=setting.device)
    target = torch.zeros_like(source)
    return 2 * len(source) / _fastest(lambda: target.copy_(source), setting)


def _fastest(run: Callable[[], Tensor], setting: Setting) -> float:
    """The least seconds of a run."""
    run()
    count = IN_A_ROW[setting.kind]
    return min(elapsed(run, count, setting.device) for _ in range(TRIES)) / count


# --- timed calls ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pass:
    """The seconds of a pass, and of each kind of work the seconds and the bytes moved at least."""

    seconds: float
    by_kind: Mapping[str, float]
    bytes: Mapping[str, int]


def _time(forward: Forward, module: nn.Module, setting: Setting) -> _Pass:
    """One pass, each call of a kind timed by itself."""
    mark, between = _CLOCKS[setting.kind]
    calls: list[tuple[str, int, Any, Any]] = []

    def take(call: Call) -> Any:
        if call.kind is None:
            return call.run()
        begin = mark()
        output = call.run()
        end = mark()
        # Operands are read at least once, and the output is written once.
        moved = (*call.operands, *leaves(output))
        size = sum(tensor.numel() * tensor.element_size() for tensor in moved)
        calls.append((call.kind, size, begin, end))
        return output

    if setting.kind == "cuda":
        sleep(AHEAD_CYCLES)
    begin = mark()
    with Calls(module, take):
        forward()
    end = mark()
    seconds, moved = defaultdict[str, float](float), defaultdict[str, int](int)
    total = between(begin, end)
    for kind, size, first, last in calls:
        seconds[kind] += between(first, last)
        moved[kind] += size
    return _Pass(total, seconds, moved)


# What marks a moment, and the seconds between two.
_CLOCKS: Mapping[str, tuple[Callable[[], Any], Callable[[Any, Any], float]]] = {
    "cpu": (time.perf_counter, lambda begin, end: end - begin),
    "cuda": (timing.record, timing.between),
}


def _work(
    macs: Mapping[str, int], batch_size: int, passes: Sequence[_Pass]
) -> dict[str, dict[str, Any]]:
    """Each kind's MACs, bytes and seconds, and the seconds of everything else."""
    work: dict[str, dict[str, Any]] = {
        kind: {
            "macs": count * batch_size,
            "bytes": passes[-1].bytes[kind],
            "seconds": [each.by_kind[kind] for each in passes],
        }
        for kind, count in macs.items()
        if kind != OTHER
    }
    rest = [each.seconds - sum(each.by_kind.values()) for each in passes]
    given = macs.get(OTHER, 0) * batch_size  # by the user's word
    return work | {OTHER: {"macs": given, "bytes": 0, "seconds": rest}}
