"""Markdown that GitHub shows as it is meant."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from pandas import DataFrame

from cmx_bench.present import markdown
from cmx_bench.present.drawing import Plot
from cmx_bench.present.markdown import escape
from cmx_bench.report.formats import RENDERERS

from ..report.test_formats import awkward, mixed


def test_markdown_tables_are_rectangular() -> None:
    for report in (mixed(), awkward()):
        lines = RENDERERS["md"](report).splitlines()
        counts = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
        for count, other in pairwise(counts):
            assert 0 in (count, other) or count == other


def test_markdown_holds_no_markup_from_names() -> None:
    text = RENDERERS["md"](awkward())
    assert set(re.findall(r"</?(\w+)", text)) == {"br", "sub", "details", "summary"}
    assert "[link](" not in text
    assert "@somebody" not in text
    assert "\ud800" not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", r"a\|b"),
        ("_a_ *b* `c`", r"\_a\_ \*b\* \`c\`"),
        ("<b> & >", "&lt;b&gt; &amp; &gt;"),
        ("a\\", "a\\\\"),
        ("two\nlines", "two lines"),
        ("# 1", r"\# 1"),
        ("#12 and GH-7", r"\#<!-- -->12 and GH-<!-- -->7"),
        ("@user, me@home.org, CPU @ 2 GHz", "@<!-- -->user, me@<!-- -->home.org, CPU @ 2 GHz"),
        ("www.x.org https://x.org", "www<!-- -->.x.org https:<!-- -->//x.org"),
        (":tada: 10:00:00 a:b", ":<!-- -->tada: 10:00:00 a:b"),
        ("- a", r"\- a"),
        ("1. a", r"1\. a"),
        ("-1.5 % of 1.5", "-1.5 % of 1.5"),
    ],
)
def test_markdown_escapes(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_what_stands_for_a_figure_has_no_comments() -> None:
    plot = Plot("f", "www.x.org", "by @user", "#1 at www.x.org", DataFrame(), print)
    assert markdown.figure(plot) == (
        "### www<!-- -->.x.org\n\n![\\#1 at www.x.org](figures/f.svg)\n\nby @<!-- -->user"
    )


def test_markdown_links_only_its_own_figures() -> None:
    text = RENDERERS["md"](mixed())
    links = re.findall(r"(?<!\\)\]\((.*?)\)", text)
    assert links and all(re.fullmatch(r"figures/[\w.-]+\.svg", link) for link in links)
    assert "http" not in text


def test_long_tables_are_folded() -> None:
    text = RENDERERS["md"](mixed())
    assert text.count("<details>") == text.count("</details>") == 4  # one is no table
