"""The report's figures as functions."""

from __future__ import annotations

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

    assert {*dir(cmx_bench.plot)} == {"style", *(figure.function.__name__ for figure in FIGURES)}
    measures = {*samples["measure"]}
    drawn = {
        figure.function for figure in FIGURES
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


def test_a_new_figure_has_the_size_of_the_style(samples: DataFrame) -> None:
    from matplotlib import pyplot

    with cmx_bench.plot.style("slides"):
        ax = cmx_bench.plot.throughput(samples)
    assert ax.figure.get_figwidth() == 10  # type: ignore[union-attr]
    assert ax.xaxis.label.get_fontsize() == 16
    pyplot.close("all")
