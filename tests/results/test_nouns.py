"""A report looked up: shared results, samples of a result, what was measured at all."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest

from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..report.synthetic import BF16, FP16, PAPER, failed, make_records, make_run


@pytest.fixture(scope="module")
def report() -> Report:
    run = make_run(PAPER[:2], (FP16, BF16), ("params", "throughput", "memory"))
    return summarise(run, make_records(run))


def test_a_result_of_a_setting_is_its_own_or_what_its_image_size_shares(report: Report) -> None:
    model = report.run.models[0]
    own = report.result(model, BF16, "throughput")
    shared = report.result(model, BF16, "params")
    assert own is not None and own.setting == BF16.key
    assert shared is not None and shared.setting == "r224"
    assert report.result(model, replace(BF16, image_size=96), "params") is None
    assert report.estimate(model, BF16, "throughput") == own.estimate
    assert report.estimate(model, BF16, "energy") is None


def test_the_processes_of_a_result_are_those_that_it_was_made_from(report: Report) -> None:
    result = report.results[PAPER[1].name, BF16.key, "throughput"]
    processes = report.processes[PAPER[1].name, BF16.key, "throughput"]
    assert {one.replicate: statistics.median(one.samples) for one in processes} == result.medians
    assert all(one.counts and len(one.samples) == 5 for one in processes)


def test_processes_that_lie_apart_are_found_too() -> None:
    """A first try that failed was measured before all others."""
    run: Run = make_run(PAPER[:2], (FP16,), ("throughput", "memory"), replicates=2)
    records = make_records(run)
    apart: list[Record] = sorted(records, key=lambda record: record.replicate)
    report = summarise(run, [failed(records[0], "boom"), *apart])
    processes = report.processes[PAPER[0].name, FP16.key, "throughput"]
    assert [one.replicate for one in processes] == [0, 1]


def test_what_was_measured_at_all(report: Report) -> None:
    assert [metric.name for metric in report.metrics()] == [
        "params", "trainable_params", "buffers", "throughput", "peak_memory", "reserved_memory",
    ]  # fmt: skip
    assert report.is_timed(report.run.models[0], FP16)
    assert not report.has_top1
    sized = make_run(PAPER[:1], (FP16,), ("params",))
    assert not summarise(sized, make_records(sized)).is_timed(PAPER[0], FP16)


def test_an_accuracy_that_failed_was_to_be_measured() -> None:
    asked = {"dataset": "digits", "train": {"name": "short"}, "seeds": [0, 1]}
    run = replace(make_run(PAPER[:1], (FP16,), ("accuracy",)), accuracy=asked)
    lost = Record(run.cells[0], PAPER[0].name, "accuracy", FP16.key, 0, "failed", {}, "boom", "e1",
                  "2026-01-01T00:00:00.000+00:00", 1.0)  # fmt: skip
    report = summarise(run, [lost])
    assert report.has_top1 and report.over_seeds
    assert not summarise(run, []).has_top1
    assert report.voters == [(PAPER[0].name, FP16.key)]
