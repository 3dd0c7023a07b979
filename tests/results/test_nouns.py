"""A report looked up: shared results, processes, what was measured at all; its content hash."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from cmx_bench.results import records
from cmx_bench.results.nouns import Report, content_hash
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..conftest import append_record
from ..report.synthetic import BF16, FP16, PAPER, failed, make_records, make_run
from .test_records import PLANNED, RECORD, RUN


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
    assert {
        process.replicate: statistics.median(process.samples) for process in processes
    } == result.medians
    assert all(process.counts and len(process.samples) == 5 for process in processes)


def test_processes_that_lie_apart_are_found_too() -> None:
    """A first try that failed was measured before all others."""
    run: Run = make_run(PAPER[:2], (FP16,), ("throughput", "memory"), replicates=2)
    lines = make_records(run)
    apart: list[Record] = sorted(lines, key=lambda record: record.replicate)
    report = summarise(run, [failed(lines[0], "boom"), *apart])
    processes = report.processes[PAPER[0].name, FP16.key, "throughput"]
    assert [process.replicate for process in processes] == [0, 1]


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


HASH = "944565882afac01a716efc8d5a4121bf66f54c656b637f925ae4405819d916e3"


def test_the_content_hash_follows_every_value_and_survives_the_disk(tmp_path: Path) -> None:
    plain = content_hash(RUN, [PLANNED])
    records.write_run(tmp_path, RUN)
    append_record(tmp_path, PLANNED)
    assert content_hash(records.read_run(tmp_path), records.read(tmp_path)) == plain
    others = [
        (RUN, []),
        (RUN, [PLANNED, PLANNED]),
        (RUN, [replace(PLANNED, values={"params": [1, 3]})]),
        (RUN, [replace(PLANNED, discarded={"params": [1.0]})]),
        (replace(RUN, device="cuda:0"), [PLANNED]),
        (replace(RUN, environments={"e": {"torch": "3"}}), [PLANNED]),
    ]
    hashes = {content_hash(*other) for other in others}
    assert len(hashes) == len(others) and plain not in hashes


def test_the_content_hash_is_the_same_in_later_versions() -> None:
    """Written down once: whoever cites a run must find the same hash in years."""
    assert content_hash(replace(RUN, created="now"), [RECORD]) == HASH
