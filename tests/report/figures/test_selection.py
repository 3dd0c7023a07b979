"""Which part of samples a figure shows: chosen by a user, or one after the other by a report."""

from __future__ import annotations

import dataclasses
import math

import pytest
from pandas import DataFrame, concat

from cmx_bench.report.figures.curves import each_batch_sweep
from cmx_bench.report.figures.selection import (
    each_setting,
    explain_bars,
    note_sparse,
    select,
    selections,
    speak,
    whole_run,
)
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise

from ..synthetic import FP16, FP32, PAPER, failed, make_records, make_run


def report(*settings: int) -> Report:
    """A run with a setting for each batch size."""
    run = make_run(
        PAPER[:2],
        tuple(dataclasses.replace(FP16, name=f"b{size}", batch_size=size) for size in settings),
        ("params", "throughput"),
    )
    return summarise(run, make_records(run))


def test_the_only_setting_needs_no_name() -> None:
    chosen = select(report(64).samples, each_setting)
    assert (chosen.key, chosen.name) == (FP16.key, "b64")
    assert chosen.values("params")["value"].tolist() == [51_625_960, 21_110_248]
    assert chosen.models["label"].tolist() == [model.label for model in PAPER[:2]]


def test_of_several_settings_one_has_to_be_named() -> None:
    samples = report(8, 64).samples
    small, large = each_setting(samples)
    with pytest.raises(
        ValueError, match=f"several settings; give one as setting=…: {small}, {large}"
    ):
        select(samples, each_setting)
    with pytest.raises(ValueError, match=f"no setting 'b8'; there are {small}, {large}"):
        select(samples, each_setting, "b8")
    assert select(samples, each_setting, small).name == "b8"


def test_samples_of_several_runs_are_refused() -> None:
    samples = report(64).samples.astype({"run": str})
    both: DataFrame = concat([samples, samples.assign(run="other")])
    with pytest.raises(ValueError, match=r"of several runs: paper .*, other; choose those of one"):
        select(both, each_setting)


def test_a_figure_without_any_setting_says_so() -> None:
    samples = report(8, 64).samples
    with pytest.raises(ValueError, match="too few settings for this figure"):
        select(samples, each_batch_sweep)
    with pytest.raises(ValueError, match="the frame has no rows"):
        select(samples[:0], each_setting)


def test_a_whole_run_takes_the_first_setting_that_has_a_value() -> None:
    run = make_run(PAPER[:1], (FP32, FP16), ("throughput",), replicates=1)
    records = [
        dataclasses.replace(
            record, values={"throughput": [1.0 if record.setting == FP32.key else 2.0]}
        )
        for record in make_records(run)
    ]
    both, half = (summarise(run, lines).samples for lines in (records, records[1:]))
    assert select(both, whole_run).values("throughput")["value"].tolist() == [1.0]
    assert select(half, whole_run).values("throughput")["value"].tolist() == [2.0]


def test_a_report_and_a_user_choose_the_same() -> None:
    whole = report(1, 8, 64)
    for choices in (each_setting, each_batch_sweep, whole_run):
        for theirs in selections(whole, choices(whole.samples)):
            ours = select(whole.samples, choices, theirs.key)
            assert list(ours.results) == list(theirs.results)
            assert ours.models.astype(object).equals(theirs.models.astype(object))
            assert (ours.name, ours.dataset, ours.imagenet) == (
                theirs.name, theirs.dataset, theirs.imagenet,
            )  # fmt: skip


# --- captions -------------------------------------------------------------------------------------


def points(*y: float) -> DataFrame:
    rows = [(f"M {place}", 1.0 + place, value) for place, value in enumerate(y)]
    return DataFrame(rows, columns=["label", "x", "y"]).assign(low=math.nan, disturbed=False)


def test_the_first_points_are_spoken() -> None:
    assert speak("Speed", points(1234.5678, 2.0)) == ("Speed: M 0 1.00, 1,235; M 1 2.00, 2.000.")
    assert speak("Speed", points(*range(1, 20))).count(";") == 11


def test_intervals_are_explained_where_there_are_any() -> None:
    assert explain_bars(points(1, 2)).startswith("There is no interval")
    some, all_of_them = ([0.5, math.nan], [0.5, 1.5])
    assert explain_bars(points(1, 2).assign(low=some)).endswith("is from a single process.")
    assert explain_bars(points(1, 2).assign(low=all_of_them)).endswith("than the marker.")


def test_doubts_are_told_where_there_are_any() -> None:
    run = make_run(PAPER[:3])
    records = make_records(run)
    cell = f"{PAPER[1].name}/throughput/{FP16.key}"
    some = [
        failed(record, "no") if (record.cell, record.replicate) == (cell, 1) else record
        for record in records
    ]
    whole, partly = (
        select(summarise(run, lines).samples, each_setting) for lines in (records, some)
    )
    assert list(whole.doubts(points(1, 2), "throughput")) == []
    [sentence] = whole.doubts(points(1, 2).assign(disturbed=[False, True]), "throughput")
    assert sentence.startswith("Faded points marked ≈ are disturbed: fewer than 3 of")
    assert list(partly.doubts(points(1, 2), "throughput")) == [
        "Some processes failed of ConvMixer-768/32."
    ]
    assert list(partly.doubts(points(1, 2), "peak_memory")) == []


def test_what_an_axis_cannot_show_is_named() -> None:
    run = make_run(PAPER[:3])
    none = [
        dataclasses.replace(record, values={"peak_memory": [0.0]})
        if record.measure == "memory"
        else record
        for record in make_records(run)
    ]
    chosen = select(summarise(run, none).samples, each_setting)
    assert chosen.above_zero("peak_memory") == "peak memory above zero"
    assert chosen.above_zero("throughput") == "throughput"
    assert chosen.above_zero("macs") == "MACs"


def test_where_there_is_little_to_see_that_is_said() -> None:
    assert list(note_sparse(points(7.0), "speed")) == [
        "Only M 0 is shown: no other model has the values."
    ]
    assert list(note_sparse(points(7.0, 7.0), "speed")) == ["All have the same speed."]
    assert list(note_sparse(points(7.0, 8.0), "speed")) == []
