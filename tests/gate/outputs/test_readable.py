"""Markdown and the page of a verdict."""

from __future__ import annotations

import re
from itertools import pairwise

from cmx_bench.gate.outputs import OUTPUTS, console

from ..test_outputs import SETTING, awkward, even, slower, verdict


def test_markdown_tables_are_rectangular_and_hold_no_markup_from_names() -> None:
    text = OUTPUTS["verdict.md"](awkward())
    counts = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines()]
    for one, other in pairwise(counts):
        assert 0 in (one, other) or one == other
    assert set(re.findall(r"</?(\w+)", text)) == {"br", "sub"}
    assert "[link](" not in text and "@somebody" not in text


def test_the_page_needs_no_network_and_runs_nothing() -> None:
    text = OUTPUTS["verdict.html"](awkward())
    assert not re.search(r"https?:|//\w", text)
    assert "<script" not in text and 'onmouseover="' not in text
    assert "default-src 'none'" in text and "prefers-color-scheme: dark" in text
    text.encode()


def test_every_output_for_people_says_in_which_setting_all_was_measured() -> None:
    found = verdict(slower(), even("deit"))
    texts = [OUTPUTS[name](found) for name in ("verdict.md", "verdict.html")]
    for text in (*texts, console.text(found, 100)):
        assert "Measured in" in text and SETTING in text
