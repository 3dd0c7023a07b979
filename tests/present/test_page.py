"""What only the page has: ids of rows, and drawings that its policy lets pass."""

from __future__ import annotations

import re

from matplotlib.axes import Axes
from pandas import DataFrame

from cmx_bench.present import drawing, page
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.present.drawing import Plot
from cmx_bench.present.drawing.points import draw_points

COLUMNS = (Column("a", "A"), Column("b", "B"))


def ids(*rows: tuple[str, str], naming: int = 1) -> list[str]:
    entries = tuple((Entry(name), Entry(other)) for name, other in rows)
    table = Table("t", "T", COLUMNS, entries, naming=naming)
    return [id for id, _ in page.anchor(table)]


def test_a_row_is_named_by_what_it_is_about() -> None:
    rows = (("ResNet-50", "1"), ("<b> & ×", "2"))
    assert ids(*rows) == ["t.resnet-50", "t.b"]
    assert ids(*rows, naming=2) == ["t.resnet-50.1", "t.b.2"]
    assert ids(*reversed(rows)) == ["t.b", "t.resnet-50"]


def test_rows_of_one_name_are_counted_and_letters_of_other_scripts_kept() -> None:
    assert ids(("a", ""), ("a", ""), ("a-2", ""), ("漢", ""), ("字", "")) == [
        "t.a", "t.a.2", "t.a-2", "t.u6f22", "t.u5b57",
    ]  # fmt: skip


def test_drawings_have_no_styles() -> None:
    def paint(points: DataFrame, ax: Axes) -> None:
        ax.set(xlabel="x", ylabel="y")
        draw_points(ax, points)

    points = DataFrame([{"label": "DeiT-S", "family": "deit", "x": 22.1, "y": 79.8}])
    drawings = drawing.draw([Plot("p", "P", "", "", points, paint)])
    [(_, svg)] = page.inline(drawings)
    assert "style" not in svg
    assert re.search(r'<path [^>]*fill="var\(--hue-0072b2\)"', svg)
    assert 'font-size="9px"' in svg and 'text-anchor="middle"' in svg
