"""The roofline, against the arithmetic of the synthetic run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cmx_bench.cell import Model
from cmx_bench.present.drawing import Plot, draw
from cmx_bench.report.figures import plots, roofs, shares
from cmx_bench.report.figures.selection import Selection, each_setting, selections
from cmx_bench.report.tables.kinds import Roofs, by_model, table
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import FP16, PAPER, make_records, make_run


@pytest.fixture(scope="module")
def report() -> Report:
    return summarise(*run_of(PAPER[:3]))


def run_of(models: tuple[Model, ...]) -> tuple[Run, list[Record]]:
    run = make_run(models, measures=("roofline",))
    return run, make_records(run)


def selected(report: Report) -> Selection:
    [selection] = selections(report, each_setting(report.samples))
    return selection


@pytest.fixture(scope="module")
def roofline(report: Report) -> Plot:
    return roofs.plot(selected(report))


def test_a_point_for_each_kind_of_work(roofline: Plot) -> None:
    assert roofline.data[["kind", "x", "y"]][:3].to_numpy().tolist() == [
        ["depthwise", 10, pytest.approx(1000)],
        ["convolution", 1000, pytest.approx(8000)],
        ["attention", 50, pytest.approx(1000)],
    ]


def test_the_roofs_meet_at_the_ridge(roofline: Plot) -> None:
    assert roofs.curve(Roofs(1e13 + 2, 1e12), roofline.data) == [
        (pytest.approx(2.5), pytest.approx(2500)),  # a quarter of the ridge, for the slope to show
        (pytest.approx(10), pytest.approx(1e4)),
        (1000, pytest.approx(1e4)),
    ]


def test_the_peaks_are_told(report: Report, roofline: Plot) -> None:
    assert "10.0 TMAC/s" in roofline.caption
    assert "1.00 TB/s" in table(report, FP16).remarks[0]


def test_a_run_without_it_has_neither_figure_nor_table() -> None:
    run = make_run(PAPER[:3], measures=("params",))
    report = summarise(run, make_records(run))
    assert by_model(report.samples, 64) == {}
    assert table(report, FP16).rows == ()
    assert not any(plot.name.startswith("roofline") for plot in plots(report).drawn)


def test_a_run_that_lacks_its_records_says_so() -> None:
    report = summarise(make_run(PAPER[:3], measures=("roofline",)), [])
    omitted = plots(report).omitted
    assert any("Roofline" in one for one in omitted)
    assert any("Where work and time go" in one for one in omitted)


def test_both_are_drawn(report: Report, roofline: Plot) -> None:
    lines, stacks = draw([roofline, shares.plot(selected(report))])
    for text in (">Measured roofs<", ">Depthwise convolutions<", ">ResNet<", ">ConvMixer<"):
        assert text in lines.svg
    for text in (">MACs<", ">bytes<", ">time<", ">ResNet-152<", ">Everything else<"):
        assert text in stacks.svg


def test_points_above_the_roof_are_explained(report: Report, roofline: Plot) -> None:
    assert "more than the roof allows" not in roofline.caption
    low = [replace(one, values={**one.values, "compute_peak": [7e12]}) for one in report.records]
    above = roofs.plot(selected(summarise(report.run, low)))
    assert above.caption.count("more than the roof allows") == 1
