"""Every id of a page is there once, and every link within a page leads to what it names."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cmx_bench.gate import check
from cmx_bench.gate.history import gathering, rows, trends
from cmx_bench.gate.outputs import OUTPUTS
from cmx_bench.present import page
from cmx_bench.present.content import Finding, Findings
from cmx_bench.report.formats import RENDERERS, html
from cmx_bench.report.tables import side_by_side, tables
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from .synthetic import BF16, ENVIRONMENT, FP16, make_records, make_run, model, write_folder
from .test_formats import parsed

# Labels that are the same once only letters and digits of ASCII are left, and long ones that differ
# at their end.
LABELS = ("a/b", "a-b", "A B", "模型甲", "模型乙", "Größe", "work", "x" * 70 + "1", "x" * 70 + "2")
MODELS = tuple(model(f"m{place}", label, "convmixer") for place, label in enumerate(LABELS))
# Names of settings that tables and figures have too.
SETTINGS = (dataclasses.replace(FP16, name="work"), dataclasses.replace(BF16, name="metrics"))
MEASURES = ("params", "macs", "throughput", "latency", "memory", "load_time", "roofline")


@pytest.fixture(scope="module")
def runs() -> list[tuple[Run, list[Record]]]:
    """Two runs on two devices with all kinds of tables and figures."""
    first = make_run(MODELS, SETTINGS, MEASURES, replicates=3)
    other = ENVIRONMENT | {"device_name": "Synthetic GPU 2", "git_commit": "abc"}
    second = dataclasses.replace(
        first, created="2026-02-01T00:00:00+00:00", machine=other, environments={"e1": other}
    )
    return [(run, make_records(run)) for run in (first, second)]


def check_ids(text: str) -> None:
    """Also those that an attribute of another element names."""
    read = parsed(text)
    assert len(read.ids) > 10
    assert sorted(read.ids) == sorted(set(read.ids))
    naming = ("href", "xlink:href", "aria-labelledby", "aria-describedby", "for")
    targets = [value.removeprefix("#") for name, value in read.attributes if name in naming]
    targets += [
        value.removeprefix("url(#").removesuffix(")")
        for _, value in read.attributes
        if value.startswith("url(#")
    ]
    assert targets and set(targets) <= set(read.ids)


def slowed(record: Record) -> Record:
    values = {name: [0.7 * value for value in taken] for name, taken in record.values.items()}
    return dataclasses.replace(record, values=values)


def test_of_a_report(runs: list[tuple[Run, list[Record]]]) -> None:
    text = RENDERERS["html"](summarise(*runs[0]))
    assert f'<figure id="figure-work-{FP16.key}">' in text  # the table of this name has the id
    assert f'<div class="table" id="work-{FP16.key}">' in text
    check_ids(text)


def test_of_runs_side_by_side(runs: list[tuple[Run, list[Record]]]) -> None:
    paths = [Path("first"), Path("second")]
    check_ids(html(side_by_side.compare(paths, [summarise(*run) for run in runs])))


def test_of_a_verdict_with_a_history(tmp_path: Path) -> None:
    run = make_run(MODELS, SETTINGS, ("params", "throughput"), replicates=3)
    lines = make_records(run)
    for day in range(1, 9):
        again = dataclasses.replace(run, created=f"2026-01-{day:02}T00:00:00+00:00")
        then = [
            slowed(record) if day > 4 and record.measure == "throughput" else record
            for record in lines
        ]
        (tmp_path / f"run{day}").mkdir()
        write_folder(tmp_path / f"run{day}", again, then)
    head, verdict = check.verdict(tmp_path / "run8", {"baseline": tmp_path / "run1"}, 0.05)
    past = gathering.read(tmp_path, head.run)
    changes = rows.of_changes(past)
    assert len(changes.rows) > 3
    text = OUTPUTS["verdict.html"](verdict, (), trends.drawings(past), [changes])
    check_ids(text)
    assert f'id="comparisons.m0.{FP16.key}.throughput"' not in text  # of the label, not the name
    assert f'id="comparisons.work.{FP16.key}.throughput"' in text


def test_a_finding_leads_to_its_own_row_and_to_the_table_where_two_have_its_names() -> None:
    run = make_run(MODELS[:3], (FP16,), ("params", "throughput"), replicates=3)
    every = tables(summarise(run, make_records(run)))
    key = f"table1-{FP16.key}"
    items = tuple(Finding("Speed", "", key, (label,)) for label in LABELS[:3])
    assert [row_id for _, row_id, _ in page.link(Findings(items), every)] == [
        f"{key}.a-b", f"{key}.a-b.2", f"{key}.a-b.3",
    ]  # fmt: skip
    same = [dataclasses.replace(model, label="same") for model in MODELS[:2]]
    run = make_run((*same, MODELS[2]), (FP16,), ("params", "throughput"), replicates=3)
    every = tables(summarise(run, make_records(run)))
    [(_, row_id, _)] = page.link(Findings((Finding("Speed", "", key, ("same",)),)), every)
    assert row_id == key
