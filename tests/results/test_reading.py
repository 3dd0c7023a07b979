"""What records add up to: by hand, and where they do not fit together."""

from __future__ import annotations

from dataclasses import replace

from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..report.synthetic import BF16, FP16, FP32, failed, make_records, make_run, watched

THROUGHPUT = "convmixer_1536_20/throughput/cuda-fp16-nchw-eager-b64-r224"
KEY = FP16.key


def test_exact_metrics_are_shared_by_settings() -> None:
    run = make_run(settings=(FP32, BF16))
    report = summarise(run, make_records(run))
    for setting in run.settings:
        result = report.result(run.models[0], setting, "params")
        assert result is not None and result.estimate is not None
        assert (result.setting, result.estimate.value) == ("r224", 51_625_960)
    assert ("convmixer_1536_20", FP32.key, "params") not in report.results


def test_a_failed_cell_says_why(run: Run, run_records: list[Record]) -> None:
    some = [record for record in run_records if record.cell != THROUGHPUT]
    first = next(record for record in run_records if record.cell == THROUGHPUT)
    report = summarise(run, [*some, failed(first, "out of memory at batch 64 on cuda:0")])
    result = report.results["convmixer_1536_20", KEY, "throughput"]
    assert (result.status, result.estimate) == ("failed", None)
    assert result.reason == "out of memory at batch 64 on cuda:0"
    assert [(failure.cell, failure.replicate) for failure in report.failures] == [(THROUGHPUT, 0)]


def test_a_process_that_failed_leaves_a_failed_cell(run: Run, run_records: list[Record]) -> None:
    """The others still count, but nobody can take the cell for whole."""
    last = next(
        record for record in run_records if record.cell == THROUGHPUT and record.replicate == 4
    )
    some = [failed(record, "boom") if record is last else record for record in run_records]
    report = summarise(run, some)
    result = report.results["convmixer_1536_20", KEY, "throughput"]
    assert result.status == "failed"
    assert result.estimate is not None and result.estimate.n == 4
    assert report.progress.failed == 1


def test_a_run_without_records_has_a_result_for_each_cell(run: Run) -> None:
    report = summarise(run, [])
    assert {result.status for result in report.results.values()} == {"not measured"}
    assert len(report.results) == len(run.cells)


def test_an_unknown_metric_is_a_failure(run: Run, run_records: list[Record]) -> None:
    odd = [
        replace(record, values={**record.values, "sparkle": [1.0]})
        if record.cell == "resnet50/params/r224"
        else record
        for record in run_records
    ]
    failures = summarise(run, odd).failures
    assert any(
        failure.cell == "resnet50/params/r224" and "sparkle" in failure.reason
        for failure in failures
    )


def test_a_metric_that_one_model_lacks_is_a_failure(run: Run, run_records: list[Record]) -> None:
    odd = [
        replace(record, values={"params": [1]}) if record.cell == "resnet50/params/r224" else record
        for record in run_records
    ]
    report = summarise(run, odd)
    assert report.results["resnet50", "r224", "buffers"].reason == "the measure gave no value"
    assert len(report.failures) == 2


def test_conditions_are_those_of_the_first_metric(run: Run, run_records: list[Record]) -> None:
    """A compile time is no block."""
    compiled = [
        replace(record, values={**record.values, "compile_time": [3.0]})
        if record.cell == THROUGHPUT
        else record
        for record in run_records
    ]
    watching = [
        watched(record, "dddxx") if record.cell == THROUGHPUT else record for record in compiled
    ]
    samples = summarise(run, watching).samples
    first = samples[(samples["model"] == "convmixer_1536_20") & (samples["replicate"] == 0)]
    rate = first[first["metric"] == "throughput"]
    compile_time = first[first["metric"] == "compile_time"]
    assert rate["disturbed"].all()
    assert rate["discarded"].tolist() == [False, False, False, True, True]
    assert rate["gpu_clock_reasons"].tolist() == [68.0] * 5
    assert not compile_time["disturbed"].any()
    assert compile_time["gpu_clock_reasons"].isna().all()
