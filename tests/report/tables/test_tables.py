"""The one table model that every format writes down."""

from __future__ import annotations

import dataclasses

from cmx_bench.measures.conditions import REASONS
from cmx_bench.present.content import Entry, Table, group_columns
from cmx_bench.report import overview
from cmx_bench.report.tables import metrics, tables
from cmx_bench.report.tables.table_one import table_one
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import BF16, FP16, FP32, make_records, make_run, watched


def column(table: Table, key: str) -> list[Entry]:
    place = [column.key for column in table.columns].index(key)
    return [row[place] for row in table.rows]


def test_each_setting_has_its_table() -> None:
    run = make_run(settings=(FP32, BF16))
    every = tables(summarise(run, make_records(run)))
    assert [table.key for table in every[:2]] == [f"table1-{FP32.key}", f"table1-{BF16.key}"]


def test_a_setting_that_only_left_nothing_of_has_no_table() -> None:
    run = make_run(settings=(FP16, FP32))
    lines = make_records(run)

    def keys(*parts: str) -> list[str]:
        left = tuple(key for key in run.cells if any(part in key for part in parts))
        measured = [record for record in lines if record.cell in left]
        every = tables(summarise(dataclasses.replace(run, cells=left), measured))
        return [table.key for table in every if table.key.startswith("table1-")]

    assert keys(FP16.key, "/params/") == [f"table1-{FP16.key}"]
    assert keys("/params/") == [f"table1-{FP16.key}", f"table1-{FP32.key}"]


def test_every_metric_is_shown() -> None:
    run = make_run(measures=("params", "latency", "load_time"))
    table = metrics(summarise(run, make_records(run)))
    assert [column.key for column in table.columns[2:]] == [
        "params", "trainable_params", "buffers", "latency_p50", "latency_p90", "latency_p99",
        "load_time",
    ]  # fmt: skip
    assert column(table, "latency_p50")[0].flat == "10.0 ms (± 2.0 %, n = 5)"


def test_samples_stand_process_by_process(run: Run, run_records: list[Record]) -> None:
    table = next(
        record for record in tables(summarise(run, run_records)) if record.key == "samples"
    )
    first = next(row for row in table.rows if row[2].text.startswith("Throughput"))
    assert first[3].text.splitlines()[1] == "1: 98.80 · 98.90 · 99.00 · 99.10 · 99.20"


def test_samples_name_what_was_discarded(run: Run, run_records: list[Record]) -> None:
    key = f"resnet50/throughput/{FP16.key}"
    blocks = ("..x...", "xdddd.x", ".d...", ".....", ".....")
    some = [
        watched(record, blocks[record.replicate]) if record.cell == key else record
        for record in run_records
    ]
    table = next(table for table in tables(summarise(run, some)) if table.key == "samples")
    row = next(row for row in table.rows
               if (row[0].text, row[2].text[:10]) == ("ResNet-50", "Throughput"))  # fmt: skip
    ends = [line.partition(" (")[2] for line in row[3].text.splitlines()]
    assert ends == [
        "1 discarded)",
        "2 discarded, disturbed, does not count)",
        "disturbed, does not count)",
        "",
        "",
    ]
    assert all(reason in table.remarks[0] for reason in REASONS)
    assert (
        next(
            record for record in tables(summarise(run, run_records)) if record.key == "samples"
        ).remarks
        == ()
    )


def test_empty_tables_are_left_out(run: Run, run_records: list[Record]) -> None:
    keys = [table.key for table in tables(summarise(run, run_records))]
    assert keys == [
        f"table1-{FP16.key}", "fidelity", "order", "metrics", "not-measured", "samples",
        "published", "environments",
    ]  # fmt: skip


def test_groups_of_columns_add_up(run: Run, run_records: list[Record]) -> None:
    table = table_one(summarise(run, run_records), FP16)
    groups = list(group_columns(table.columns))
    assert sum(count for _, count in groups) == len(table.columns)
    assert ("# Params (×10⁶)", 2) in groups


def test_the_terminal_shows_the_same_table(run: Run, run_records: list[Record]) -> None:
    table = table_one(summarise(run, run_records), FP16)
    text = overview.text(table, 240)
    assert "± 2.0 %, n = 5" in text
    assert "†C  a third party's transcription" in text
    assert max(len(line) for line in text.splitlines()) <= 240
    assert "ConvMixer-1536/20" in overview.text(table, 80)
