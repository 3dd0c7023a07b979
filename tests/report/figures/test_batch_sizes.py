"""Throughput against the batch size: which settings make a curve, and where its knee is."""

from __future__ import annotations

import dataclasses

import pytest

from cmx_bench.present.drawing import Plot, draw
from cmx_bench.report.figures import batch_sizes, plots
from cmx_bench.report.figures.curves import each_batch_curve
from cmx_bench.report.figures.selection import selections
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import BF16, FP16, PAPER, failed, make_records, make_run

RATES = {1: 100.0, 8: 700.0, 64: 980.0, 256: 1000.0}
SETTINGS = tuple(
    dataclasses.replace(FP16, name=f"b{size}", batch_size=size) for size in sorted(RATES)
)


def curve_run(*sizes: int) -> tuple[Run, list[Record]]:
    settings = [one for one in SETTINGS if one.batch_size in sizes]
    run = make_run(PAPER[:2], (BF16, *reversed(settings)), ("throughput",), replicates=2)
    rates = {setting.key: RATES[setting.batch_size] for setting in settings}
    found = [
        dataclasses.replace(one, values={"throughput": [rates.get(one.setting, 1.0)]})
        for one in make_records(run)
    ]
    return run, found


def curves(report: Report) -> list[Plot]:
    return [batch_sizes.plot(one) for one in selections(report, each_batch_curve(report.samples))]


def test_settings_that_differ_in_their_batch_make_a_curve() -> None:
    run, found = curve_run(1, 8, 64, 256)
    [plot] = curves(summarise(run, found))
    assert plot.name == "batches-cuda-fp16-nchw-eager-r224"
    first = plot.data[:4]
    assert first[["x", "y"]].to_numpy().tolist() == [
        [size, pytest.approx(rate)] for size, rate in RATES.items()
    ]
    assert set(first["line"]) == {PAPER[0].name}
    assert first["label"].tolist() == ["", "", "", PAPER[0].label]
    assert plot.data.loc[plot.data["ring"], "x"].tolist() == [64, 64]
    assert f"{PAPER[0].label} up to 1,000 images/s, knee 64" in plot.alt
    assert "reaches 95 %" in plot.caption


def test_two_sizes_are_no_curve() -> None:
    assert not curves(summarise(*curve_run(1, 8)))


def test_a_size_that_failed_is_left_out() -> None:
    run, found = curve_run(1, 8, 64, 256)
    cell = f"{PAPER[0].name}/throughput/{SETTINGS[-1].key}"
    found = [failed(one, "out of memory") if one.cell == cell else one for one in found]
    [plot] = curves(summarise(run, found))
    mine = plot.data[plot.data["line"] == PAPER[0].name]
    assert mine["x"].tolist() == [1, 8, 64]
    assert mine["label"].iloc[-1] == PAPER[0].label
    assert not mine["ring"].any()


@pytest.mark.parametrize(
    ("rates", "knee"),
    [
        ([(1, 100.0), (2, 200.0), (4, 400.0)], None),  # still doubling
        ([(1, 100.0), (2, 190.0), (4, 200.0)], 2),  # 95 % of 200
        ([(1, 100.0), (2, 189.0), (4, 200.0)], None),
        ([(1, 200.0), (2, 150.0), (4, 120.0)], 1),  # a batch only makes it slower
    ],
)
def test_the_knee(rates: list[tuple[int, float]], knee: int | None) -> None:
    assert batch_sizes.knee(rates) == knee


def test_it_is_drawn_with_its_sizes() -> None:
    drawn = plots(summarise(*curve_run(1, 8, 64, 256))).drawn
    found = next(plot for plot in drawn if plot.name.startswith("batches"))
    svg = draw([found])[0].svg
    for text in (">1<", ">8<", ">64<", ">256<", ">Batch size<", ">ConvMixer-768/32<"):
        assert text in svg
