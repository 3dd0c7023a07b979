"""What a terminal shows at the end of a run: what the run is about, in few columns."""

from __future__ import annotations

from cmx_bench.report.overview import overview
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record

from .synthetic import FP32, PAPER, make_records, make_run


def test_a_run_of_training_alone_shows_training() -> None:
    run = make_run(PAPER[:2], (FP32,), ("params", "train_throughput"))
    trained = [
        Record(
            f"{model.name}/train_throughput/{FP32.key}", model.name, "train_throughput", FP32.key,
            0, "ok", {"train_throughput": [speed], "train_forward_time": [0.01]}, "", "e1",
            "2026-01-01T00:00:00.000+00:00", 2.0,
        )
        for model, speed in zip(PAPER[:2], (12.5, 25.0), strict=True)
    ]  # fmt: skip
    counted = make_records(make_run(PAPER[:2], (FP32,), ("params",)))
    shown = overview(summarise(run, [*counted, *trained]), 120)
    assert "\nAll metrics\n" in shown and "Table 1" not in shown
    assert "12 images/s" in shown and "25 images/s" in shown  # of one process each: two digits
    assert "forward" not in shown  # the page has it


def test_a_column_that_says_nothing_is_left_out() -> None:
    run = make_run(PAPER[:2], (FP32,), ("params", "throughput"))
    shown = overview(summarise(run, make_records(run)), 120)
    assert "Throughput (images/s)" in shown and "MACs" not in shown and "Peak memory" not in shown
