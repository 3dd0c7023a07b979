"""Each format against its golden file, and against names that try to break out of it.

To write the golden files anew, after looking at the difference:

    CMX_GOLDEN=1 python -m pytest tests/report/test_formats.py
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cmx_bench.cell import Model
from cmx_bench.present import page
from cmx_bench.report import formats
from cmx_bench.report.formats import RENDERERS
from cmx_bench.report.overview import overview
from cmx_bench.report.tables import tables
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Run
from cmx_bench.spec.claims import Claim

from .synthetic import (
    BF16,
    ENVIRONMENT,
    FP16,
    FP32,
    PAPER,
    failed,
    make_records,
    make_run,
    model,
    watched,
)

GOLDEN = Path(__file__).parent / "golden"
VENDOR = Path(page.__file__).parent / "templates" / "vendor"
AWKWARD = (
    "<script>alert(1)</script>",
    "a|b|c",
    "_under_ *star* `tick` ~~gone~~ [link](javascript:x) #1 @somebody $x^2$",
    "100 % & more \\ \"quoted\" 'single'",
    "emoji 🤖 und Umlaute äöü",
    "x" * 200,
    "two\nlines",
    "bell\x07 and lone surrogate \ud800",
    "=1+2",
    '" onmouseover="alert(1)',
    'id="x" #ffffff',
)


@cache
def mixed() -> Report:
    """Two settings, and everything that can go wrong once."""
    run = make_run(settings=(FP16, BF16), replicates=3)
    other = ENVIRONMENT | {"driver": "580.2"}
    run = dataclasses.replace(
        run, finished="", precision=0.03, environments={"e1": ENVIRONMENT, "e2": other}
    )
    lines = []
    for record in make_records(run):
        if record.cell == f"resnet152/throughput/{FP16.key}":
            lines.append(watched(record, ("x..x...", ".....", "xxdd.d")[record.replicate]))
            continue
        if record.cell == f"resmlp_big_24_224/throughput/{BF16.key}":
            if record.replicate == 0:
                lines.append(failed(record, "out of memory at batch 8 on cuda:0"))
        elif record.cell == f"resnet50/throughput/{FP16.key}" and record.replicate == 2:
            lines.append(dataclasses.replace(record, environment="e2"))
        elif record.cell != f"mixer_s16_224/throughput/{BF16.key}":
            lines.append(record)
    twice = next(record for record in lines if record.cell == "resnet50/params/r224")
    values: dict[str, list[float]] = {
        "params": [1.0],
        "trainable_params": [25_557_032],
        "buffers": [8000],
    }
    return summarise(run, [*lines, dataclasses.replace(twice, values=values, replicate=1)])


@cache
def awkward() -> Report:
    models = tuple(model(f"m{place}", label, f"f{place}") for place, label in enumerate(AWKWARD))
    run = dataclasses.replace(
        make_run(models=models), title=AWKWARD[0] + AWKWARD[1], command=f"run '{AWKWARD[0]}'"
    )
    lines = [
        failed(record, AWKWARD[0] + "\n" + AWKWARD[1]) if record.cell == "m0/macs/r224" else record
        for record in make_records(run)
    ]
    return summarise(run, lines)


@pytest.mark.parametrize(
    ("format", "name"), [("md", "report.md"), ("csv", "results.csv"), ("latex", "report.tex")]
)
def test_golden(format: str, name: str) -> None:
    text = RENDERERS[format](mixed())
    if os.environ.get("CMX_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("format", ["csv", "json", "md", "latex"])  # test_report has the page
def test_the_same_bytes_every_time(format: str) -> None:
    assert RENDERERS[format](mixed()) == RENDERERS[format](mixed.__wrapped__())


def test_what_comes_after_many_rows_is_folded_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two settings of two models: the first table has two rows, the second makes them too many."""
    run = make_run(PAPER[:2], (FP16, FP32))
    report = summarise(run, make_records(run))
    whole = formats.content(report).tables
    opened = [table.key for table in whole if not table.folded]
    assert opened[:2] == [f"table1-{setting.key}" for setting in run.settings]
    monkeypatch.setattr(formats, "_MOST_OPEN", 3)
    shown = formats.content(report).tables
    assert [table.key for table in shown] == [table.key for table in whole]
    assert [table.key for table in shown if not table.folded] == opened[:1]


def test_one_of_everything_is_in_the_singular() -> None:
    """One model, one setting of one thread, one process, one claim."""
    setting = dataclasses.replace(FP16, device="cpu", precision="fp32", threads=1)
    run = make_run(PAPER[:1], (setting,), ("throughput",), replicates=1)
    claim = Claim("fast", f"throughput({PAPER[0].name}) > 1")
    run = dataclasses.replace(run, claims=(claim,), device="cpu")
    report = summarise(run, make_records(run))
    text = "\n".join((RENDERERS["md"](report), RENDERERS["html"](report), overview(report, 120)))
    assert "1 thread." in text and "1 claim " in text and "(1 row)" in text
    plural = "cells|claims|models|pairs|processes|records|rows|runs|settings|threads"
    assert not re.findall(rf"(?<![\w.,])1 (?:\w+ )?(?:{plural})\b", text)


VOID = {"meta", "br", "link", "img", "col"}


class Balance(HTMLParser):
    """Complains about a tag that is never closed, or closed in the wrong place."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


def parsed(text: str) -> Balance:
    balance = Balance()
    balance.feed(text)
    balance.close()
    assert balance.open == []
    return balance


@pytest.fixture(scope="module")
def pages() -> Mapping[str, str]:
    return {"mixed": RENDERERS["html"](mixed()), "awkward": RENDERERS["html"](awkward())}


@pytest.mark.parametrize("name", ["mixed", "awkward"])
def test_the_page_is_balanced_and_runs_its_scripts_only(
    pages: Mapping[str, str], name: str
) -> None:
    parser = parsed(pages[name])
    data, points, *scripts = re.findall(r"<script([^>]*)>", pages[name])
    assert data == ' type="application/json" id="cmx-bench-data"'
    assert points == ' type="application/json" id="explorer-data"'
    assert scripts == [""] * 6
    assert not parser.tags & {"iframe", "link", "img", "object", "base", "form"}
    assert not [key for key, _ in parser.attributes if key.startswith("on") or key == "style"]
    assert len(parser.ids) == len(set(parser.ids))


@pytest.mark.parametrize("name", ["mixed", "awkward"])
def test_the_page_needs_no_network(pages: Mapping[str, str], name: str) -> None:
    ours = pages[name]
    for vendored in ("d3.min.js", "plot.umd.min.js", "LICENSES.txt"):
        text = (VENDOR / vendored).read_text(encoding="utf-8")
        assert text in ours
        ours = ours.replace(text, "")
    assert not re.search(r"https?:|//\w", ours)
    targets = [value for key, value in parsed(pages[name]).attributes if key in ("href", "src")]
    assert all(target.startswith("#") for target in targets)
    ids = set(parsed(pages[name]).ids)
    assert {target[1:] for target in targets} <= ids


@pytest.mark.parametrize("name", ["mixed", "awkward"])
def test_the_policy_allows_the_pages_own_style_and_script(
    pages: Mapping[str, str], name: str
) -> None:
    [style] = re.findall(r"<style>(.*?)</style>", pages[name], re.DOTALL)
    scripts = re.findall(r"<script>(.*?)</script>", pages[name], re.DOTALL)
    sheet, *hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in (style, *scripts)
    ]
    policy = f"default-src 'none'; style-src {sheet}; img-src data:; script-src {' '.join(hashes)}"
    assert ("content", policy) in parsed(pages[name]).attributes


def test_names_are_escaped_in_the_page(pages: Mapping[str, str]) -> None:
    assert "<script>alert" not in pages["awkward"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages["awkward"]
    assert "\ud800" not in pages["awkward"]


def test_the_page_shows_every_table(pages: Mapping[str, str]) -> None:
    for table in tables(mixed()):
        assert f'id="{table.key}-caption"' in pages["mixed"]
    assert pages["mixed"].count("<caption") == pages["mixed"].count("<table>")
    assert "prefers-color-scheme: dark" in pages["mixed"]


def test_figures_take_their_colours_from_the_page(pages: Mapping[str, str]) -> None:
    drawn = re.findall(r"<svg.*?</svg>", pages["mixed"], re.DOTALL)
    assert len(drawn) == 11
    for svg in drawn:
        colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg))
        assert {colour for colour in colours if not colour.startswith(("var(--", "none"))} == set()
        assert "<text" in svg
    names = set(re.findall(r"var\((--[\w-]+)\)", "".join(drawn)))
    assert all(f"{name}:" in pages["mixed"] for name in names)


def test_an_empty_run_still_renders() -> None:
    run: Run = make_run()
    none: tuple[Model, ...] = ()
    for report in (summarise(run, []), summarise(make_run(models=none), [])):
        for render in RENDERERS.values():
            assert render(report)
