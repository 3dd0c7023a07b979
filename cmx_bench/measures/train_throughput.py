"""Images a second of training: blocks of back-to-back steps in a fresh process, by phase."""

from __future__ import annotations

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Watched
from cmx_bench.measures.conditions import judge
from cmx_bench.measures.throughput import take
from cmx_bench.measures.training_step import PHASES, prepare, split


def measure(model: Model, setting: Setting) -> Watched:
    """One sample a block of whole steps' images a second, and of the seconds of each phase."""
    step = prepare(model, setting)
    _, blocks = take(step, setting, lambda steps: split(step, steps, setting.device))
    samples = {"train_throughput": [setting.batch_size * rate for rate in blocks.rates()]}
    for phase, seconds in zip(PHASES, zip(*blocks.parts, strict=True), strict=True):
        samples[f"train_{phase}_time"] = [
            taken / steps for taken, steps in zip(seconds, blocks.passes, strict=True)
        ]
    return judge(samples, blocks.conditions)
