"""Work by kind, its table and the roofs, against the arithmetic of the synthetic run."""

from __future__ import annotations

import pytest

from cmx_bench.report.tables.kinds import Roofs, table
from cmx_bench.report.tables.kinds import roofs as measured_roofs
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise

from ..synthetic import FP16, PAPER, make_records, make_run


@pytest.fixture(scope="module")
def report() -> Report:
    run = make_run(PAPER[:3], measures=("roofline",))
    return summarise(run, make_records(run))


def test_the_roofs_are_the_best_of_all_processes(report: Report) -> None:
    assert measured_roofs(report.results.values()) == Roofs(1e13 + 2, 1e12)


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
