"""Runtimes beside eager torch: the largest difference, the share of the peak, and the ranking."""

from __future__ import annotations

import dataclasses

import pytest

from cmx_bench.report.tables import deviations, fairness
from cmx_bench.results.reading import summarise

from ..synthetic import FP32, PAPER, PARAMS, make_records, make_run

EXPORTED = dataclasses.replace(FP32, name="exported", runtime="onnxruntime")
TOLD = {"version": "onnxruntime 1.32.0", "tolerance": 0.001, "options": {"threads": 2}}


def test_what_ran_by_another_runtime_is_shown_with_its_difference() -> None:
    measures = ("macs", "throughput", "roofline")
    run = make_run(PAPER[:2], (FP32, EXPORTED), measures)
    lines = [
        dataclasses.replace(
            record,
            details={**record.details, "runtime": {**TOLD, "difference": 1e-6}},
        )
        if record.setting == EXPORTED.key
        else record
        for record in make_records(run)
    ]
    report = summarise(run, lines)
    table = deviations.table(report)
    assert table.columns[-1].heading == "Share of the compute peak (%)"
    assert [row[1].text for row in table.rows] == ["exported", "exported"]
    _, _, runtime, difference, tolerance, share = table.rows[0]
    assert (runtime.text, runtime.title) == ("onnxruntime 1.32.0", "threads 2")
    assert (difference.text, tolerance.text) == ("1e-06", "0.001")
    # 100 images a second by 100 MACs a parameter, of the better of two peaks.
    macs = 100 * PARAMS[PAPER[0].name]
    assert share.sort == pytest.approx(100 * 100 * macs / (1e13 + 1), rel=1e-3)
    [values, *_] = fairness.tables(report)
    assert {FP32.key, EXPORTED.key} < {column.key for column in values.columns}


def test_int8_tells_how_much_of_a_model_it_is() -> None:
    quantised = dataclasses.replace(EXPORTED, precision="int8")
    runtime = {**TOLD, "difference": 0.2, "quantised": {"products": [5, 6]}}
    run = make_run(PAPER[:1], (quantised,), ("throughput",))
    records = [
        dataclasses.replace(record, details={**record.details, "runtime": runtime})
        for record in make_records(run)
    ]
    table = deviations.table(summarise(run, records))
    assert table.rows[0][2].text == "onnxruntime 1.32.0, 5 of 6 products in int8"
    assert any(remark.startswith("In int8 the difference is") for remark in table.remarks)
    # Without a peak there is no share of it.
    assert table.columns[-1].key == "tolerance" and "peak" not in " ".join(table.remarks)


def test_torch_alone_needs_no_such_table() -> None:
    run = make_run(PAPER[:2], (FP32,))
    assert deviations.table(summarise(run, make_records(run))).rows == ()
