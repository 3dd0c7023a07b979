"""The index: what it says of each run and suite, whatever they are called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cmx_bench.gate.site import Listed, frontpage
from cmx_bench.gate.site.frontpage import RunRow
from cmx_bench.present.content import Table
from cmx_bench.present.page import anchor

OUT = Path("public")
PLAIN = Listed(
    suite="ci", title="Five models", created="2026-01-06T00:00:00+00:00", finished=True,
    quick=False, machine={"device_name": "A CPU"}, commit="3f9c2a7b1d04",
    versions=("python 3.13.1", "torch 2.15.0"), models=("resnet50", "mixer_b16_224"),
    labels=("ResNet-50", "MLP-Mixer-B/16"), settings=("cpu-a", "cpu-b", "cpu-c"),
    setting_names=("a", "b", "c"),
    cells=8, measured=8, failed=(), disturbed=0,
)  # fmt: skip
HURT = replace(
    PLAIN, created="2026-01-07T00:00:00+00:00", finished=False, quick=True, measured=6,
    failed=("resnet50/throughput/cpu-a",), disturbed=3, commit="", versions=(),
)  # fmt: skip
EVIL = replace(
    PLAIN, suite="a-b", created="2026-01-08T00:00:00+00:00",
    title="</title><script>alert(1)</script>\"'", labels=("<img src=x onerror=alert(1)>", "x"),
)  # fmt: skip


def shown(*runs: Listed) -> list[RunRow]:
    return [
        RunRow(run, run.past("A CPU", OUT / "runs" / f"{place} #?/ü"), f"{place} #?/ü")
        for place, run in enumerate(runs)
    ]


def texts(table: Table, place: int) -> dict[str, str]:
    """What stands in a row, by the heading of the column."""
    headings = [column.heading for column in table.columns]
    return {head: entry.text for head, entry in zip(headings, table.rows[place], strict=True)}


def test_a_run_has_a_row_that_leads_to_its_page() -> None:
    table = frontpage.of_runs(shown(PLAIN), (), OUT)
    assert texts(table, 0) == {
        "Run": "2026-01-06 00:00:00 UTC", "Suite": "ci", "Machine": "A CPU", "Beware": "",
        "Measured cells": "8", "Failed cells": "none", "Settings": "a, b and 1 more",
        "Networks": "2", "torch": "2.15.0", "Commit": "3f9c2a7b1d04", "Folder": "0 #?/ü",
    }  # fmt: skip
    assert table.rows[0][0].link == "runs/0%20%23%3F/%C3%BC/report.html"


def test_a_part_of_a_run_is_marked_and_no_latest_run() -> None:
    """A replicate alone says little; the whole that it was merged into is what a reader wants."""
    part = replace(PLAIN, created="2026-01-07T00:00:00+00:00", in_history=False)
    assert texts(frontpage.of_runs(shown(PLAIN, part), (), OUT), 0)["Beware"] == "one replicate"
    for runs, latest in ((shown(PLAIN, part), "2026-01-06"), (shown(part), "2026-01-07")):
        [suite] = [texts(frontpage.of_suites(runs, {}, OUT), 0)]
        assert suite["Latest run"].startswith(latest)


def test_what_a_reader_must_know_is_marked() -> None:
    table = frontpage.of_runs(shown(PLAIN, HURT), (), OUT)
    row = texts(table, 0)  # the latest first
    assert row["Beware"] == "quick, not finished, disturbed"
    assert (row["Measured cells"], row["Failed cells"]) == ("6 of 8", "1 of 8")
    assert (row["torch"], row["Commit"]) == ("unknown", "unknown")


def test_a_filter_finds_names_that_are_not_shown() -> None:
    words = " ".join(entry.keywords for entry in frontpage.of_runs(shown(PLAIN), (), OUT).rows[0])
    for word in (
        "resnet50",
        "ResNet-50",
        "MLP-Mixer-B/16",
        "cpu-c",
        "Five models",
        "python 3.13.1",
    ):
        assert word in words


def test_a_suite_leads_to_its_runs_and_its_history() -> None:
    runs = shown(PLAIN, HURT, EVIL)
    table = frontpage.of_suites(runs, {"ci": "history/ci"}, OUT)
    assert [texts(table, place)["Suite"] for place in (0, 1)] == ["a-b", "ci"]
    row = texts(table, 1)
    assert (row["Runs"], row["Machines"], row["Past runs"]) == ("2", "A CPU", "History of ci")
    assert texts(table, 0)["Past runs"] == "none"
    assert row["Latest run"] == "2026-01-07 00:00:00 UTC"
    links = [entry.link for entry in table.rows[1] if entry.link]
    assert links == ["index.html?suite=ci#runs", "runs/1%20%23%3F/%C3%BC/report.html",
                     "history/ci/history.html"]  # fmt: skip


def test_many_suites_are_folded_away() -> None:
    runs = [replace(PLAIN, suite=f"suite-{number}") for number in range(13)]
    assert frontpage.of_suites(shown(*runs), {}, OUT).folded
    assert not frontpage.of_suites(shown(*runs[:12]), {}, OUT).folded


def test_a_title_is_text_and_no_markup() -> None:
    page = frontpage.page(shown(PLAIN, EVIL), {}, ["x/<b>run.json: broken"], OUT)
    assert "alert(1)</script>" not in page
    assert "&lt;/title&gt;&lt;script&gt;alert(1)" in page
    assert "<img src=x" not in page and "<b>run" not in page
    assert "Left out: x/&lt;b&gt;run.json: broken." in page
    assert page.count("<title>") == 1
    assert "<title>Runs of 2 suites on A CPU</title>" in page


def test_rows_of_one_moment_have_addresses_of_their_own() -> None:
    table = frontpage.of_runs(shown(PLAIN, PLAIN), (), OUT)
    assert len({row_id for row_id, _ in anchor(table)}) == 2
