"""The report's figures as functions."""

from __future__ import annotations

from typing import Any

import pytest
from pandas import DataFrame

import cmx_bench
from cmx_bench.report.figures import FIGURES

from .report.synthetic import PAPER, make_records, make_run, write_folder


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    run = make_run(PAPER[:3])
    folder = write_folder(tmp_path_factory.mktemp("plot") / "mine", run, make_records(run))
    return cmx_bench.load(folder)


def test_every_figure_can_be_drawn_from_the_samples(samples: DataFrame) -> None:
    from matplotlib import pyplot

    assert {*dir(cmx_bench.plot)} == {"style", *(figure.name for figure in FIGURES)}
    measures = {*samples["measure"]}
    drawn = {
        getattr(cmx_bench.plot, figure.name) for figure in FIGURES
        if measures >= {*figure.measures} and figure.choose(samples)
    }  # fmt: skip
    assert {cmx_bench.plot.front, cmx_bench.plot.memory, cmx_bench.plot.samples} <= drawn
    for function in drawn:
        _, ax = pyplot.subplots()
        assert function(samples, ax) is ax
        assert ax.collections, function
    with pytest.raises(ValueError, match="Roofline · paper: left out, because no model has"):
        cmx_bench.plot.roofline(samples)
    with pytest.raises(
        AttributeError, match="no figure 'fronts'; there are figure_one, standings, front,"
    ):
        _ = cmx_bench.plot.fronts
    pyplot.close("all")


def test_every_function_says_what_it_shows_and_takes_what_its_plot_takes(
    samples: DataFrame,
) -> None:
    from matplotlib import pyplot

    for figure in FIGURES:
        function = getattr(cmx_bench.plot, figure.name)
        assert (function.__name__, bool(function.__doc__)) == (figure.name, True)
    with pytest.raises(ValueError, match="Samples of every process .*no model has all values"):
        cmx_bench.plot.samples(samples, metric="latency_p50")
    with pytest.raises(ValueError, match="no metric 'latency'; there are params, "):
        cmx_bench.plot.samples(samples, metric="latency")
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        cmx_bench.plot.memory(samples, colour="red")
    pyplot.close("all")


def test_a_frame_of_another_kind_is_refused_by_its_columns(samples: DataFrame) -> None:
    with pytest.raises(ValueError, match="lacks image, truth, said, right, truth_name and 1 more"):
        cmx_bench.plot.confusion(samples)
    with pytest.raises(ValueError, match="lacks image, .* give what cmx_bench.predictions gives"):
        cmx_bench.per_class(samples)
    for function in (cmx_bench.plot.figure_one, cmx_bench.plot.sweep, cmx_bench.summary):
        with pytest.raises(ValueError, match="the frame lacks details; give what cmx_bench.load"):
            function(samples.drop(columns="details"))


def test_a_new_figure_has_the_size_of_the_style(samples: DataFrame) -> None:
    from matplotlib import pyplot

    with cmx_bench.plot.style("slides"):
        ax = cmx_bench.plot.throughput(samples)
    assert ax.figure.get_figwidth() == 10  # type: ignore[union-attr]
    assert ax.xaxis.label.get_fontsize() == 16
    pyplot.close("all")


@pytest.mark.parametrize("ax", [3, "ax", [1, 2]])
def test_axes_are_axes(samples: DataFrame, ax: Any) -> None:
    with pytest.raises(ValueError, match="ax: expected axes of matplotlib, such as those of"):
        cmx_bench.plot.memory(samples, ax)


def test_an_unknown_style_is_named() -> None:
    with (
        pytest.raises(ValueError, match="no style 'poster'; there are page, paper, slides"),
        cmx_bench.plot.style("poster"),  # type: ignore[arg-type]
    ):
        pass
