"""The table of comparisons."""

from __future__ import annotations

import pytest

from cmx_bench.gate.outputs import OUTPUTS, console
from cmx_bench.gate.outputs.comparisons import table
from cmx_bench.gate.outputs.sentences import headline

from ..test_outputs import even, make_comparison, mixed, slower, unsure, verdict


def test_every_comparison_has_a_row_and_what_failed_is_first() -> None:
    rows = table(mixed()).rows
    assert [row[-2].text for row in rows] == [
        "FAIL", "FAIL", "FAIL", "INCONCLUSIVE", "PASS", "PASS", "PASS", "NEW", "INCOMPARABLE",
    ]  # fmt: skip


def test_exact_values_are_not_rounded() -> None:
    texts = [entry.text for row in table(mixed()).rows for entry in row]
    assert "60,211,200 B" in texts and "11,689,512" in texts


def test_a_difference_of_an_exact_metric_is_shown_however_small_it_is() -> None:
    """32 of 25.6 million parameters were "0 %", beside FAIL."""
    judged = verdict(
        make_comparison("resnet50", "FAIL", "params", base=25_557_032.0, head=25_557_064.0,
             slowdown=32 / 25_557_032, reason="an exact metric changed"),
        make_comparison("resnet50", "FAIL", "planned_memory", base=0.0, head=64.0),
    )  # fmt: skip
    shown = table(judged)
    place = [column.key for column in shown.columns].index("slowdown")
    params, memory = (row[place] for row in shown.rows)
    assert (params.text, params.detail) == ("+32", "+0.00013 %")
    assert (memory.text, memory.detail) == ("+64 B", "")
    assert "+32 (+0.00013 %)" in console.text(judged, 120)
    assert "25,557,032 → 25,557,064, 0.00013 % higher" in headline(verdict(judged.comparisons[0]))
    for name in ("verdict.md", "verdict.html"):
        assert "+32" in OUTPUTS[name](judged) and "+0.00013 %" in OUTPUTS[name](judged)


@pytest.mark.parametrize(("slowdown", "text"), [(3e-5, "+0.0030 %"), (-3e-5, "−0.0030 %")])
def test_a_sampled_difference_is_none_only_where_it_is_zero(slowdown: float, text: str) -> None:
    shown = table(verdict(even("deit", slowdown=slowdown)))
    place = [column.key for column in shown.columns].index("slowdown")
    assert shown.rows[0][place].text == text
    same = table(verdict(even("deit", slowdown=0.0)))
    assert same.rows[0][place].text == "0 %"


def test_the_other_side_is_a_column_only_where_there_are_several() -> None:
    assert "against" in [column.key for column in table(mixed()).columns]
    assert "against" not in [column.key for column in table(verdict(slower(), unsure())).columns]
