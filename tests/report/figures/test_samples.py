"""The samples of every process."""

from __future__ import annotations

import dataclasses
import re

import pytest

from cmx_bench.present.drawing import draw
from cmx_bench.report.figures import plots
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import FP16, PAPER, make_records, make_run, watched
from .test_figures import find_plot


def test_samples_are_relative_to_the_models_median(run: Run, run_records: list[Record]) -> None:
    """Process 2 lies in the middle: its third sample is the median of all."""
    strips = find_plot(run, run_records, f"samples-throughput-{FP16.key}").data
    first = strips[strips["model"] == 0]
    middle, last = (first[first["process"] == place]["deviation"].tolist() for place in (2, 4))
    assert middle == pytest.approx([-0.2, -0.1, 0, 0.1, 0.2])
    assert last[2] == pytest.approx(2)
    assert first["row"].unique().tolist() == pytest.approx([-0.32, -0.16, 0, 0.16, 0.32])


def test_each_sample_says_of_which_process_it_is(run: Run, run_records: list[Record]) -> None:
    svg = draw([find_plot(run, run_records, f"samples-throughput-{FP16.key}")])[0].svg
    titles = re.findall("<title>(.*?)</title>", svg)
    assert len(titles) == len(PAPER) * 5 * 5
    assert titles[12] == "ConvMixer-1536/20, process 3 of 5: +0.00 %"


def test_disturbed_processes_are_hollow_and_count_for_nothing(
    run: Run, run_records: list[Record]
) -> None:
    disturbed = [
        watched(record, "d.d.." if record.replicate == 4 else ".....")
        if record.measure == "throughput" else record
        for record in run_records
    ]  # fmt: skip
    plot = find_plot(run, disturbed, f"samples-throughput-{FP16.key}")
    assert "Hollow points are of disturbed processes" in plot.caption
    assert set(plot.data.loc[~plot.data["counts"], "process"]) == {4}
    assert 'style="fill: #ffffff; stroke: #56b4e9' in draw([plot])[0].svg


def test_only_the_first_models_are_stripped() -> None:
    models = tuple(
        dataclasses.replace(PAPER[0], name=f"m{place}", label=f"M {place}") for place in range(30)
    )
    run = make_run(models=models, measures=("throughput",))
    drawn = plots(summarise(run, make_records(run))).drawn
    plot = next(plot for plot in drawn if plot.name.startswith("samples-"))
    assert plot.data["model"].nunique() == 16
    assert "first 16 of 30" in plot.caption


def test_nothing_deviates_from_a_median_of_zero(run: Run, run_records: list[Record]) -> None:
    zero = [
        dataclasses.replace(record, values={"throughput": [-1.0, 0.0, 1.0]})
        if (record.measure, record.model) == ("throughput", PAPER[1].name)
        else record
        for record in run_records
    ]
    plot = find_plot(run, zero, f"samples-throughput-{FP16.key}")
    assert plot.data["model"].nunique() == len(PAPER) - 1
    assert plot.caption.endswith(
        "Not shown because they have no throughput above zero: ConvMixer-768/32."
    )
