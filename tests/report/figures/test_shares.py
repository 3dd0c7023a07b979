"""Shares of work and time, against the arithmetic of the synthetic run."""

from __future__ import annotations

import dataclasses

import pytest
from matplotlib.patches import Rectangle

import cmx_bench
from cmx_bench.present.drawing import Plot, draw
from cmx_bench.report.figures import shares
from cmx_bench.results.reading import summarise

from ..synthetic import PAPER, WORK
from .test_roofs import run_of, selected


@pytest.fixture(scope="module")
def bars() -> Plot:
    return shares.plot(selected(summarise(*run_of(PAPER[:3]))))


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
    ax = cmx_bench.plot.work_shares(summarise(*run_of(PAPER[:1])).samples)
    stacked = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    widths = sorted(round(bar.get_width(), 2) for bar in stacked if bar.get_y() > 1.4)
    assert widths == [25.0, 75.0, 87.5, 100.0]


def test_the_most_of_the_time_is_told_in_words(bars: Plot) -> None:
    alt = bars.alt
    assert "ConvMixer-1536/20 pointwise and other convolutions, 50 % (91 % of the MACs)" in alt


def test_a_model_without_macs_has_shares_of_time_alone() -> None:
    run, [record] = run_of(PAPER[:1])
    nothing = dataclasses.replace(record, details={"work": {"other": WORK["other"]}})
    plot = shares.plot(selected(summarise(run, [nothing])))
    assert of_first(plot) == {
        "MACs": [0, 0, 0, 0, 0], "bytes": [0, 0, 0, 0, 0], "time": [0, 0, 0, 0, 100],
    }  # fmt: skip
    assert draw([plot])[0].svg
