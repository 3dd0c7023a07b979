"""The pages of a history and of a verdict in headless Chromium, and by axe-core's rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.gate import outputs
from cmx_bench.gate.history import publishing
from cmx_bench.gate.history.gathering import read

from ..browsing import Open, needs_axe, needs_chromium, opening, violations
from .history.past import history, past_run, series
from .test_outputs import AWKWARD, awkward, mixed

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for day in range(1, 10):
        place = folder / "runs" / f"day {day}"
        past_run(place, day, 0.8 if day > 5 else 1.0, {"cores": 4} if day in (2, 3) else {})
        (place / "report.html").write_text(f"<title>Run {day}</title>", encoding="utf-8")
    publishing.write(read(folder / "runs"), folder / "history")
    odd = [
        series([100] * 3 + [80] * 3, label, suite=f"{place} {label}")
        for place, label in enumerate(AWKWARD)
    ]
    publishing.write(history(*odd), folder / "odd")
    outputs.write(mixed(), folder / "mixed")
    spread = tuple(
        dataclasses.replace(row, slowdowns=(0.01, 0.06, -0.02))
        for row in awkward().comparisons
    )  # fmt: skip
    outputs.write(dataclasses.replace(awkward(), comparisons=spread), folder / "awkward")
    return {
        "history": folder / "history" / "history.html", "odd": folder / "odd" / "history.html",
        "mixed": folder / "mixed" / "verdict.html", "awkward": folder / "awkward" / "verdict.html",
    }  # fmt: skip


@pytest.fixture
def show(browser: Any, pages: dict[str, Path]) -> Iterator[Open]:
    """Opens a page by its name."""
    with opening(browser) as opened:
        yield lambda name, **options: opened(pages[name], **options)


def test_each_network_has_a_panel_whose_points_lead_to_runs(show: Open) -> None:
    tab = show("history")
    assert tab.locator(".panels > div").count() == 11
    links = tab.locator(".panels svg").first.locator("a")
    addresses = [link.get_attribute("href") for link in links.all()]
    assert sorted(addresses) == [f"../runs/day%20{day}/report.html" for day in range(1, 10)]
    assert "11 % slower" not in tab.locator(".panels p").first.inner_text()
    assert "25 % slower since 2026-01-06" in tab.locator(".panels p").first.inner_text()
    links.last.dispatch_event("click")
    tab.wait_for_url("**/report.html")
    assert tab.title().startswith("Run ")


def test_beside_a_point_leads_to_it_too(show: Open) -> None:
    tab = show("history")
    box = tab.locator(".panels svg").first.bounding_box()
    tab.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"])
    tab.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"])
    tab.wait_for_url("**/report.html")


def test_the_reader_chooses_metric_network_order_and_machines(show: Open) -> None:
    tab = show("history")
    metric, network, across = tab.locator(".controls select").all()
    across.select_option("commit")
    assert "commit9" in tab.locator(".panels svg").first.text_content()
    network.select_option(label="ResNet-50")
    assert tab.locator(".panels > div").count() == 1
    tab.locator(".controls input").nth(1).uncheck()
    assert tab.locator(".panels svg a").count() == 7
    metric.select_option(label="Parameters · r224")
    assert tab.locator(".panels svg a").count() == 9  # of all machines


def test_without_a_script_the_tables_can_be_read(show: Open) -> None:
    tab = show("history", java_script_enabled=False)
    assert tab.locator("#change-points tbody tr").count() == 11
    assert tab.locator("section.explorer:visible").count() == 0
    assert "history.md" in tab.locator("noscript").inner_text()


@pytest.mark.parametrize("name", ["history", "odd", "mixed", "awkward"])
def test_a_narrow_screen_scrolls_tables_and_not_the_page(show: Open, name: str) -> None:
    tab = show(name, viewport={"width": 400, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 400


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_states_have_colours_words_and_signs(show: Open, scheme: str) -> None:
    tab = show("mixed", color_scheme=scheme)
    states = tab.locator("#comparisons td .tone").all_inner_texts()
    assert {*states} == {"✗ FAIL", "? INCONCLUSIVE", "✓ PASS"}
    colours = tab.evaluate(
        "[...document.querySelectorAll('#comparisons td .tone')]"
        ".map((one) => getComputedStyle(one).color)"
    )
    assert len({*colours}) == 3


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["history", "odd", "mixed", "awkward"])
def test_axe_finds_nothing_serious(show: Open, name: str, scheme: str) -> None:
    tab = show(name, viewport={"width": 1400, "height": 900}, color_scheme=scheme)
    for details in tab.locator("details").all():
        details.evaluate("(one) => { one.open = true; }")
    assert violations(tab) == []
