"""The time of one batch from call to result, as percentiles over many calls."""

from __future__ import annotations

import statistics
import time

import torch

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Watched
from cmx_bench.measures.forward import Forward
from cmx_bench.measures.ready import prepare
from cmx_bench.measures.timing import pass_seconds, warm_up

# As many calls as last two seconds, within these; but where so few would last longer than twenty
# seconds, only those that do not, and ten in any case: of ten the slowest is the 90th percentile
# and about the 99th.
FEWEST, MOST = 50, 1000
SECONDS = 2.0
LONGEST, LEAST = 20.0, 10


def calls(seconds: float) -> int:
    """How many calls of about so many seconds each are timed."""
    few = max(LEAST, min(FEWEST, int(LONGEST / seconds)))
    return max(few, min(MOST, int(SECONDS / seconds)))


def measure(model: Model, setting: Setting) -> Watched:
    """Percentiles over so many `calls` as the warm-up foretells."""
    ready = prepare(model, setting)
    forward = ready.forward
    count = calls(pass_seconds(warm_up(forward, setting.device)))
    seconds = [_call(forward, setting.device) for _ in range(count)]
    quantiles = statistics.quantiles(seconds, n=100, method="inclusive")
    percentiles = {f"latency_p{percent}": [quantiles[percent - 1]] for percent in (50, 90, 99)}
    return Watched(percentiles, details=ready.details)


def _call(forward: Forward, device: str) -> float:
    """Seconds by the wall clock until the result is there: what a caller waits for."""
    begin = time.perf_counter()
    forward()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin
