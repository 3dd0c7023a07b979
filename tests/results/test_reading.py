"""What records add up to: by hand, and where they do not fit together."""

from __future__ import annotations

import dataclasses
import math

import pytest

from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run
from cmx_bench.results.stats import Estimate

from ..report.synthetic import (
    BF16,
    ENVIRONMENT,
    FP16,
    FP32,
    PAPER,
    failed,
    make_records,
    make_run,
    model,
    watched,
)

THROUGHPUT = "convmixer_1536_20/throughput/cuda-fp16-nchw-eager-b64-r224"
KEY = FP16.key


def test_the_interval_is_students_t_on_logarithms(run: Run, found: list[Record]) -> None:
    """Medians 98, 99, 100, 101, 102: geometric mean, and t(4) = 2.776445 times the error."""
    estimate = summarise(run, found).results["convmixer_1536_20", KEY, "throughput"].estimate
    logs = [math.log(median) for median in (98, 99, 100, 101, 102)]
    mean = sum(logs) / 5
    error = math.sqrt(sum((one - mean) ** 2 for one in logs) / 4 / 5)
    assert estimate is not None and estimate.low is not None and estimate.high is not None
    assert estimate.n == 5
    assert estimate.value == pytest.approx(math.exp(mean))
    assert estimate.low == pytest.approx(math.exp(mean - 2.776445 * error), rel=1e-6)
    assert estimate.high == pytest.approx(math.exp(mean + 2.776445 * error), rel=1e-6)


def test_one_process_has_no_interval(run: Run, found: list[Record]) -> None:
    first = [one for one in found if one.replicate == 0]
    result = summarise(run, first).results["convmixer_1536_20", KEY, "peak_memory"]
    assert result.estimate is not None
    assert result.estimate.value == 51_625_960 * 4 + 2**20 * 100
    assert (result.estimate.low, result.estimate.high, result.estimate.n) == (None, None, 1)


def test_exact_metrics_are_shared_by_settings() -> None:
    run = make_run(settings=(FP32, BF16))
    report = summarise(run, make_records(run))
    for setting in run.settings:
        result = report.result(run.models[0], setting.key, 224, "params")
        assert result is not None and result.estimate is not None
        assert (result.setting, result.estimate.value) == ("r224", 51_625_960)
    assert ("convmixer_1536_20", FP32.key, "params") not in report.results


def test_exact_metrics_that_disagree_fail(run: Run, found: list[Record]) -> None:
    other = next(one for one in found if one.cell == "resnet50/macs/r224")
    values = {"macs": [1.0], "activations": [12_778_516]}
    changed = dataclasses.replace(other, values=values, replicate=1)
    report = summarise(run, [*found, changed])
    result = report.results["resnet50", "r224", "macs"]
    assert (result.status, result.estimate) == ("failed", None)
    assert "1, 2555703200" in result.reason
    assert [one.cell for one in report.failures] == ["resnet50/macs/r224"]
    assert report.results["resnet50", "r224", "activations"].status == "ok"
    assert (report.progress.ok, report.progress.failed) == (43, 1)


def test_a_failed_cell_says_why(run: Run, found: list[Record]) -> None:
    some = [one for one in found if one.cell != THROUGHPUT]
    first = next(one for one in found if one.cell == THROUGHPUT)
    report = summarise(run, [*some, failed(first, "out of memory at batch 64 on cuda:0")])
    result = report.results["convmixer_1536_20", KEY, "throughput"]
    assert (result.status, result.estimate) == ("failed", None)
    assert result.reason == "out of memory at batch 64 on cuda:0"
    assert [(one.cell, one.replicate) for one in report.failures] == [(THROUGHPUT, 0)]


def test_a_process_that_failed_leaves_a_failed_cell(run: Run, found: list[Record]) -> None:
    """The others still count, but nobody can take the cell for whole."""
    last = next(one for one in found if one.cell == THROUGHPUT and one.replicate == 4)
    some = [failed(one, "boom") if one is last else one for one in found]
    report = summarise(run, some)
    result = report.results["convmixer_1536_20", KEY, "throughput"]
    assert result.status == "failed"
    assert result.estimate is not None and result.estimate.n == 4
    assert report.progress.failed == 1


def test_a_cell_without_records_is_missing(run: Run, found: list[Record]) -> None:
    report = summarise(run, [one for one in found if one.cell != THROUGHPUT])
    assert report.results["convmixer_1536_20", KEY, "throughput"].status == "not measured"
    gap = report.gaps[0]
    assert (gap.what, gap.models) == (f"throughput/{KEY}", ("convmixer_1536_20",))
    assert gap.remedy == "python -m cmx_bench run suites/paper.yaml"
    assert (report.progress.ok, report.progress.missing) == (43, 1)


def test_what_a_budget_cut_off_is_a_gap(run: Run, found: list[Record]) -> None:
    """Apart from what was not measured at all, and with what measures it."""
    few = [one for one in found if one.cell != THROUGHPUT or one.replicate < 2]
    cut = dataclasses.replace(run, budget=40.0, cut_off={THROUGHPUT: 3})
    [gap] = [one for one in summarise(cut, few).gaps if "budget" in one.reason]
    assert (gap.what, gap.models) == (f"throughput/{KEY}", ("convmixer_1536_20",))
    assert gap.reason == "the budget of 40 s was spent before 3 more processes"
    assert gap.remedy.endswith("paper.yaml --out FOLDER-OF-THIS-RUN, with a longer --budget")
    assert not any("budget" in one.reason for one in summarise(run, few).gaps)


def test_a_run_without_records_has_a_result_for_each_cell(run: Run) -> None:
    report = summarise(run, [])
    assert {one.status for one in report.results.values()} == {"not measured"}
    assert len(report.results) == len(run.cells)


def test_the_majority_of_environments_counts(run: Run, found: list[Record]) -> None:
    other = ENVIRONMENT | {"driver": "580.2", "threads": 4}
    run = dataclasses.replace(run, environments={"e1": ENVIRONMENT, "e2": other})
    mixed = [
        dataclasses.replace(one, environment="e2")
        if one.cell == THROUGHPUT and one.replicate > 2
        else one
        for one in found
    ]
    report = summarise(run, mixed)
    result = report.results["convmixer_1536_20", KEY, "throughput"]
    assert result.estimate is not None and result.estimate.n == 3
    assert [one.replicate for one in report.left_out] == [3, 4]
    assert report.left_out[0].differences == {"threads": (4, 8), "driver": ("580.2", "570.1")}


def test_fields_that_need_not_match_are_merged(run: Run, found: list[Record]) -> None:
    run = dataclasses.replace(
        run, environments={"e1": ENVIRONMENT, "e2": ENVIRONMENT | {"git_commit": "abc"}}
    )
    mixed = [dataclasses.replace(one, environment=f"e{1 + one.replicate % 2}") for one in found]
    assert summarise(run, mixed).left_out == ()


def test_exact_metrics_do_not_depend_on_the_environment(run: Run, found: list[Record]) -> None:
    run = dataclasses.replace(
        run, environments={"e1": ENVIRONMENT, "e2": {"device_name": "another"}}
    )
    moved = [
        dataclasses.replace(one, environment="e2") if one.cell == "resnet50/params/r224" else one
        for one in found
    ]
    report = summarise(run, moved)
    assert report.left_out == ()
    assert report.results["resnet50", "r224", "params"].status == "ok"


def test_an_unknown_metric_is_a_failure(run: Run, found: list[Record]) -> None:
    odd = [
        dataclasses.replace(one, values={**one.values, "sparkle": [1.0]})
        if one.cell == "resnet50/params/r224"
        else one
        for one in found
    ]
    failures = summarise(run, odd).failures
    assert any(one.cell == "resnet50/params/r224" and "sparkle" in one.reason for one in failures)


def test_a_metric_that_one_model_lacks_is_a_failure(run: Run, found: list[Record]) -> None:
    odd = [
        dataclasses.replace(one, values={"params": [1]})
        if one.cell == "resnet50/params/r224"
        else one
        for one in found
    ]
    report = summarise(run, odd)
    assert report.results["resnet50", "r224", "buffers"].reason == "the measure gave no value"
    assert len(report.failures) == 2


def test_what_only_leaves_out_is_named(run: Run) -> None:
    run = dataclasses.replace(
        run, only=("*/params/*",), cells=tuple(key for key in run.cells if "/params/" in key)
    )
    gaps = {gap.what: gap for gap in summarise(run, make_records(run)).gaps}
    assert len(gaps[f"throughput/{KEY}"].models) == 11
    assert gaps[f"throughput/{KEY}"].remedy == (
        f"python -m cmx_bench run suites/paper.yaml --device cuda:0 --only '*/throughput/{KEY}'"
    )
    assert gaps["setting cpu/cpu"].remedy.endswith("--device cpu")
    assert "latency" in gaps


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, True),
        ({"args": {"drop_rate": 0.1}}, False),
        ({"num_classes": 10}, False),
        ({"source": "python", "target": "mine:build"}, False),
        ({"name": "my_name"}, True),  # the target says what it is
        ({"source": "convmixer", "args": {"dim": 1536, "depth": 20, "kernel_size": 9}}, True),
        ({"source": "convmixer", "args": {"dim": 1536, "depth": 20, "kernel_size": 5}}, False),
        ({"source": "convmixer", "args": {"dim": 64, "depth": 2}}, False),
    ],
)
def test_only_the_published_model_has_published_figures(
    changes: dict[str, object], known: bool
) -> None:
    variation = dataclasses.replace(PAPER[0], **changes)  # type: ignore[arg-type]
    report = summarise(make_run(models=(variation,)), [])
    assert ("top1" in report.published[variation.name].paper) is known


def test_timms_figure_follows_the_weights() -> None:
    run = make_run(models=(model("resnet152", "ResNet-152", "resnet", "a1h_in1k"),))
    assert summarise(run, []).published["resnet152"].timm["top1"].printed == "82.818"


def test_zero_is_a_value(run: Run, found: list[Record]) -> None:
    """A resident memory that did not grow has no logarithm, but a place in the report."""
    none = [
        dataclasses.replace(one, values={**one.values, "peak_memory": [0.0]})
        if one.measure == "memory"
        else one
        for one in found
    ]
    result = summarise(run, none).results["resnet50", KEY, "peak_memory"]
    assert result.estimate is not None and result.estimate.value == 0


def test_a_precision_is_for_the_first_metric_of_a_precise_measure() -> None:
    run = make_run(measures=("params", "throughput", "latency", "load_time"))
    report = summarise(dataclasses.replace(run, precision=0.01), make_records(run))
    wanted = {key[2] for key, one in report.results.items() if one.wanted is not None}
    assert wanted == {"throughput", "latency_p50"}
    assert {key[2] for key, one in report.results.items() if one.wide} == wanted


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
    run: Run, found: list[Record], estimate: Estimate | None, wide: bool
) -> None:
    report = summarise(dataclasses.replace(run, precision=0.03), found)
    result = report.results["resnet50", KEY, "throughput"]
    value, low, high, n = (
        (None, None, None, 0) if estimate is None else dataclasses.astuple(estimate)
    )
    assert result._replace(value=value, low=low, high=high, n=n).wide is wide
    assert estimate is None or estimate.within(0.03) is not wide


def test_conditions_are_those_of_the_first_metric(run: Run, found: list[Record]) -> None:
    """A compile time is no block."""
    compiled = [
        dataclasses.replace(one, values={**one.values, "compile_time": [3.0]})
        if one.cell == THROUGHPUT
        else one
        for one in found
    ]
    watching = [watched(one, "dddxx") if one.cell == THROUGHPUT else one for one in compiled]
    samples = summarise(run, watching).samples
    first = samples[(samples["model"] == "convmixer_1536_20") & (samples["replicate"] == 0)]
    rate = first[first["metric"] == "throughput"]
    compile_time = first[first["metric"] == "compile_time"]
    assert rate["disturbed"].all()
    assert rate["discarded"].tolist() == [False, False, False, True, True]
    assert rate["gpu_clock_reasons"].tolist() == [68.0] * 5
    assert not compile_time["disturbed"].any()
    assert compile_time["gpu_clock_reasons"].isna().all()
