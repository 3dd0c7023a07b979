"""What a terminal shows at the end of a run: what the run is about, in few columns."""

from __future__ import annotations

import dataclasses

import pytest

from cmx_bench.cell import Setting
from cmx_bench.report.overview import overview
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record
from cmx_bench.spec.claims import Claim

from .synthetic import BF16, FP32, PAPER, make_records, make_run


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


@pytest.mark.parametrize("settings", [(FP32,), (FP32, BF16)])
def test_claims_of_which_none_is_decided_say_so(settings: tuple[Setting, ...]) -> None:
    """A claim without its verdict would be read as a finding."""
    run = make_run(PAPER[:2], settings, ("params",))
    name = PAPER[0].name
    claims = tuple(Claim(f"{name} is fast", f"throughput({name}) > {n}") for n in (1, 2))
    run = dataclasses.replace(run, claims=claims)
    shown = overview(summarise(run, make_records(run)), 100)
    assert shown.count("UNDECIDED") == 2 * len(settings)


def test_what_was_planned_and_not_measured_keeps_its_column() -> None:
    run = make_run(PAPER[:2], (FP32,), ("params", "throughput"))
    counted = [record for record in make_records(run) if record.measure == "params"]
    shown = overview(summarise(run, counted), 100)
    assert "Throughput" in shown and shown.count("not measured") == 2


def test_a_measure_that_no_main_table_has_is_shown() -> None:
    """With nothing but names a table would say that nothing was measured."""
    run = make_run(PAPER[:1], (FP32,), ("memory",))
    [record] = make_records(run)[:1]
    planned = dataclasses.replace(
        record,
        cell=record.cell.replace("/memory/", "/planned_memory/"),
        measure="planned_memory",
        values={"planned_memory": [4 * 2.0**20]},
    )
    run = dataclasses.replace(run, cells=(planned.cell,), measures=("planned_memory",))
    shown = overview(summarise(run, [planned]), 100)
    assert "Planned memory" in shown and "4.00 MiB" in shown


def test_a_title_is_not_broken_to_the_width_of_a_narrow_table() -> None:
    run = make_run(PAPER[:1], (FP32,), ("params",))
    assert f"Table 1 · fp32 ({FP32.key})\n" in overview(summarise(run, make_records(run)), 100)


def test_a_long_table_is_cut_and_says_where_the_rest_is() -> None:
    models = tuple(
        dataclasses.replace(PAPER[0], name=f"m{place}", label=f"Model {place}")
        for place in range(40)
    )
    run = make_run(models, (FP32, BF16), ("params", "throughput"), replicates=2)
    claim = Claim("the first is the fastest", "throughput(m0) > throughput(m1)")
    report = summarise(dataclasses.replace(run, claims=(claim,)), make_records(run))
    shown = overview(report, 100)
    first, second = shown.partition("\nClaims\n")[0].split("\nTable 1 · ")[1:]
    assert "\n Model 39 " in first and "\n Model 9 " in second and "Model 10 " not in second
    assert "the first is the fastest" in shown
    assert shown.endswith("\nThe report has 30 more rows of these tables.\n")
    short = summarise(make_run(models[:3], (FP32,), ("params",)), [])
    assert "more row" not in overview(short, 100)


def test_a_long_label_leaves_the_figures_their_room() -> None:
    run = make_run((dataclasses.replace(PAPER[0], label="a long name " * 12), *PAPER[1:3]))
    text = overview(summarise(run, make_records(run)), 80)
    assert "Throughput" in text and "# Params" in text and "100 ± 2.0 %, n = 5" in text
