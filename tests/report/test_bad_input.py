"""What is wrong with a run stands in every format: nothing is dropped in silence."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
import re
from collections.abc import Callable
from html import unescape

import pytest

from cmx_bench.present import latex, markdown
from cmx_bench.report import overview
from cmx_bench.report.formats import RENDERERS, files
from cmx_bench.report.tables.table_one import table_one
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run
from cmx_bench.spec.claims import Claim
from cmx_bench.units import escape as escaped_for_terminals
from cmx_bench.units import plain

from ..present.test_latex import check
from .synthetic import FP16, PAPER, failed, make_records, make_run
from .test_formats import AWKWARD, awkward

BROKEN = PAPER[2]
REASON = "cannot be built: 50 % <of> it | is_missing"


@pytest.fixture(scope="module")
def broken() -> Report:
    """Nothing of one model could be measured."""
    run = make_run(models=PAPER[:4])
    return summarise(
        run,
        [
            failed(record, REASON) if record.model == BROKEN.name else record
            for record in make_records(run)
        ],
    )


@pytest.mark.parametrize(
    ("format", "escaped"),
    [("html", str), ("md", markdown.escape), ("latex", latex.escape)],
)
def test_a_model_without_any_ok_record_stays(
    broken: Report, format: str, escaped: Callable[[str], str]
) -> None:
    text = RENDERERS[format](broken)
    text = unescape(text) if format == "html" else text.replace(r"\allowbreak{}", "")
    assert escaped(BROKEN.label) in text
    assert escaped(REASON) in text
    assert len(re.findall(r"\bfailed\b", text)) > 4
    assert escaped(f"{BROKEN.name}/macs/r224") in text


def test_programs_are_told_too(broken: Report) -> None:
    rows = [row for row in csv.DictReader(io.StringIO(RENDERERS["csv"](broken)))
            if row["model"] == BROKEN.name and row["source"] == "measured"]  # fmt: skip
    assert {row["metric"] for row in rows} >= {"params", "macs", "throughput", "peak_memory"}
    assert {(row["value"], row["status"]) for row in rows} == {("", "failed")}
    content = json.loads(RENDERERS["json"](broken))
    failed_results = [result for result in content["results"] if result["model"] == BROKEN.name]
    assert {(result["status"], result["reason"]) for result in failed_results} == {
        ("failed", REASON)
    }


def test_the_terminal_keeps_its_row(broken: Report) -> None:
    [row] = [line for line in overview.text(table_one(broken, FP16), 200).splitlines()
             if BROKEN.label in line]  # fmt: skip
    assert row.split()[1:5] == ["failed"] * 4


def test_the_terminal_shows_awkward_names_as_they_are() -> None:
    text = overview.text(table_one(awkward(), FP16), 600)
    for label in AWKWARD:
        for line in escaped_for_terminals(label).splitlines():
            assert line in text
    assert "\x1b" not in text and "\x07" not in text


CONTROLS = "\x00\x07\x1b\u202e\ud800"


@pytest.fixture
def said(run: Run, run_records: list[Record]) -> Report:
    """Awkward texts wherever a user or a machine has a say, labels aside."""
    name = "".join(AWKWARD[:4]) + CONTROLS
    claims = (Claim(name, "params(resnet50) > 1"),)
    environments = {
        digest: environment | {"device_name": name}
        for digest, environment in run.environments.items()
    }
    run = dataclasses.replace(
        run, suite_path=name, command=name, claims=claims, environments=environments,
        unavailable={"cpu/x": name}, accuracy={"dataset": name}, title=name,
    )  # fmt: skip
    return summarise(run, run_records)


def test_no_text_becomes_markup(said: Report) -> None:
    page, text = RENDERERS["html"](said), RENDERERS["md"](said)
    assert page.count("<script") == 8 and "<script>alert" not in page
    assert "<script" not in text and "[link](" not in text and "@somebody" not in text
    assert check(RENDERERS["latex"](said)) > 0
    assert json.loads(RENDERERS["json"](said))["run"]["title"] == said.run.title
    texts = [text for text in files(said).values() if isinstance(text, str)]
    assert not [control for control in CONTROLS for text in texts if control in text]


FORMULAS = ("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "\t=1")


def test_no_text_becomes_a_formula(run: Run, run_records: list[Record]) -> None:
    models = [
        dataclasses.replace(model, label=f"{FORMULAS[place % len(FORMULAS)]} {place}")
        for place, model in enumerate(PAPER)
    ]
    report = summarise(dataclasses.replace(run, models=tuple(models)), run_records)
    texts = {
        name: gzip.decompress(text).decode() if isinstance(text, bytes) else text
        for name, text in files(report).items()
        if name.endswith((".csv", ".gz"))
    }
    fields = [field for text in texts.values() for row in csv.reader(io.StringIO(text))
              for field in row]  # fmt: skip
    for shown in map(plain, FORMULAS):
        assert sum(field.startswith(f"'{shown}") for field in fields) > 40
        assert not any(field.startswith(shown) for field in fields)


def test_a_number_with_its_sign_is_no_formula(run: Run, run_records: list[Record]) -> None:
    models = [dataclasses.replace(model, label="-1.5 ± 2 %") for model in PAPER]
    text = RENDERERS["csv"](summarise(dataclasses.replace(run, models=tuple(models)), run_records))
    assert "-1.5 ± 2 %" in text and "'-1.5" not in text
