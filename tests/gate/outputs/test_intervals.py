"""The plot of every pair against the threshold: its points, and what can be read off it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cmx_bench.gate import comparing
from cmx_bench.gate.outputs import write
from cmx_bench.gate.outputs.intervals import plots
from cmx_bench.gate.verdict import Comparison, Verdict
from cmx_bench.present import drawing

from ..conftest import cell_of, pair_of
from ..test_outputs import AWKWARD, awkward, even, make_comparison, mixed, slower, verdict

PAIRS = [0.07, 0.08, 0.06, 0.075, 0.065]


def paired(name: str, log_ratios: list[float]) -> Comparison:
    return comparing.judge(cell_of(name), [pair_of(name, ratio) for ratio in log_ratios], 0.05)


def judged() -> Verdict:
    """A failure, an undecided model and one that passed, in pairs; and an exact metric."""
    return verdict(
        paired("mixer", [0.0, 0.001, -0.001, 0.002]),
        paired("deit", [0.0, 0.09, -0.03, 0.06]),
        paired("resnet18", PAIRS),
        make_comparison("resnet18", "PASS", "params", base=1.0, head=1.0, slowdown=0.0),
    )


def test_every_pair_is_a_point_and_what_failed_stands_on_top() -> None:
    (plot,) = plots(judged())
    assert [row.state for row in plot.paint.keywords["comparisons"]] == [  # type: ignore[attr-defined]
        "FAIL", "INCONCLUSIVE", "PASS",
    ]  # fmt: skip
    first = plot.data[plot.data["model"] == 0]
    assert first["slowdown"].tolist() == pytest.approx([100 * math.expm1(ratio) for ratio in PAIRS])
    assert first["row"].is_monotonic_increasing
    assert first["row"].between(-0.5, 0.5).all()
    assert len(plot.data) == 13
    assert plot.title == "Throughput: every pair against the threshold"
    assert "threshold of 5 %" in plot.caption


def test_the_drawing_says_states_in_words_and_has_the_same_bytes_every_time() -> None:
    (drawn,) = drawing.draw(plots(judged()))
    assert drawn.svg == drawing.draw(plots(judged()))[0].svg
    for text in ("✗ FAIL", "? INCONCLUSIVE", "✓ PASS", "threshold 5 %", "no change"):
        assert text in drawn.svg
    assert len(re.findall(r"<title>RESNET18, pair \d of 5: \+", drawn.svg)) == 5
    inline = drawing.inline(drawn)
    assert {"var(--bad)", "var(--good)", "var(--warn)"} <= {*re.findall(r"var\(--\w+\)", inline)}


def test_settings_and_sides_have_figures_of_their_own() -> None:
    row = paired("mixer", PAIRS)
    other = replace(row, against="anchor")
    first, two = plots(verdict(row, other))
    assert (first.name, two.name) == ("slowdown-1-throughput", "slowdown-2-throughput")
    assert two.title == "Throughput: every pair against the threshold · against anchor"


def test_without_pairs_there_is_no_figure() -> None:
    few = paired("mixer", [0.0, 0.01])  # no interval yet
    assert plots(verdict(few, slower(), even("deit"), make_comparison("new", "NEW"))) == []
    assert plots(verdict()) == []


def test_many_rows_are_cut_and_the_caption_says_so() -> None:
    rows = [paired(f"net{place}", PAIRS) for place in range(50)]
    (plot,) = plots(verdict(*rows))
    assert plot.data["model"].nunique() == 40
    assert "The first 40 of 50 rows of the table are shown." in plot.caption


def test_the_page_embeds_and_the_markdown_links_it(tmp_path: Path) -> None:
    write(judged(), tmp_path)
    assert (tmp_path / "figures" / "slowdown-1-throughput.svg").is_file()
    assert '<figure id="figure-slowdown-1-throughput">' in (tmp_path / "verdict.html").read_text()
    assert "](figures/slowdown-1-throughput.svg)" in (tmp_path / "verdict.md").read_text()
    write(mixed(), tmp_path / "none")
    assert not (tmp_path / "none" / "figures").exists()


def test_awkward_names_are_drawn() -> None:
    rows = [replace(row, slowdowns=(0.01, 0.06)) for row in awkward().comparisons]
    drawn = drawing.draw(plots(replace(awkward(), comparisons=tuple(rows))))
    assert len(drawn) == len(AWKWARD)
    for figure in drawn:
        ElementTree.fromstring(figure.svg.encode())
