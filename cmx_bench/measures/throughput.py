"""Images a second: blocks of back-to-back forward passes in a fresh process."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Watched, compiled
from cmx_bench.measures.conditions import Covariates, judged
from cmx_bench.measures.forward import Forward, prepare
from cmx_bench.measures.probes import look_for
from cmx_bench.measures.timing import (
    elapsed,
    most_blocks,
    pass_seconds,
    passes_a_block,
    take_blocks,
    warm_up,
)


@dataclass(frozen=True, slots=True)
class Blocks:
    """What a process measured: the seconds of its warm-up's passes, then of blocks of `passes`
    each, with the conditions of every block."""

    warm_up: list[float]
    passes: int
    seconds: list[float]
    conditions: list[Covariates]


def measure(model: Model, setting: Setting) -> Watched:
    """One sample a block; the first process that compiles gives the time of its first pass too."""
    compiles = setting.compile != "none" and not compiled.is_there(setting)
    forward = prepare(model, setting)
    blocks = take(forward, setting, lambda passes: elapsed(forward, passes, setting.device))
    images = blocks.passes * setting.batch_size
    rates = [images / seconds for seconds in blocks.seconds]
    watched = judged("throughput", rates, blocks.conditions)
    if not compiles:
        return watched
    compiling = {"compile_time": [blocks.warm_up[0]]}
    return dataclasses.replace(watched, values=watched.values | compiling)


def take(forward: Forward, setting: Setting, block: Callable[[int], float]) -> Blocks:
    """Warms up with `forward`, then takes as many blocks as are needed.

    Args:
        block: the seconds of so many passes in a row.
    """
    look = look_for(setting)
    look()  # what a first look costs is spent here: after the warm-up a GPU would idle meanwhile
    passes = warm_up(forward, setting.device)
    count = passes_a_block(passes, setting.kind)
    most = most_blocks(count * pass_seconds(passes))
    seconds, conditions = take_blocks(lambda: block(count), look, most)
    return Blocks(passes, count, seconds, conditions)
