"""Images a second: blocks of back-to-back forward passes in a fresh process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Watched, compiled
from cmx_bench.measures.conditions import judge
from cmx_bench.measures.forward import Forward
from cmx_bench.measures.probes import look_for
from cmx_bench.measures.ready import prepare
from cmx_bench.measures.timing import (
    Blocks,
    elapsed,
    launch_seconds,
    pass_seconds,
    passes_a_block,
    take_blocks,
    warm_through,
    warm_up,
)


def measure(model: Model, setting: Setting) -> Watched:
    """One sample a block; the first process that compiles gives the time of its first pass too,
    and any that a runtime needed to export and to load the model."""
    compiles = setting.compile != "none" and not compiled.is_there(setting)
    ready = prepare(model, setting)
    forward = ready.forward
    passes, blocks = take(
        forward, setting, lambda count: (elapsed(forward, count, setting.device),)
    )
    rates = [setting.batch_size * rate for rate in blocks.rates()]
    watched = judge({"throughput": rates}, blocks.conditions)
    if compiles:
        more = {"compile_time": [passes[0]]} | ready.seconds
    else:
        more = {} if setting.runtime == "torch" else ready.seconds
    return replace(watched, values=watched.values | more, details=ready.details)


def take(
    forward: Forward, setting: Setting, block: Callable[[int], tuple[float, ...]]
) -> tuple[list[float], Blocks]:
    """Warms up with `forward`, then takes as many blocks as are needed.

    Args:
        block: the seconds of so many passes in a row, by their parts.

    Returns:
        The seconds of each pass of the warm-up, and the blocks.
    """
    look = look_for(setting)
    look()  # what a first look costs is spent here: after the warm-up a GPU would idle meanwhile
    passes = warm_up(forward, setting.device)
    count = passes_a_block(pass_seconds(passes), setting.kind)
    warmed = warm_through(partial(elapsed, forward, count, setting.device), setting)
    blocks = take_blocks(block, look, pass_seconds(passes), setting.kind)
    if setting.kind == "cuda":
        launching = launch_seconds(forward)
        more = {} if warmed is None else {"gpu_warm_up": warmed}
        pairs = zip(blocks.conditions, blocks.rates(), strict=True)
        blocks.conditions[:] = [
            {**block, **more, "launching": min(1.0, launching * rate)} for block, rate in pairs
        ]
    return passes, blocks
