"""Throughput against the batch size: which settings make a curve, and where its knee is."""

from __future__ import annotations

import dataclasses

import pytest

from cmx_bench.present.drawing import draw
from cmx_bench.report.figures import batch_sizes, plots
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


def test_settings_that_differ_in_their_batch_make_a_curve() -> None:
    run, found = curve_run(1, 8, 64, 256)
    [plot] = batch_sizes.plots(summarise(run, found))
    assert plot.name == "batches-cuda-fp16-nchw-eager-r224"
    first = plot.shape.points[:4]
    assert [(one.x, one.y) for one in first] == [
        (size, pytest.approx(rate)) for size, rate in RATES.items()
    ]
    assert {one.line for one in first} == {PAPER[0].name}
    assert [one.label for one in first] == ["", "", "", PAPER[0].label]
    assert [one.x for one in plot.shape.points if one.ring] == [64, 64]
    assert f"{PAPER[0].label} up to 1,000 images/s, knee 64" in plot.alt
    assert "reaches 95 %" in plot.caption


def test_two_sizes_are_no_curve() -> None:
    assert not list(batch_sizes.plots(summarise(*curve_run(1, 8))))


def test_a_size_that_failed_is_left_out() -> None:
    run, found = curve_run(1, 8, 64, 256)
    cell = f"{PAPER[0].name}/throughput/{SETTINGS[-1].key}"
    found = [failed(one, "out of memory") if one.cell == cell else one for one in found]
    [plot] = batch_sizes.plots(summarise(run, found))
    mine = [one for one in plot.shape.points if one.line == PAPER[0].name]
    assert [one.x for one in mine] == [1, 8, 64]
    assert mine[-1].label == PAPER[0].label
    assert not any(one.ring for one in mine)


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
    found = plots(summarise(*curve_run(1, 8, 64, 256))).drawn[-1]
    svg = draw([found])[0].svg
    for text in (">1<", ">8<", ">64<", ">256<", ">Batch size<", ">ConvMixer-768/32<"):
        assert text in svg
