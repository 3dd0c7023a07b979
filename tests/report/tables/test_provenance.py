"""The user's word on operators, as a report shows it."""

from __future__ import annotations

import dataclasses

from cmx_bench.report import headline
from cmx_bench.report.tables import provenance, tables
from cmx_bench.report.tables.provenance import environments
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import FP16, PAPER, make_records, make_run

ORIGIN = {"file": "ours.py", "sha256": "0123456789abcdef"}
GIVEN = {
    "aten::asin": {"by": "zero", "macs": 0},
    "own::gram": {"by": "ours:gram", "macs": 12345, "origin": ORIGIN},
}


def report(words: tuple[str, ...]) -> Report:
    """A run whose suite has `words`, and whose first model rests on GIVEN."""
    models = [
        dataclasses.replace(one, counted_by=dict.fromkeys(words, "zero")) for one in PAPER[:2]
    ]
    run = make_run(tuple(models), measures=("params", "macs"))
    first = f"{PAPER[0].name}/macs/r224"
    return summarise(run, [
        dataclasses.replace(one, details={"given": GIVEN}) if one.cell == first else one
        for one in make_records(run)
    ])  # fmt: skip


def test_a_cell_is_marked_and_its_operators_listed() -> None:
    mine = report(tuple(GIVEN))
    rows = [[entry.text for entry in row] for row in provenance.words(mine).rows]
    assert rows == [
        ["ConvMixer-1536/20", "224", "aten::asin", "zero", "0", ""],
        ["ConvMixer-1536/20", "224", "own::gram", "ours:gram", "12,345", "0123456789ab"],
    ]
    first = tables(mine)[0]
    place = [column.key for column in first.columns].index("macs")
    assert [row[place].marks for row in first.rows] == ["◊", ""]
    assert "words" in [table.key for table in tables(mine)]


def test_a_word_that_was_never_needed_is_told() -> None:
    told = [fact.text for fact in headline.warnings(report((*GIVEN, "aten::asn", "own::gone")))]
    assert told == ["of the suite's macs, no model has met: aten::asn, own::gone"]
    assert not headline.warnings(report(tuple(GIVEN)))


def test_environments_stand_side_by_side(run: Run, found: list[Record]) -> None:
    table = environments(summarise(run, found))
    assert [entry.text for entry in table.rows[0]] == ["device_name", "yes", "Synthetic GPU 1"]
    assert table.rows[-1][-1].text == FP16.key
