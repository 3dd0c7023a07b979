"""What samples come to, by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
from pandas import DataFrame

from cmx_bench.results import frame, stats, summary
from cmx_bench.results.executions import executions
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run
from cmx_bench.results.stats import Estimate

from ..report.synthetic import (
    PAPER,
    make_records,
    make_run,
)
from .test_frame import NAME, of
from .test_reading import KEY


def test_the_interval_is_students_t_on_logarithms(run: Run, run_records: list[Record]) -> None:
    """Medians 98, 99, 100, 101, 102: geometric mean, and t(4) = 2.776445 times the error."""
    estimate = summarise(run, run_records).results["convmixer_1536_20", KEY, "throughput"].estimate
    logs = [math.log(median) for median in (98, 99, 100, 101, 102)]
    mean = sum(logs) / 5
    error = math.sqrt(sum((logarithm - mean) ** 2 for logarithm in logs) / 4 / 5)
    assert estimate is not None and estimate.low is not None and estimate.high is not None
    assert estimate.n == 5
    assert estimate.value == pytest.approx(math.exp(mean))
    assert estimate.low == pytest.approx(math.exp(mean - 2.776445 * error), rel=1e-6)
    assert estimate.high == pytest.approx(math.exp(mean + 2.776445 * error), rel=1e-6)


def test_one_process_has_no_interval(run: Run, run_records: list[Record]) -> None:
    first = [record for record in run_records if record.replicate == 0]
    result = summarise(run, first).results["convmixer_1536_20", KEY, "peak_memory"]
    assert result.estimate is not None
    assert result.estimate.value == 51_625_960 * 4 + 2**20 * 100
    assert (result.estimate.low, result.estimate.high, result.estimate.n) == (None, None, 1)


def test_exact_metrics_that_disagree_fail(run: Run, run_records: list[Record]) -> None:
    other = next(record for record in run_records if record.cell == "resnet50/macs/r224")
    values: dict[str, list[float]] = {"macs": [1.0], "activations": [12_778_516]}
    changed = dataclasses.replace(other, values=values, replicate=1)
    report = summarise(run, [*run_records, changed])
    result = report.results["resnet50", "r224", "macs"]
    assert (result.status, result.estimate) == ("failed", None)
    assert "1, 2555703200" in result.reason
    assert [failure.cell for failure in report.failures] == ["resnet50/macs/r224"]
    assert report.results["resnet50", "r224", "activations"].status == "ok"
    assert (report.progress.ok, report.progress.failed) == (43, 1)


def test_a_process_that_was_skipped_takes_no_value_from_the_others(
    run: Run, run_records: list[Record]
) -> None:
    """As of energy, where a counter could be read in all processes but the last."""
    *others, last = [
        record for record in run_records if record.cell == f"resnet50/throughput/{KEY}"
    ]
    skipped = dataclasses.replace(last, status="skipped", values={}, reason="no counter: wait")
    changed = [skipped if record is last else record for record in run_records]
    result = summarise(run, changed).results["resnet50", KEY, "throughput"]
    assert (result.status, result.n) == ("ok", len(others))
    alone = [record for record in changed if record not in others]
    result = summarise(run, alone).results["resnet50", KEY, "throughput"]
    assert (result.status, result.reason, result.value) == ("skipped", "no counter: wait", None)


def test_zero_is_a_value(run: Run, run_records: list[Record]) -> None:
    """A resident memory that did not grow has no logarithm, but a place in the report."""
    none = [
        dataclasses.replace(record, values={**record.values, "peak_memory": [0.0]})
        if record.measure == "memory"
        else record
        for record in run_records
    ]
    result = summarise(run, none).results["resnet50", KEY, "peak_memory"]
    assert result.estimate is not None and result.estimate.value == 0


def test_a_precision_is_for_the_first_metric_of_a_precise_measure() -> None:
    run = make_run(measures=("params", "throughput", "latency", "load_time"))
    report = summarise(dataclasses.replace(run, precision=0.01), make_records(run))
    wanted = {key[2] for key, result in report.results.items() if result.wanted is not None}
    assert wanted == {"throughput", "latency_p50"}
    assert {key[2] for key, result in report.results.items() if result.wide} == wanted


@pytest.mark.parametrize(
    ("estimate", "wide"),
    [
        (Estimate(100, 100 / 1.02, 102, 5), False),
        (Estimate(100, 100 / 1.04, 104, 5), True),
        (Estimate(100, None, None, 1), True),
        (Estimate(0, -1, 1, 5), True),
        (None, False),
    ],
)
def test_wide_is_an_interval_not_within_the_precision(
    run: Run, run_records: list[Record], estimate: Estimate | None, wide: bool
) -> None:
    report = summarise(dataclasses.replace(run, precision=0.03), run_records)
    result = report.results["resnet50", KEY, "throughput"]
    value, low, high, n = (
        (None, None, None, 0) if estimate is None else dataclasses.astuple(estimate)
    )
    assert result._replace(value=value, low=low, high=high, n=n).wide is wide
    assert estimate is None or estimate.within(0.03) is not wide


def test_the_summary_is_of_the_processes_that_count() -> None:
    run = make_run(PAPER[:3])
    records = make_records(run)
    [row] = [each for each in summary.results(of(run, records))
             if (each.model, each.metric) == (NAME, "throughput")]  # fmt: skip
    medians = [[100.0 * (1 + 0.01 * (place - 2))] for place in range(5)]
    estimate = stats.estimate(medians)
    assert row.value == pytest.approx(estimate.value, rel=1e-12)
    assert (row.low, row.high) == pytest.approx((estimate.low, estimate.high), rel=1e-12)
    assert (row.n, row.status, row.over) == (5, "ok", "processes")
    assert list(summary.summary(of(run, records)).columns) == [
        name for name in summary.Result._fields if name not in ("medians", "details", "launching")
    ]


def test_a_part_of_the_samples_can_be_summarised() -> None:
    run = make_run(PAPER[:3])
    samples = of(run, make_records(run))
    two = samples[(samples["replicate"] < 2) & (samples["metric"] == "throughput")]
    assert summary.summary(two)["n"].tolist() == [2, 2, 2]
    assert summary.summary(samples[:0]).empty


def test_a_run_may_have_more_models_than_a_byte_counts() -> None:
    models = tuple(dataclasses.replace(PAPER[0], name=f"m{place}") for place in range(200))
    run = make_run(models, measures=("throughput",), replicates=3)
    tries = executions(run, make_records(run))
    rows = summary.results(frame.samples({"run": (run, tries)}))
    assert [row.model for row in rows] == [model.name for model in models]
    assert {row.n for row in rows} == {3}


@pytest.mark.parametrize("of_pandas", [DataFrame.convert_dtypes, lambda df: df.astype(object)])
def test_columns_of_other_types_give_the_same_values(
    of_pandas: Callable[[DataFrame], DataFrame],
) -> None:
    run = make_run(PAPER[:2])
    samples = frame.samples({"mine": (run, executions(run, make_records(run)))})
    values = summary.summary(of_pandas(samples))["value"]
    assert list(values) == list(summary.summary(samples)["value"])


def test_what_an_unfinished_run_lacks_says_so() -> None:
    run = dataclasses.replace(make_run(PAPER[:1], measures=("params", "throughput")), finished="")
    rows = summary.summary(of(run, make_records(run)[:1])).set_index("metric")
    assert tuple(rows.loc["throughput", ["status", "reason"]]) == (
        "not measured", "the run is not finished",
    )  # fmt: skip
