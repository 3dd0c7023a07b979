"""Which figures there are, and what the figures of the paper's quantities show."""

from __future__ import annotations

import dataclasses

import pytest

from cmx_bench.present.plot import Plot
from cmx_bench.report.figures import plots
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import BF16, FP16, FP32, PAPER, make_records, make_run


@pytest.fixture
def figure_one(run: Run, found: list[Record]) -> Plot:
    return plots(summarise(run, found)).drawn[0]


def named(run: Run, found: list[Record], name: str) -> Plot:
    return next(one for one in plots(summarise(run, found)).drawn if one.name == name)


def test_figure_one_has_the_papers_axes(figure_one: Plot) -> None:
    assert figure_one.shape.x.limits == (0, 120)
    assert figure_one.shape.y.limits == (72, 82)
    point = figure_one.shape.points[0]
    assert (point.label, point.x, point.y) == ("ConvMixer-1536/20", 51.62596, 81.37)


def test_figure_one_joins_the_points_of_a_family(figure_one: Plot) -> None:
    assert all(point.line == point.family for point in figure_one.shape.points)


def test_figure_one_marks_what_is_published(figure_one: Plot) -> None:
    points = figure_one.shape.points
    assert all(point.published for point in points)
    doubted = {point.label for point in points if point.label.endswith("†")}
    assert "ResNet-152†" in doubted and "ConvMixer-768/32" not in doubted
    assert "†" in figure_one.caption


def test_a_model_without_any_accuracy_is_not_in_figure_one(figure_one: Plot) -> None:
    assert not any(point.label.startswith("Mixer-S") for point in figure_one.shape.points)
    assert figure_one.caption.endswith("and left out: Mixer-S/16.")


@pytest.mark.parametrize("what", ["throughput", "throughput-macs", "peak-memory"])
def test_a_figure_names_the_models_that_it_has_no_value_of(
    run: Run, found: list[Record], what: str
) -> None:
    whole = named(run, found, f"{what}-{FP16.key}")
    assert "left out" not in whole.caption
    rest = [one for one in found if one.model != "convmixer_1536_20"]
    plot = named(run, rest, f"{what}-{FP16.key}")
    assert len(plot.shape.points) == len(whole.shape.points) - 1
    assert plot.caption.endswith("and left out: ConvMixer-1536/20.")


def test_of_many_that_are_left_out_some_are_named() -> None:
    models = tuple(
        dataclasses.replace(PAPER[0], name=f"m{place}", label=f"M {place}") for place in range(9)
    )
    run = make_run(models=models, measures=("params", "throughput"))
    some = [one for one in make_records(run) if one.model in ("m0", "m8")]
    plot = named(run, some, f"throughput-{FP16.key}")
    assert plot.caption.endswith("left out: M 1, M 2, M 3, M 4, M 5 and 2 more.")


def test_throughput_has_the_interval(run: Run, found: list[Record]) -> None:
    plot = named(run, found, f"throughput-{FP16.key}")
    estimate = summarise(run, found).results["convmixer_1536_20", FP16.key, "throughput"].estimate
    assert estimate is not None
    point = plot.shape.points[0]
    assert (point.low, point.high) == (estimate.low, estimate.high)
    assert plot.shape.y.logarithmic


def test_throughput_against_macs(run: Run, found: list[Record]) -> None:
    plot = named(run, found, f"throughput-macs-{FP16.key}")
    point = plot.shape.points[0]
    assert (point.label, point.x) == ("ConvMixer-1536/20", pytest.approx(5.162596))
    assert point.y == pytest.approx(100, rel=0.01)
    assert "MACs" in plot.title and plot.shape.x.logarithmic


def test_memory_is_in_mebibytes(run: Run, found: list[Record]) -> None:
    point = named(run, found, f"peak-memory-{FP16.key}").shape.points[0]
    assert point.y == pytest.approx(100 + 51_625_960 * 4 / 2**20)


def test_samples_are_relative_to_the_models_median(run: Run, found: list[Record]) -> None:
    """Process 2 lies in the middle: its third sample is the median of all."""
    strip = named(run, found, f"samples-throughput-{FP16.key}").shape.strips[0]
    assert strip.processes[2] == pytest.approx([-0.2, -0.1, 0, 0.1, 0.2])
    assert strip.processes[4][2] == pytest.approx(2)


def test_each_setting_has_its_figures() -> None:
    run = make_run(settings=(FP32, BF16), measures=("params", "throughput"))
    names = [plot.name for plot in plots(summarise(run, make_records(run))).drawn]
    assert names == [
        "figure1",
        *(f"{what}-{setting.key}"
          for setting in (FP32, BF16)
          for what in ("front", "throughput", "samples-throughput")),
    ]  # fmt: skip


def test_figures_without_points_are_left_out_and_said_so(run: Run) -> None:
    found = plots(summarise(run, []))
    assert [plot.name for plot in found.drawn] == ["figure1"]  # it stands on published figures
    assert len(found.omitted) == 5
    assert all("left out" in sentence for sentence in found.omitted)


def test_only_the_first_models_are_stripped() -> None:
    models = tuple(
        dataclasses.replace(PAPER[0], name=f"m{place}", label=f"M {place}") for place in range(30)
    )
    run = make_run(models=models, measures=("throughput",))
    plot = plots(summarise(run, make_records(run))).drawn[-1]
    assert len(plot.shape.strips) == 16
    assert "first 16 of 30" in plot.caption


def test_every_figure_is_told_in_words(run: Run, found: list[Record]) -> None:
    for plot in plots(summarise(run, found)).drawn:
        assert plot.title and plot.caption.endswith(".") and len(plot.alt) > 40
