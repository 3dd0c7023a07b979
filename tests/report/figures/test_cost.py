"""Throughput and memory against size."""

from __future__ import annotations

import dataclasses

import pytest

from cmx_bench.present.drawing import draw
from cmx_bench.report.figures import plots
from cmx_bench.report.figures.cost import MEMORY, PARAMS, fit
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import FP16, PAPER
from .test_figures import find_plot


def test_throughput_has_the_interval(run: Run, run_records: list[Record]) -> None:
    plot = find_plot(run, run_records, f"throughput-{FP16.key}")
    estimate = (
        summarise(run, run_records).results["convmixer_1536_20", FP16.key, "throughput"].estimate
    )
    assert estimate is not None
    point = plot.data.iloc[0]
    assert (point["low"], point["high"]) == (estimate.low, estimate.high)


def test_throughput_against_macs(run: Run, run_records: list[Record]) -> None:
    plot = find_plot(run, run_records, f"throughput-macs-{FP16.key}")
    point = plot.data.iloc[0]
    assert (point["label"], point["x"]) == ("ConvMixer-1536/20", pytest.approx(5.162596))
    assert point["y"] == pytest.approx(100, rel=0.01)
    assert "MACs" in plot.title and ">MACs (billions)<" in draw([plot])[0].svg


def test_tiny_models_stand_along_an_axis_of_thousands(run: Run, run_records: list[Record]) -> None:
    small = [
        dataclasses.replace(record, values={"params": [314.0]})
        if record.measure == "params"
        else record
        for record in run_records
    ]
    plot = find_plot(run, small, f"throughput-{FP16.key}")
    assert plot.data["x"].unique().tolist() == [0.314]
    assert ">Parameters (thousands)<" in draw([plot])[0].svg
    assert fit(PARAMS, [99]).axis == "Parameters" and fit(MEMORY, [1.0]) is MEMORY


def test_a_model_without_products_stands_on_no_logarithmic_axis(
    run: Run, run_records: list[Record]
) -> None:
    """As one of pooling alone, whose MACs and parameters are 0."""
    of_first = [
        dataclasses.replace(record, values={key: [0] for key in record.values})
        if record.model == PAPER[0].name and record.measure in ("params", "macs") else record
        for record in run_records
    ]  # fmt: skip
    by_macs = find_plot(run, of_first, f"throughput-macs-{FP16.key}")
    assert PAPER[0].name not in by_macs.data.index
    assert by_macs.caption.endswith("no throughput or MACs above zero: ConvMixer-1536/20.")
    assert find_plot(run, of_first, f"throughput-{FP16.key}").data.loc[PAPER[0].name, "x"] == 0
    of_all = [
        dataclasses.replace(record, values={key: [0] for key in record.values})
        if record.measure == "macs" else record
        for record in run_records
    ]  # fmt: skip
    [sentence] = [text for text in plots(summarise(run, of_all)).omitted if "MACs" in text]
    assert "Throughput against MACs · paper: left out, because no model has" in sentence


def test_memory_is_in_mebibytes(run: Run, run_records: list[Record]) -> None:
    point = find_plot(run, run_records, f"peak-memory-{FP16.key}").data.iloc[0]
    assert point["y"] == pytest.approx(100 + 51_625_960 * 4 / 2**20)
