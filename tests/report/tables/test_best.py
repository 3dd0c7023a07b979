"""What is bold: the best value where the data separate it, and never more than they say."""

from __future__ import annotations

import dataclasses

import pytest

from cmx_bench.metrics import METRICS
from cmx_bench.report.tables import best
from cmx_bench.report.tables.table_one import table_one
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..synthetic import FP16, PAPER, make_records, make_run

RUN = make_run(models=PAPER[:3])
FIRST, SECOND, THIRD = (model.name for model in RUN.models)


def leaders(metric: str, medians: dict[str, list[float]], run: Run = RUN) -> frozenset[str]:
    """With a process for each median given; the other values are the synthetic ones."""
    lines = [record for record in make_records(run) if record.measure != metric]
    lines += [
        record(name, metric, place, value)
        for name, values in medians.items()
        for place, value in enumerate(values)
    ]
    return best.leaders(summarise(run, lines), FP16, metric)


def record(name: str, metric: str, replicate: int, value: float) -> Record:
    some = next(
        record for record in make_records(RUN) if record.cell == f"{name}/{metric}/{FP16.key}"
    )
    return dataclasses.replace(some, replicate=replicate, values={metric: [value]})


SEPARATE: dict[str, list[float]] = {
    FIRST: [100, 101, 102],
    SECOND: [200, 201, 202],
    THIRD: [300, 301, 302],
}
NOISY = [150.0, 300.0, 450.0]


@pytest.mark.parametrize(
    ("medians", "expected"),
    [
        (SEPARATE, {THIRD}),
        (SEPARATE | {SECOND: [299, 301, 303]}, {SECOND, THIRD}),
        (SEPARATE | {SECOND: NOISY}, {SECOND, THIRD}),  # its interval reaches beyond the best
        (SEPARATE | {FIRST: NOISY, SECOND: NOISY}, set()),  # nothing is told apart
        (SEPARATE | {FIRST: [100]}, set()),  # one process: nobody knows how far it is off
        ({THIRD: [300, 301, 302]}, set()),  # nothing to be better than
    ],
)
def test_the_best_is_bold_where_intervals_separate_it(
    medians: dict[str, list[float]], expected: set[str]
) -> None:
    assert leaders("throughput", medians) == expected


@pytest.mark.parametrize(("params", "ties"), [(21_110_249, True), (21_160_000, False)])
def test_exact_values_tie_where_they_read_alike(params: int, ties: bool) -> None:
    report = summarise(RUN, make_records(RUN))
    assert best.leaders(report, FP16, "params") == {SECOND}
    twins = make_run(models=(*PAPER[:2], dataclasses.replace(PAPER[1], name="twin")))
    lines = [
        dataclasses.replace(record, values={**record.values, "params": [params]})
        if record.cell == "twin/params/r224"
        else record
        for record in make_records(twins)
    ]
    assert best.leaders(summarise(twins, lines), FP16, "params") == (
        {SECOND, "twin"} if ties else {SECOND}
    )


def test_a_memory_that_was_not_seen_to_grow_is_not_the_least() -> None:
    grown = {FIRST: [2.0, 2.0, 2.0], SECOND: [3.0, 3.0, 3.0], THIRD: [1.0, 1.0, 1.0]}
    values = {name: [value * 2**20 for value in grown[name]] for name in grown}
    run = dataclasses.replace(RUN, cells=tuple(key for key in RUN.cells if "memory" in key))
    records = [
        dataclasses.replace(record, values={"peak_memory": [values[record.model][0]]})
        for record in make_records(run)
    ]
    assert best.leaders(summarise(run, records), FP16, "peak_memory") == {THIRD}
    nothing = [
        dataclasses.replace(record, values={"peak_memory": [0.0]})
        if record.model == THIRD
        else record
        for record in records
    ]
    assert best.leaders(summarise(run, nothing), FP16, "peak_memory") == frozenset()


def test_nothing_is_bold_of_a_metric_without_a_better_direction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert leaders("throughput", SEPARATE) == {THIRD}
    neutral = dataclasses.replace(METRICS["throughput"], better="none")
    monkeypatch.setitem(METRICS, "throughput", neutral)
    assert leaders("throughput", SEPARATE) == frozenset()


def test_one_process_each_decides_nothing() -> None:
    first = [record for record in make_records(RUN) if record.replicate == 0]
    assert best.leaders(summarise(RUN, first), FP16, "peak_memory") == frozenset()


def test_table_one_marks_measured_values_only(run: Run, run_records: list[Record]) -> None:
    table = table_one(summarise(run, run_records), FP16)
    bold = {
        (row[0].text, column.key)
        for row in table.rows
        for column, entry in zip(table.columns, row, strict=True)
        if entry.best
    }
    assert bold == {
        ("ResMLP-S12", "params"), ("ResMLP-S12", "macs"), ("Mixer-S/16", "throughput"),
        ("ResMLP-S12", "memory"),
    }  # fmt: skip
    assert best.REMARK in table.remarks
