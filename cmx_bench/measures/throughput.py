"""Images a second: blocks of back-to-back forward passes in a fresh process."""

from __future__ import annotations

import dataclasses

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Watched
from cmx_bench.measures.conditions import judged, look_for
from cmx_bench.measures.forward import prepare
from cmx_bench.measures.timing import (
    elapsed,
    most_blocks,
    pass_seconds,
    passes_a_block,
    take_blocks,
    warm_up,
)


def measure(model: Model, setting: Setting) -> Watched:
    """One sample a block; a compiled model also gives the time of its first pass."""
    forward = prepare(model, setting)
    look = look_for(setting)
    look()  # what a first look costs is spent here: after the warm-up a GPU would idle meanwhile
    passes = warm_up(forward, setting.device)
    count = passes_a_block(passes, setting.kind)
    most = most_blocks(count * pass_seconds(passes))
    blocks, conditions = take_blocks(lambda: elapsed(forward, count, setting.device), look, most)
    images = count * setting.batch_size
    watched = judged("throughput", [images / seconds for seconds in blocks], conditions)
    if setting.compile == "none":
        return watched
    return dataclasses.replace(watched, values=watched.values | {"compile_time": [passes[0]]})
