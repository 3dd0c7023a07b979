"""Drawings that another matplotlib made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cmx_bench.report import verify
from cmx_bench.report.verify import svg
from cmx_bench.results import embedded

from .conftest import SCRIPT, edit

ODD = [
    SCRIPT,
    "<foreignObject><h1>999,999 images/s</h1></foreignObject>",
    '<g onload="x()"/>',
    '<use xlink:href="https://example.org/x"/>',
    "<g id=x>",
    "<!-- x -->",
    "<g",
    "<style>@import 'https://example.org/x'</style>",
]


@pytest.mark.parametrize("odd", ODD)
def test_a_drawing_of_another_matplotlib_is_nothing_else(written: Path, odd: str) -> None:
    page = (written / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") > 1 and "<svg" not in svg.without(page)
    forged = re.sub("(<svg[^>]*>)", lambda tag: tag[1] + odd, page, count=1)
    assert odd in svg.without(forged) and svg.without(forged).count("<svg") == 1
    for path in (written / "figures").glob("*.svg"):
        drawing = path.read_text(encoding="utf-8")
        assert svg.oddity(drawing) == ""
        assert svg.oddity(drawing.replace("</svg>", f"{odd}</svg>"))


def test_what_stands_in_a_drawing_of_another_matplotlib_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = embedded.renderers() | {"matplotlib": "0.1"}
    monkeypatch.setattr(embedded, "renderers", lambda: now)
    drawing = next((folder / "figures").glob("*.svg"))
    for path in (folder / "report.html", drawing):
        edit(path, lambda text: re.sub("(<svg[^>]*>)", rf"\1{SCRIPT}", text, count=1))
    found = verify.verify(folder).differences
    assert {one.file for one in found} == {"report.html", f"figures/{drawing.name}"}
