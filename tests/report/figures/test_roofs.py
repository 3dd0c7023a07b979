"""The roofline, and shares of work and time, against the arithmetic of the synthetic run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from matplotlib.patches import Rectangle

import cmx_bench
from cmx_bench.cell import Model
from cmx_bench.present.drawing import Plot, draw
from cmx_bench.report.figures import plots, roofs
from cmx_bench.report.figures.selection import Selection, each_setting, selections
from cmx_bench.report.tables.kinds import Roofs, by_model, table
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
def peaks(report: Report) -> Plot:
    return roofs.roofline(selected(report))


def test_a_point_for_each_kind_of_work(peaks: Plot) -> None:
    assert peaks.data[["kind", "x", "y"]][:3].to_numpy().tolist() == [
        ["depthwise", 10, pytest.approx(1000)],
        ["convolution", 1000, pytest.approx(8000)],
        ["attention", 50, pytest.approx(1000)],
    ]


def test_the_roofs_meet_at_the_ridge(peaks: Plot) -> None:
    assert roofs.curve(Roofs(1e13 + 2, 1e12), peaks.data) == [
        (pytest.approx(2.5), pytest.approx(2500)),  # a quarter of the ridge, for the slope to show
        (pytest.approx(10), pytest.approx(1e4)),
        (1000, pytest.approx(1e4)),
    ]


def test_the_peaks_are_told(report: Report, peaks: Plot) -> None:
    assert "10.0 TMAC/s" in peaks.caption
    assert "1.00 TB/s" in table(report, FP16).remarks[0]


def test_a_run_without_it_has_neither_figure_nor_table() -> None:
    run = make_run(PAPER[:3], measures=("params",))
    report = summarise(run, make_records(run))
    assert by_model(report.samples) == {}
    assert table(report, FP16).rows == ()
    assert not any(plot.name.startswith("roofline") for plot in plots(report).drawn)


def test_a_run_that_lacks_its_records_says_so() -> None:
    report = summarise(make_run(PAPER[:3], measures=("roofline",)), [])
    omitted = plots(report).omitted
    assert any("Roofline" in sentence for sentence in omitted)
    assert any("Where work and time go" in sentence for sentence in omitted)


def test_both_are_drawn(report: Report, peaks: Plot) -> None:
    lines, stacks = draw([peaks, roofs.work_shares(selected(report))])
    for text in (">Measured roofs<", ">Depthwise convolutions<", ">ResNet<", ">ConvMixer<"):
        assert text in lines.svg
    for text in (">MACs<", ">bytes<", ">time<", ">ResNet-152<", ">Everything else<"):
        assert text in stacks.svg


def test_points_above_the_roof_are_explained(report: Report, peaks: Plot) -> None:
    assert "more than the roof allows" not in peaks.caption
    low = [
        replace(record, values={**record.values, "compute_peak": [7e12]})
        for record in report.records
    ]
    above = roofs.roofline(selected(summarise(report.run, low)))
    assert above.caption.count("more than the roof allows") == 1


# --- shares ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bars() -> Plot:
    return roofs.work_shares(selected(summarise(*run_of(PAPER[:3]))))


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
    assert shares["time"] == pytest.approx([100 * seconds / sum(times) for seconds in times])
    assert shares["MACs"][0] == pytest.approx(100 * 64 / (64 + 1024 + 32))


def test_bars_reach_as_far_as_their_kinds_together(bars: Plot) -> None:
    """Each is drawn whole, behind those of the kinds before it."""
    ax = cmx_bench.plot.work_shares(summarise(*run_of(PAPER[:1])).samples)
    stacked = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    widths = sorted(round(bar.get_width(), 2) for bar in stacked if bar.get_y() > 1.4)
    assert widths == [25.0, 75.0, 87.5, 100.0]


def test_the_most_of_the_time_is_told_in_words(bars: Plot) -> None:
    alt = bars.alt
    assert "ConvMixer-1536/20 pointwise and other convolutions, 50 % (91 % of the MACs)" in alt


def test_a_model_without_macs_has_shares_of_time_alone() -> None:
    run, [record] = run_of(PAPER[:1])
    nothing = replace(record, details={"work": {"other": WORK["other"]}})
    plot = roofs.work_shares(selected(summarise(run, [nothing])))
    assert of_first(plot) == {
        "MACs": [0, 0, 0, 0, 0], "bytes": [0, 0, 0, 0, 0], "time": [0, 0, 0, 0, 100],
    }  # fmt: skip
    assert draw([plot])[0].svg
