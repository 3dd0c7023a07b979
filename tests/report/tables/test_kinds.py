"""Work by kind, its table and the roofs, against the arithmetic of the synthetic run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cmx_bench.report.tables.kinds import Roofs, by_model, table
from cmx_bench.report.tables.kinds import roofs as measured_roofs
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise

from ..synthetic import FP16, PAPER, WORK, failed, make_records, make_run


@pytest.fixture(scope="module")
def report() -> Report:
    run = make_run(PAPER[:3], measures=("roofline",))
    return summarise(run, make_records(run))


def test_the_roofs_are_the_best_of_all_processes(report: Report) -> None:
    assert measured_roofs(report.samples) == Roofs(1e13 + 2, 1e12)
    assert measured_roofs(report.samples.assign(value=0.0)) is None


def test_every_process_that_counts_has_a_part_in_it(report: Report) -> None:
    """Of two whose times are four apart, that between them; of peaks the best."""
    first = report.records[0]
    work: Mapping[str, Any] = WORK
    slow = {kind: {**each, "seconds": [4 * seconds for seconds in each["seconds"]]}
            for kind, each in work.items()}  # fmt: skip
    peaks = {"mac_rate": [1e12], "compute_peak": [9e12], "bandwidth_peak": [2e12]}
    second = replace(first, replicate=1, values=peaks, details={"work": slow})
    failed_last = failed(replace(first, replicate=2), "no")
    both = summarise(report.run, [first, second, failed_last]).samples
    works, alone = by_model(both), by_model(report.samples)
    ratios = [
        first.seconds / other.seconds
        for first, other in zip(works[first.model], alone[first.model], strict=True)
    ]
    assert ratios == pytest.approx([2, 2, 2, 2])
    assert works[first.model][0].rate == pytest.approx(alone[first.model][0].rate / 2)
    assert measured_roofs(both) == Roofs(1e13, 2e12)


def test_what_a_roof_allows() -> None:
    above = Roofs(1000.0, 10.0)
    assert above.ridge == 100
    assert [above.at(intensity) for intensity in (1, 100, 1000)] == [10, 1000, 1000]


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
