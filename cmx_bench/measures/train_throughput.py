"""Images a second of training: blocks of back-to-back steps in a fresh process, by phase."""

from __future__ import annotations

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Watched
from cmx_bench.measures.conditions import judged
from cmx_bench.measures.throughput import take
from cmx_bench.measures.training_step import PHASES, prepare, split


def measure(model: Model, setting: Setting) -> Watched:
    """One sample a block of whole steps' images a second, and of the seconds of each phase."""
    step = prepare(model, setting)
    phases: list[tuple[float, float, float]] = []

    def block(steps: int) -> float:
        phases.append(split(step, steps, setting.device))
        return sum(phases[-1])

    blocks = take(step, setting, block)
    images = blocks.passes * setting.batch_size
    samples = {"train_throughput": [images / seconds for seconds in blocks.seconds]}
    for phase, seconds in zip(PHASES, zip(*phases, strict=True), strict=True):
        samples[f"train_{phase}_time"] = [one / blocks.passes for one in seconds]
    watched = [judged(metric, taken, blocks.conditions) for metric, taken in samples.items()]
    return Watched(
        {metric: values for one in watched for metric, values in one.values.items()},
        watched[0].covariates,
        {metric: values for one in watched for metric, values in one.discarded.items()},
    )
