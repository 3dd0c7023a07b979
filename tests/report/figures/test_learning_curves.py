"""Learning curves: the mean and the range over the seeds."""

from __future__ import annotations

import pytest

from cmx_bench.present.drawing import Plot
from cmx_bench.report.figures import learning_curves
from cmx_bench.report.figures.selection import selections, whole_run
from cmx_bench.results.nouns import Report

from ..tables.test_trained import MODEL, make_report


def curves(report: Report) -> Plot:
    [whole] = selections(report, whole_run(report.samples))
    return learning_curves.plot(whole)


def test_curves_are_means_with_the_range_over_the_seeds() -> None:
    plot = curves(make_report())
    points = plot.data.set_index("x")
    assert set(points.index) == {1, 2, 3}
    second = [points[name].to_list()[points.index.get_loc(2)] for name in ("y", "low", "high")]
    assert second == pytest.approx([94, 92, 96])
    assert points.loc[[1, 2, 3], "label"].tolist() == ["", "", MODEL.label]
    assert "lowest to the highest" in plot.caption and MODEL.label in plot.alt
    assert curves(make_report((0,))).data["low"].isna().all()


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    points = curves(make_report((0,), epochs=150)).data
    assert len(points) == 30 and points["x"].max() == 150
