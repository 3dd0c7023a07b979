"""Words on operators, environments, models made to order, and what failed or was not measured."""

from __future__ import annotations

import dataclasses

from cmx_bench.designs import matches, search
from cmx_bench.present.content import Table
from cmx_bench.report import headline
from cmx_bench.report.tables import provenance, tables
from cmx_bench.report.tables.provenance import environments
from cmx_bench.results.gaps import Gap
from cmx_bench.results.nouns import Failure, LeftOut, Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import FP16, FP32, PAPER, make_records, make_run

ORIGIN = {"file": "ours.py", "sha256": "0123456789abcdef"}
GIVEN = {
    "aten::asin": {"by": "zero", "macs": 0},
    "own::gram": {"by": "ours:gram", "macs": 12345, "origin": ORIGIN},
}


def texts(table: Table) -> list[list[str]]:
    return [[entry.text for entry in row] for row in table.rows]


def report(words: tuple[str, ...]) -> Report:
    """A run whose suite has `words`, and whose first model rests on GIVEN."""
    models = [
        dataclasses.replace(model, counted_by=dict.fromkeys(words, "zero")) for model in PAPER[:2]
    ]
    run = make_run(tuple(models), measures=("params", "macs"))
    first = f"{PAPER[0].name}/macs/r224"
    return summarise(run, [
        dataclasses.replace(record, details={"given": GIVEN}) if record.cell == first else record
        for record in make_records(run)
    ])  # fmt: skip


def test_a_cell_is_marked_and_its_operators_listed() -> None:
    mine = report(tuple(GIVEN))
    assert texts(provenance.words(mine)) == [
        ["ConvMixer-1536/20", "224", "aten::asin", "zero", "0", ""],
        ["ConvMixer-1536/20", "224", "own::gram", "ours:gram", "12,345", "0123456789ab"],
    ]
    first = tables(mine)[0]
    place = [column.key for column in first.columns].index("macs")
    assert [row[place].marks for row in first.rows] == ["◊", ""]
    assert "words" in [table.key for table in tables(mine)]


def test_a_word_that_was_never_needed_is_told() -> None:
    warnings = [fact.text for fact in headline.warnings(report((*GIVEN, "aten::asn", "own::gone")))]
    assert warnings == ["of the suite's macs, no model has met: aten::asn, own::gone"]
    assert not headline.warnings(report(tuple(GIVEN)))


def test_environments_stand_side_by_side(run: Run, run_records: list[Record]) -> None:
    table = environments(summarise(run, run_records))
    assert [entry.text for entry in table.rows[0]] == ["device_name", "yes", "Synthetic GPU 1"]
    assert table.rows[-1][-1].text == FP16.key


MEASURED = summarise(make_run(PAPER[:1], measures=("params",)), [])


def test_a_contradiction_is_of_all_processes() -> None:
    failures = (Failure("a/params/r224", None, "came out differently"), Failure("b/x/y", 3, "boom"))
    report = dataclasses.replace(MEASURED, failures=failures)
    assert texts(provenance.failures(report)) == [
        ["a/params/r224", "all", "came out differently"], ["b/x/y", "3", "boom"],
    ]  # fmt: skip


def test_what_is_left_out_names_each_field_that_differs() -> None:
    record = LeftOut("a/x/y", 2, "e2", "other environment",
                     {"threads": (4, 8), "driver": ("580.2", "570.1")})  # fmt: skip
    [row] = texts(provenance.left_out(dataclasses.replace(MEASURED, left_out=(record,))))
    assert row == ["a/x/y", "2", "e2", "other environment",
                   "threads: 4 here, 8 elsewhere; driver: 580.2 here, 570.1 elsewhere"]  # fmt: skip


def test_gaps_name_twelve_models_at_most() -> None:
    many = tuple(f"m{place}" for place in range(14))
    gaps = (Gap("latency", (), "why", "how"), Gap("throughput/s", many, "why", "how"))
    rows = texts(provenance.gaps(dataclasses.replace(MEASURED, gaps=gaps)))
    assert rows[0] == ["latency", "all", "why", "how"]
    assert rows[1][1].endswith("m11 and 2 more")


def test_a_row_says_what_a_model_is_matched_to() -> None:
    target = search.Target({"params": 21_110_248})
    match = matches.tell(search.find("deit", target), "convmixer_768_32")
    matched = dataclasses.replace(PAPER[3], matched=match)
    [row] = provenance.list_matched(
        summarise(make_run((PAPER[1], matched), (FP32,), ("params",)), [])
    ).rows
    assert [entry.flat for entry in row] == [
        "DeiT-B (deit_base_patch16_224)",
        "convmixer_768_32 (21,110,248 parameters)",
        "−0.091 %",
        "deit_small_patch16_224: MLP ratio 4.00 → 3.73",
        "deit_small_patch16_224 (+4.5 %)",
    ]


def test_models_as_published_have_no_table() -> None:
    report = summarise(make_run(PAPER[:2], (FP32,), ("params",)), [])
    assert "matched" not in [table.key for table in tables(report)]
