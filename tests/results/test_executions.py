"""Which records count."""

from __future__ import annotations

from dataclasses import replace

from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..report.synthetic import ENVIRONMENT
from .test_reading import KEY, THROUGHPUT


def test_the_majority_of_environments_counts(run: Run, found: list[Record]) -> None:
    other = ENVIRONMENT | {"driver": "580.2", "threads": 4}
    run = replace(run, environments={"e1": ENVIRONMENT, "e2": other})
    mixed = [
        replace(one, environment="e2") if one.cell == THROUGHPUT and one.replicate > 2 else one
        for one in found
    ]
    report = summarise(run, mixed)
    result = report.results["convmixer_1536_20", KEY, "throughput"]
    assert result.estimate is not None and result.estimate.n == 3
    assert [one.replicate for one in report.left_out] == [3, 4]
    assert report.left_out[0].differences == {"threads": (4, 8), "driver": ("580.2", "570.1")}


def test_fields_that_need_not_match_are_merged(run: Run, found: list[Record]) -> None:
    run = replace(run, environments={"e1": ENVIRONMENT, "e2": ENVIRONMENT | {"git_commit": "abc"}})
    mixed = [replace(one, environment=f"e{1 + one.replicate % 2}") for one in found]
    assert summarise(run, mixed).left_out == ()


def test_exact_metrics_do_not_depend_on_the_environment(run: Run, found: list[Record]) -> None:
    run = replace(run, environments={"e1": ENVIRONMENT, "e2": {"device_name": "another"}})
    moved = [
        replace(one, environment="e2") if one.cell == "resnet50/params/r224" else one
        for one in found
    ]
    report = summarise(run, moved)
    assert report.left_out == ()
    assert report.results["resnet50", "r224", "params"].status == "ok"
