"""The roofline and the shares of work, against the arithmetic of the synthetic run."""

from __future__ import annotations

import dataclasses

import pytest

from cmx_bench.present.drawing import draw
from cmx_bench.report.figures import plots, roofs
from cmx_bench.report.tables.kinds import Roofs, by_model, table
from cmx_bench.report.tables.kinds import roofs as measured_roofs
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise

from ..synthetic import FP16, PAPER, WORK, make_records, make_run


@pytest.fixture(scope="module")
def report() -> Report:
    run = make_run(PAPER[:3], measures=("roofline",))
    return summarise(run, make_records(run))


def test_the_roofs_are_the_best_of_all_processes(report: Report) -> None:
    assert measured_roofs(report, FP16) == Roofs(1e13 + 2, 1e12)


def test_what_a_roof_allows() -> None:
    above = Roofs(1000.0, 10.0)
    assert above.ridge == 100
    assert [above.at(intensity) for intensity in (1, 100, 1000)] == [10, 1000, 1000]


def test_a_point_for_each_kind_of_work(report: Report) -> None:
    points = roofs.roofline(report, FP16).shape.points[:3]
    assert [(one.kind, one.x, one.y) for one in points] == [
        ("depthwise", 10, pytest.approx(1000)),
        ("convolution", 1000, pytest.approx(8000)),
        ("attention", 50, pytest.approx(1000)),
    ]


def test_the_roofs_meet_at_the_ridge(report: Report) -> None:
    [curve] = roofs.roofline(report, FP16).shape.curves
    assert curve.spots == (
        (pytest.approx(2.5), pytest.approx(2500)),  # a quarter of the ridge, for the slope to show
        (pytest.approx(10), pytest.approx(1e4)),
        (1000, pytest.approx(1e4)),
    )


def test_shares_add_up(report: Report) -> None:
    stack = roofs.shares(report, FP16).shape.stacks[0]
    assert stack.label == "ConvMixer-1536/20"
    shares = dict(stack.bars)
    assert {name: sum(values) for name, values in shares.items()} == {
        "MACs": pytest.approx(100), "bytes": pytest.approx(100), "time": pytest.approx(100),
    }  # fmt: skip
    times = (64, 128, 32, 0, 32)
    assert shares["time"] == pytest.approx([100 * one / sum(times) for one in times])
    assert shares["MACs"][0] == pytest.approx(100 * 64 / (64 + 1024 + 32))


def test_the_most_of_the_time_is_told_in_words(report: Report) -> None:
    alt = roofs.shares(report, FP16).alt
    assert "ConvMixer-1536/20 pointwise and other convolutions, 50 % (91 % of the MACs)" in alt


def test_the_table_has_it_all(report: Report) -> None:
    rows = table(report, FP16).rows
    assert [[entry.text for entry in row] for row in rows[:4]] == [
        ["ConvMixer-1536/20", "Depthwise convolutions", "1.00", "95.4", "1.00", "25.0", "10.0",
         "1,000", "10.0"],
        ["ConvMixer-1536/20", "Pointwise and other convolutions", "16.0", "15.3", "2.00", "50.0",
         "1,000", "8,000", "80.0"],
        ["ConvMixer-1536/20", "Attention", "0.500", "9.54", "0.500", "12.5", "50.0", "1,000",
         "10.0"],
        ["ConvMixer-1536/20", "Everything else", "–", "–", "0.500", "12.5", "–", "–", "–"],
    ]  # fmt: skip
    assert len(rows) == 3 * 4


def test_the_peaks_are_told(report: Report) -> None:
    assert "10.0 TMAC/s" in roofs.roofline(report, FP16).caption
    assert "1.00 TB/s" in table(report, FP16).remarks[0]


def test_a_run_without_it_has_neither_figure_nor_table() -> None:
    run = make_run(PAPER[:3], measures=("params",))
    report = summarise(run, make_records(run))
    assert by_model(report, FP16) == {}
    assert table(report, FP16).rows == ()
    assert [one.name for one in plots(report).drawn] == ["figure1"]


def test_a_run_that_lacks_its_records_says_so() -> None:
    report = summarise(make_run(PAPER[:3], measures=("roofline",)), [])
    omitted = plots(report).omitted
    assert any("Roofline" in one for one in omitted)
    assert any("Where work and time go" in one for one in omitted)


def test_both_are_drawn(report: Report) -> None:
    lines, bars = draw([roofs.roofline(report, FP16), roofs.shares(report, FP16)])
    for text in (">Measured roofs<", ">Depthwise convolutions<", ">ResNet<", ">ConvMixer<"):
        assert text in lines.svg
    for text in (">MACs<", ">bytes<", ">time<", ">ResNet-152<", ">Everything else<"):
        assert text in bars.svg


def test_a_model_without_macs_has_shares_of_time_alone() -> None:
    run = make_run(PAPER[:1], measures=("roofline",))
    [record] = make_records(run)
    nothing = dataclasses.replace(record, details={"work": {"other": WORK["other"]}})
    plot = roofs.shares(summarise(run, [nothing]), FP16)
    assert dict(plot.shape.stacks[0].bars) == {
        "MACs": (0, 0, 0, 0, 0), "bytes": (0, 0, 0, 0, 0), "time": (0, 0, 0, 0, 100),
    }  # fmt: skip
    assert draw([plot])[0].svg
