"""Runs made to find something in: speeds, accuracies and claims as told."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cmx_bench.cell import Model
from cmx_bench.present.content import Findings
from cmx_bench.report.findings import findings
from cmx_bench.report.tables import tables
from cmx_bench.results import agreement
from cmx_bench.results.nouns import Report
from cmx_bench.results.predictions import Images
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record
from cmx_bench.spec.claims import Claim

from ..synthetic import FP16, PAPER, make_records, make_run
from ..tables.test_rankings import details

MODELS = {model.name: model for model in PAPER}

MIXER, RESNET = "convmixer_1536_20", "resnet152"

DEIT, RESMLP = "deit_base_patch16_224", "resmlp_24_224"


def rounds(value: float, spread: float = 0.0) -> list[float]:
    """Three processes whose logarithms are `spread` apart, in one order: with others that have no
    spread the interval of a quotient is exp(± HALF · spread) wide."""
    return [value * math.exp(step * spread) for step in (-1, 0, 1)]


def measured(
    speeds: Mapping[str, Sequence[float]],
    measure: str = "throughput",
    models: Mapping[str, Model] = MODELS,
    **changes: Any,
) -> Report:
    """A run with these speeds, one value a process, and the parameters of the paper's models."""
    metric = {"latency": "latency_p50"}.get(measure, measure)
    replicates = max(map(len, speeds.values()))
    run = make_run(tuple(map(models.__getitem__, speeds)), (FP16,), ("params", measure), replicates)
    records = [record for record in make_records(run) if record.measure == "params"]
    records += [
        Record(f"{model}/{measure}/{FP16.key}", model, measure, FP16.key, place, "ok",
               {metric: [value]}, "", "e1", "2026-01-01T00:00:00.000+00:00", 1.0)
        for model, values in speeds.items()
        for place, value in enumerate(values)
    ]  # fmt: skip
    return summarise(dataclasses.replace(run, **changes), records)


def find_all(report: Report) -> Findings:
    return findings(report, tables(report))


def say(report: Report, topic: str) -> str:
    """What is found about a topic; empty where nothing is."""
    return next((finding.text for finding in find_all(report).items if finding.topic == topic), "")


COUNT = 400


def evaluated(right: Mapping[str, Sequence[int]], **asked: Any) -> Report:
    """Of 400 images so many right, the first ones; several numbers are of several seeds."""
    run = make_run(tuple(map(MODELS.__getitem__, right)), measures=("accuracy",))
    run = dataclasses.replace(run, accuracy={"dataset": "digits"} | asked)
    records = [
        Record(f"{model}/accuracy/{FP16.key}", model, "accuracy", FP16.key, seed, "ok",
               {"top1": [count / COUNT], "top5": [1.0]}, "", "e1",
               "2026-01-01T00:00:00.000+00:00", 1.0, details=details(count))
        for model, counts in right.items()
        for seed, count in enumerate(counts)
    ]  # fmt: skip
    classes = {
        (model, FP16.key): (np.arange(COUNT) >= counts[0]).astype(np.int32)
        for model, counts in right.items()
    }
    images = Images(tuple(map(str, range(COUNT))), ((0,),) * COUNT)
    return dataclasses.replace(summarise(run, records), votes=agreement.votes(images, classes))


CLAIMS = (
    Claim("ConvMixer is smaller", "params(convmixer_1536_20) < params(resnet152)"),
    Claim("ConvMixer\nis faster", "throughput(convmixer_1536_20) > throughput(resnet152)"),
    Claim("It is better", "top1(convmixer_1536_20) > top1(resnet152)"),
)
