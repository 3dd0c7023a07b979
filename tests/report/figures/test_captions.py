"""What captions say of points."""

from __future__ import annotations

import math
from dataclasses import replace

from pandas import DataFrame

from cmx_bench.report.figures import captions
from cmx_bench.report.figures.selection import each_setting, select
from cmx_bench.results.reading import summarise

from ..synthetic import FP16, PAPER, failed, make_records, make_run


def points(*y: float) -> DataFrame:
    rows = [(f"M {place}", 1.0 + place, value) for place, value in enumerate(y)]
    return DataFrame(rows, columns=["label", "x", "y"]).assign(low=math.nan, disturbed=False)


def test_the_first_points_are_spoken() -> None:
    assert captions.speak("Speed", points(1234.5678, 2.0)) == (
        "Speed: M 0 1.00, 1,235; M 1 2.00, 2.000."
    )
    assert captions.speak("Speed", points(*range(1, 20))).count(";") == 11


def test_intervals_are_explained_where_there_are_any() -> None:
    assert captions.bars(points(1, 2)).startswith("There is no interval")
    some, all_of_them = ([0.5, math.nan], [0.5, 1.5])
    assert captions.bars(points(1, 2).assign(low=some)).endswith("is from a single process.")
    assert captions.bars(points(1, 2).assign(low=all_of_them)).endswith("than the marker.")


def test_doubts_are_told_where_there_are_any() -> None:
    run = make_run(PAPER[:3])
    records = make_records(run)
    cell = f"{PAPER[1].name}/throughput/{FP16.key}"
    some = [failed(one, "no") if (one.cell, one.replicate) == (cell, 1) else one for one in records]
    whole, partly = (
        select(summarise(run, found).samples, each_setting) for found in (records, some)
    )
    assert list(captions.doubts(whole, points(1, 2), "throughput")) == []
    [sentence] = captions.doubts(whole, points(1, 2).assign(disturbed=[False, True]), "throughput")
    assert sentence.startswith("Faded points marked ≈ are disturbed: fewer than 3 of")
    assert list(captions.doubts(partly, points(1, 2), "throughput")) == [
        "Some processes failed of ConvMixer-768/32."
    ]
    assert list(captions.doubts(partly, points(1, 2), "peak_memory")) == []


def test_what_an_axis_cannot_show_is_named() -> None:
    run = make_run(PAPER[:3])
    none = [
        replace(one, values={"peak_memory": [0.0]}) if one.measure == "memory" else one
        for one in make_records(run)
    ]
    chosen = select(summarise(run, none).samples, each_setting)
    assert captions.above_zero(chosen, "peak_memory") == "peak memory above zero"
    assert captions.above_zero(chosen, "throughput") == "throughput"
    assert captions.above_zero(chosen, "macs") == "MACs"


def test_where_there_is_little_to_see_that_is_said() -> None:
    assert list(captions.little(points(7.0), "speed")) == [
        "Only M 0 is shown: no other model has the values."
    ]
    assert list(captions.little(points(7.0, 7.0), "speed")) == ["All have the same speed."]
    assert list(captions.little(points(7.0, 8.0), "speed")) == []
