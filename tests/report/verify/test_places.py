"""The places of a file, as a reader would name them."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from cmx_bench.report import verify
from cmx_bench.report.verify import places
from cmx_bench.results import embedded

from .conftest import SCRIPT, edit


def test_entries_are_read_as_a_reader_sees_them() -> None:
    page = (
        '<table><caption id="t-caption"><span>T</span></caption>\n<colgroup>\n'
        '<col data-column="a">\n<col data-column="b">\n</colgroup>\n<tbody>\n<tr>\n'
        '<th scope="row" title="&lt;x&gt;">N &amp; M</th>\n'
        '<td data-sort="1.5"><strong>1</strong><sup>†</sup><span class="detail">± 2</span></td>\n'
        "</tr>\n</tbody></table>"
    )
    assert places.of_page(page).tables == {
        "table t, ": [
            ["a", "a, tooltip", "a, value to sort by", "b", "b, tooltip", "b, value to sort by"],
            ["N & M", "<x>", "", "1 † ± 2", "", "1.5"],
        ]
    }


@pytest.mark.parametrize(
    "text", ["", "\0", '<?xml version="1.0" encoding="latin-1"?>', "<svg>", "<"]
)
def test_a_page_that_is_none_has_places_too(text: str) -> None:
    assert places.of_page(text).tables == {}


def test_a_csv_file_that_cannot_be_read_has_lines() -> None:
    assert len(places.of_csv(f"a,b\n{'x' * 200_000}\n").lines) == 2


def test_every_value_of_a_csv_file_is_a_place(folder: Path) -> None:
    text = (folder / "results.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(io.StringIO(text)))
    assert places.of_csv(text).count == sum(bool(cell) for row in rows for cell in row)


# --- drawings that another matplotlib made --------------------------------------------------------

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
    assert page.count("<svg") > 1 and "<svg" not in places.without_drawings(page)
    forged = re.sub("(<svg[^>]*>)", lambda tag: tag[1] + odd, page, count=1)
    left = places.without_drawings(forged)
    assert odd in left and left.count("<svg") == 1
    for path in (written / "figures").glob("*.svg"):
        drawing = path.read_text(encoding="utf-8")
        assert places.oddity(drawing) == ""
        assert places.oddity(drawing.replace("</svg>", f"{odd}</svg>"))


def test_what_stands_in_a_drawing_of_another_matplotlib_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = embedded.renderers() | {"matplotlib": "0.1"}
    monkeypatch.setattr(embedded, "renderers", lambda: now)
    drawing = next((folder / "figures").glob("*.svg"))
    for path in (folder / "report.html", drawing):
        edit(path, lambda text: re.sub("(<svg[^>]*>)", rf"\1{SCRIPT}", text, count=1))
    differences = verify.verify(folder).differences
    assert {difference.file for difference in differences} == {
        "report.html",
        f"figures/{drawing.name}",
    }
