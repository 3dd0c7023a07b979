"""The paper's claims in the suites that come along: each can be decided, either way."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import numpy as np
import pytest

from cmx_bench.metrics import METRICS
from cmx_bench.report.tables import judgements
from cmx_bench.results import agreement
from cmx_bench.results.nouns import Report
from cmx_bench.results.predictions import Images
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record
from cmx_bench.spec import shipped, suite
from cmx_bench.spec.claims import Claim

from .synthetic import FP16, make_run, model

IMAGES = 10_000
CLAIMING = ("appendix", "paper")  # those that train judge what they trained
PARAMS = {
    "convmixer_1536_20": 51_625_960, "resnet152": 60_192_808, "resmlp_big_24_224": 129_138_280,
}  # fmt: skip
# What the paper found, and a world in which it is wrong in everything.
RIGHT: dict[str, dict[str, float]] = {
    "throughput": {
        "convmixer_1536_20": 134, "convmixer_1536_20_ks9_p14": 540, "resnet152": 828,
        "deit_base_patch16_224": 792, "vit_base_patch16_224": 700, "resmlp_big_24_224": 181,
    },
    "top1": {
        "convmixer_1536_20": 0.8137, "convmixer_1536_20_ks3_p7": 0.8037, "resnet152": 0.7964,
        "resmlp_big_24_224": 0.81, "convmixer_768_32": 0.8016, "convmixer_768_32_gelu": 0.802,
    },
}  # fmt: skip
WRONG: dict[str, dict[str, float]] = {
    "throughput": dict.fromkeys(RIGHT["throughput"], 100.0) | {"convmixer_1536_20": 120.0},
    "top1": dict.fromkeys(RIGHT["top1"], 0.8)
    | {"convmixer_1536_20": 0.78, "convmixer_768_32_gelu": 0.82},
}


def measured(name: str, world: Mapping[str, Mapping[str, float]]) -> Report:
    """A suite's claims beside records that are made of a world's values."""
    asked = suite.load(name).suite
    models = tuple(model(name, name, "any") for name in asked.named)
    run = dataclasses.replace(
        make_run(models, (FP16,), ("params", "throughput", "accuracy")),
        claims=tuple(Claim(claim.say, claim.check) for claim in asked.claims),
    )
    lines = [record(name, "params", "r224", {"params": [count]}) for name, count in PARAMS.items()]
    lines += [
        record(name, "throughput", FP16.key, {"throughput": [speed * (1 + step / 1000)]}, step)
        for name, speed in world["throughput"].items()
        for step in range(5)
    ]
    lines += [
        dataclasses.replace(
            record(name, "accuracy", FP16.key, {"top1": [share]}),
            details={"images": IMAGES, "correct": {"top1": round(IMAGES * share)}},
        )
        for name, share in world["top1"].items()
    ]
    images = Images(tuple(map(str, range(IMAGES))), ((0,),) * IMAGES)
    said = {
        (name, FP16.key): (np.arange(IMAGES) >= round(IMAGES * share)).astype(np.int32)
        for name, share in world["top1"].items()
    }
    planned = [line for line in lines if line.cell in run.cells]
    return dataclasses.replace(summarise(run, planned), votes=agreement.votes(images, said))


def record(
    name: str, measure: str, setting: str, values: Mapping[str, list[float]], replicate: int = 0
) -> Record:
    return Record(f"{name}/{measure}/{setting}", name, measure, setting, replicate, "ok", values,
                  "", "e1", "2026-01-01T00:00:00.000+00:00", 1.0)  # fmt: skip


@pytest.mark.parametrize("name", CLAIMING)
def test_they_hold_where_the_paper_is_right(name: str) -> None:
    judged = judgements.judge(measured(name, RIGHT))
    assert [
        (judgement.claim.say, judgement.state) for judgement in judged if judgement.state != "HOLDS"
    ] == []


@pytest.mark.parametrize("name", CLAIMING)
def test_they_fail_where_the_paper_is_wrong(name: str) -> None:
    judged = judgements.judge(measured(name, WRONG))
    assert [
        (judgement.claim.say, judgement.state) for judgement in judged if judgement.state != "FAILS"
    ] == []


@pytest.mark.parametrize("name", shipped.suites())
def test_a_suite_measures_what_its_claims_compare(name: str) -> None:
    asked = suite.load(name).suite
    metrics = {word for claim in asked.claims for word in re.findall(r"(\w+)\(", claim.check)}
    assert {METRICS[metric].measure for metric in metrics} <= set(asked.measures)
