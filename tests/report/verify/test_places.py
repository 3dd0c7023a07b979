"""The places of a file, as a reader would name them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from cmx_bench.report.verify import places


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
