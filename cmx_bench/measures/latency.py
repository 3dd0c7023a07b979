"""The time of one batch from call to result, as percentiles over many calls."""

from __future__ import annotations

import time

import torch

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Samples
from cmx_bench.measures.forward import Forward, prepare
from cmx_bench.measures.timing import warm_up

FEWEST, MOST = 50, 1000
SECONDS = 2.0


def measure(model: Model, setting: Setting) -> Samples:
    """Percentiles over at least `FEWEST` calls, and as many up to `MOST` as `SECONDS` hold."""
    forward = prepare(model, setting)
    warm_up(forward, setting.device)
    calls: list[float] = []
    begin = time.perf_counter()
    while len(calls) < FEWEST or (len(calls) < MOST and time.perf_counter() - begin < SECONDS):
        calls.append(_call(forward, setting.device))
    quantiles = torch.tensor(calls, dtype=torch.float64).quantile(
        torch.tensor([0.5, 0.9, 0.99], dtype=torch.float64)
    )
    names = ("latency_p50", "latency_p90", "latency_p99")
    return {name: [float(value)] for name, value in zip(names, quantiles, strict=True)}


def _call(forward: Forward, device: str) -> float:
    """Seconds by the wall clock until the result is there: what a caller waits for."""
    begin = time.perf_counter()
    forward()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin
