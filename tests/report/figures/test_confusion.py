"""The matrices: of few classes all, of many the worst."""

from __future__ import annotations

import pandas as pd
import pytest

import cmx_bench
from cmx_bench.present.drawing import Plot, draw
from cmx_bench.report.figures import plots
from cmx_bench.report.tables import by_class
from cmx_bench.results import classwise
from cmx_bench.results.nouns import Report

from ..synthetic import FP32
from ..tables.test_by_class import EACH, MODELS, make_report


def figure(report: Report) -> Plot:
    return next(plot for plot in plots(report).drawn if plot.name.startswith("confusion-"))


@pytest.mark.parametrize("classes", [2, 20])
def test_the_figure_has_a_cell_for_each_pair_that_was_said(classes: int) -> None:
    shown = figure(make_report(classes))
    first = shown.data[shown.data["model"] == 0]
    assert len(first) == classes + sum(n > 0 for n in range(classes)) - max(0, classes - EACH)
    off = first[first["row"] == first["column"] + 1].set_index("row")["images"]
    assert off.to_dict() == {n: min(n, EACH) for n in range(1, classes)}
    assert shown.alt.endswith(f"{MODELS[1].label} makes no mistake.")
    (drawn,) = draw([shown])
    assert MODELS[0].label in drawn.svg


def test_of_many_classes_those_that_are_confused_most_are_shown() -> None:
    shown = figure(make_report(1000))
    assert "The 20 of 1000 classes that are confused most." in shown.caption
    assert shown.data["row"].max() < by_class.MOST_CLASSES


def test_of_many_classes_that_nobody_confuses_there_is_no_figure() -> None:
    report = make_report(by_class.MOST_CLASSES + 1)
    said = classwise.of_votes(report.votes, {model.name: model.label for model in MODELS}, "run")
    with pytest.raises(ValueError, match="left out, because no model confuses any of the 21 class"):
        cmx_bench.plot.confusion(said[said["model"] == MODELS[1].name])


def test_the_figure_can_be_drawn_from_predictions() -> None:
    from matplotlib import pyplot

    report = make_report(3)
    said = classwise.of_votes(report.votes, {model.name: model.label for model in MODELS}, "run")
    ax = cmx_bench.plot.confusion(said[said["model"] == MODELS[0].name])
    assert [text.get_text() for text in ax.texts][:2] == [MODELS[0].label, "10"]
    pyplot.close("all")
    with pytest.raises(ValueError, match=f"no setting 'cpu'; there are {FP32.key}"):
        cmx_bench.plot.confusion(said, setting="cpu")
    both = pd.concat([said, said.assign(setting="other")])
    with pytest.raises(ValueError, match="in several settings; give one as setting=…"):
        cmx_bench.plot.confusion(both)
    with pytest.raises(ValueError, match="rows of several runs: run, other; choose those of one"):
        cmx_bench.plot.confusion(pd.concat([said, said.assign(run="other")]))
    with pytest.raises(ValueError, match="left out"):
        cmx_bench.plot.confusion(said[:0])
