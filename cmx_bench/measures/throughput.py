"""Images a second: blocks of back-to-back forward passes in a fresh process."""

from __future__ import annotations

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Samples
from cmx_bench.measures.forward import prepare
from cmx_bench.measures.timing import BLOCKS, elapsed, passes_a_block, warm_up


def measure(model: Model, setting: Setting) -> Samples:
    """One sample a block; a compiled model also gives the time of its first pass."""
    forward = prepare(model, setting)
    passes = warm_up(forward, setting.device)
    count = passes_a_block(passes)
    blocks = [elapsed(forward, count, setting.device) for _ in range(BLOCKS)]
    samples = {"throughput": [count * setting.batch_size / block for block in blocks]}
    return samples if setting.compile == "none" else samples | {"compile_time": [passes[0]]}
