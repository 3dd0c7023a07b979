"""Which records count."""

from __future__ import annotations

from dataclasses import replace

from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..report.synthetic import ENVIRONMENT
from .test_reading import KEY, THROUGHPUT


def test_the_majority_of_environments_counts(run: Run, run_records: list[Record]) -> None:
    other = ENVIRONMENT | {"driver": "580.2", "threads": 4}
    run = replace(run, environments={"e1": ENVIRONMENT, "e2": other})
    mixed = [
        replace(record, environment="e2")
        if record.cell == THROUGHPUT and record.replicate > 2
        else record
        for record in run_records
    ]
    report = summarise(run, mixed)
    result = report.results["convmixer_1536_20", KEY, "throughput"]
    assert result.estimate is not None and result.estimate.n == 3
    assert [record.replicate for record in report.left_out] == [3, 4]
    assert report.left_out[0].differences == {"threads": (4, 8), "driver": ("580.2", "570.1")}


def test_fields_that_need_not_match_are_merged(run: Run, run_records: list[Record]) -> None:
    run = replace(run, environments={"e1": ENVIRONMENT, "e2": ENVIRONMENT | {"git_commit": "abc"}})
    mixed = [replace(record, environment=f"e{1 + record.replicate % 2}") for record in run_records]
    assert summarise(run, mixed).left_out == ()


def test_exact_metrics_do_not_depend_on_the_environment(
    run: Run, run_records: list[Record]
) -> None:
    run = replace(run, environments={"e1": ENVIRONMENT, "e2": {"device_name": "another"}})
    moved = [
        replace(record, environment="e2") if record.cell == "resnet50/params/r224" else record
        for record in run_records
    ]
    report = summarise(run, moved)
    assert report.left_out == ()
    assert report.results["resnet50", "r224", "params"].status == "ok"
