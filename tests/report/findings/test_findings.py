"""What a run found, rule by rule: the right direction, the digits that the data deserve, ties said
as ties, and nothing where nothing was measured."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from cmx_bench import report as reports
from cmx_bench.present import page
from cmx_bench.present.content import Finding, Findings
from cmx_bench.report import verify
from cmx_bench.report.formats import RENDERERS, content
from cmx_bench.report.overview import overview
from cmx_bench.report.tables import tables
from cmx_bench.results.reading import summarise

from .. import rendering
from ..synthetic import PAPER, failed, make_records, make_run, write_folder
from ..tables.test_fairness import make_report as in_three_settings
from ..test_formats import awkward, mixed
from .runs import CLAIMS, DEIT, MIXER, MODELS, RESMLP, RESNET, evaluated, find_all, measured, rounds


@pytest.mark.parametrize("measure", ["roofline", "load_time"])
def test_what_no_rule_is_about_gives_no_finding(measure: str) -> None:
    run = make_run(measures=(measure,))
    assert find_all(summarise(run, make_records(run))) == Findings(())


def test_a_run_that_measured_nothing_says_why() -> None:
    run = make_run(PAPER[:2])
    assert [finding.text for finding in find_all(summarise(run, [])).items] == [
        "Nothing was measured: 8 missing, of 8 cells. The first reason: planned, but not measured "
        "yet."
    ]
    every = [failed(record, "out of\nmemory") for record in make_records(run)]
    [only] = find_all(summarise(run, every)).items
    assert only == Finding(
        "Result",
        "Nothing was measured: 8 failed, of 8 cells. The first reason: out of memory.",
        "failures",
    )
    assert find_all(summarise(make_run(models=()), [])) == Findings(())
    assert find_all(summarise(make_run(settings=()), [])) == Findings(())


def test_there_are_six_at_most_and_the_dispensable_go_first() -> None:
    speeds = {MIXER: rounds(50, 0.08), RESNET: rounds(100), DEIT: rounds(90), RESMLP: rounds(60)}
    report = measured(speeds, claims=CLAIMS)
    topics = ["Speed", "Other families", "Best", "Paper", "Claims", "Trust"]
    assert [finding.topic for finding in find_all(report).items] == topics
    more = evaluated({model: [300 + place] for place, model in enumerate(speeds)})
    run = dataclasses.replace(report.run, cells=(*report.run.cells, *more.run.cells))
    both = dataclasses.replace(summarise(run, [*report.records, *more.records]), votes=more.votes)
    assert [finding.topic for finding in find_all(both).items] == [
        "Speed", "Other families", "Accuracy", "Paper", "Claims", "Trust",
    ]  # fmt: skip


@pytest.mark.parametrize("make", [mixed, awkward, in_three_settings])
def test_each_finding_links_to_what_proves_it(make: Any) -> None:
    report = make()
    linked = page.link(find_all(report), tables(report))
    assert linked
    text = RENDERERS["html"](report)
    for finding, target, table in linked:
        assert table and f'id="{target}"' in text
        assert f'href="#{target}">{escape(table)}</a>' in text
        assert (target == finding.table) is (not finding.row)


def test_findings_stand_above_everything_else() -> None:
    report = mixed()
    html, markdown = RENDERERS["html"](report), RENDERERS["md"](report)
    terminal = overview(report, 80)
    body = html[html.index("<body>") :]
    for text, order in (
        (body, ["</h1>", "cells measured", "10.0 times slower", "left out, with",
                'id="figure-figure1"',
                'id="run"', 'id="table1', 'id="front-cuda', 'id="table1-cuda-bf16']),
        (markdown, ["# ", "cells measured", "10.0 times slower", "left out, with", "## Table 1",
                    "### Figure 1", "### Accuracy against", "bf16 (", "## How this was measured"]),
        (terminal, ["Speed: ConvMixer-1536/20 is 10.0", "\nTable 1"]),
    ):  # fmt: skip
        places = [text.index(part) for part in order]
        assert places == sorted(places)
    assert all(len(line) <= 80 for line in terminal.split("\nTable 1")[0].splitlines())
    assert not re.search(r"<details[^>]* open", html)


@pytest.mark.parametrize(("name", "old"), [("report.html", "14\xa0%"), ("report.md", "14 %")])
def test_a_number_changed_in_a_finding_is_named(tmp_path: Path, name: str, old: str) -> None:
    run = make_run((MODELS[MIXER], MODELS[RESNET]))
    folder = write_folder(tmp_path / "run", run, make_records(run))
    rendering.write(folder)
    text = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_text(text.replace(old, old.replace("4", "5"), 1), encoding="utf-8")
    [difference] = verify.verify(folder).differences
    assert difference.file == name and difference.place.startswith("line ")
    assert old.replace("4", "5") in difference.shown and old in difference.recomputed


def test_the_example_reads_like_an_answer() -> None:
    run = next((Path(__file__).parents[3] / "reports/paper").glob("*/run.json"))
    shown = content(reports.read(run.parent))
    texts = [finding.text for finding in shown.findings.items]
    assert 3 <= len(texts) <= 6 and len({finding.topic for finding in shown.findings.items}) == len(
        texts
    )
    assert texts[0].startswith("ConvMixer-1536/20 ") and "ResNet-152" in texts[0]
    assert all(text.endswith(".") and not re.search(r"\b(nan|inf|None)\b", text) for text in texts)
