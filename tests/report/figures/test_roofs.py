"""The roofline and the shares of work, against the arithmetic of the synthetic run."""

from __future__ import annotations

import dataclasses

import pytest

from cmx_bench.cell import Model
from cmx_bench.present.drawing import Plot, draw
from cmx_bench.report.figures import plots, roofs, shares
from cmx_bench.report.figures.selection import Selection, each_setting, selections
from cmx_bench.report.tables.kinds import Roofs, by_model, table
from cmx_bench.report.tables.kinds import roofs as measured_roofs
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import FP16, PAPER, WORK, make_records, make_run


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


@pytest.fixture(scope="module")
def bars(report: Report) -> Plot:
    return shares.plot(selected(report))


def test_the_roofs_are_the_best_of_all_processes(report: Report) -> None:
    assert measured_roofs(report.results.values()) == Roofs(1e13 + 2, 1e12)


def test_what_a_roof_allows() -> None:
    above = Roofs(1000.0, 10.0)
    assert above.ridge == 100
    assert [above.at(intensity) for intensity in (1, 100, 1000)] == [10, 1000, 1000]


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


def of_first(bars: Plot) -> dict[str, list[float]]:
    """The shares of the first model by bar."""
    first = bars.data[bars.data["model"] == 0]
    return {bar: first.loc[first["bar"] == bar, "share"].tolist() for bar in first["bar"].unique()}


def test_shares_add_up(bars: Plot) -> None:
    shares = of_first(bars)
    assert {name: sum(values) for name, values in shares.items()} == {
        "MACs": pytest.approx(100), "bytes": pytest.approx(100), "time": pytest.approx(100),
    }  # fmt: skip
    times = (64, 128, 32, 0, 32)
    assert shares["time"] == pytest.approx([100 * one / sum(times) for one in times])
    assert shares["MACs"][0] == pytest.approx(100 * 64 / (64 + 1024 + 32))


def test_bars_reach_as_far_as_their_kinds_together(bars: Plot) -> None:
    """Each is drawn whole, behind those of the kinds before it."""
    ax = shares.work_shares(summarise(*run_of(PAPER[:1])).samples)
    widths = sorted(round(patch.get_width(), 2) for patch in ax.patches if patch.get_y() > 1.4)
    assert widths == [25.0, 75.0, 87.5, 100.0]


def test_the_most_of_the_time_is_told_in_words(bars: Plot) -> None:
    alt = bars.alt
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


def test_the_peaks_are_told(report: Report, roofline: Plot) -> None:
    assert "10.0 TMAC/s" in roofline.caption
    assert "1.00 TB/s" in table(report, FP16).remarks[0]


def test_a_run_without_it_has_neither_figure_nor_table() -> None:
    run = make_run(PAPER[:3], measures=("params",))
    report = summarise(run, make_records(run))
    assert by_model(report.results.values(), 64) == {}
    assert table(report, FP16).rows == ()
    assert [one.name for one in plots(report).drawn] == ["figure1"]


def test_a_run_that_lacks_its_records_says_so() -> None:
    report = summarise(make_run(PAPER[:3], measures=("roofline",)), [])
    omitted = plots(report).omitted
    assert any("Roofline" in one for one in omitted)
    assert any("Where work and time go" in one for one in omitted)


def test_both_are_drawn(roofline: Plot, bars: Plot) -> None:
    lines, stacks = draw([roofline, bars])
    for text in (">Measured roofs<", ">Depthwise convolutions<", ">ResNet<", ">ConvMixer<"):
        assert text in lines.svg
    for text in (">MACs<", ">bytes<", ">time<", ">ResNet-152<", ">Everything else<"):
        assert text in stacks.svg


def test_a_model_without_macs_has_shares_of_time_alone() -> None:
    run, [record] = run_of(PAPER[:1])
    nothing = dataclasses.replace(record, details={"work": {"other": WORK["other"]}})
    plot = shares.plot(selected(summarise(run, [nothing])))
    assert of_first(plot) == {
        "MACs": [0, 0, 0, 0, 0], "bytes": [0, 0, 0, 0, 0], "time": [0, 0, 0, 0, 100],
    }  # fmt: skip
    assert draw([plot])[0].svg
