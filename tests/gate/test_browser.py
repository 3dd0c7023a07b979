"""The pages of a history, a site and a verdict in headless Chromium, and by axe-core's rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench import report
from cmx_bench.gate import outputs
from cmx_bench.gate.history import publishing
from cmx_bench.gate.history.gathering import read
from cmx_bench.gate.site import abreast, renewing

from ..browsing import Open, needs_axe, needs_chromium, opening, violations
from .history.past import history, past_run, series
from .site.conftest import ODD, rendered
from .test_outputs import AWKWARD, awkward, mixed

pytestmark = needs_chromium

EVERY = ("history", "odd", "mixed", "awkward", "site", "run", "suite")


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
    past_run(folder / "runs" / ODD, 10, 1.0, title="</title><script>alert(1)</script>",
             suite="other", finished="", quick=True)  # fmt: skip
    (folder / "runs/broken").mkdir()
    (folder / "runs/broken/run.json").write_text("{")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(abreast, "_MOST", 1)  # no other process would find a module of tests
        renewing.renew(folder / "runs", folder / "site", rendered, lambda _: None)
    run = report.read(folder / "runs/day 9")
    page = report.files_of_site(run, "../../")["report.html"]
    (folder / "site/runs/day 9/report.html").write_text(str(page), encoding="utf-8")
    outputs.write(mixed(), folder / "mixed")
    spread = tuple(
        replace(row, slowdowns=(0.01, 0.06, -0.02))
        for row in awkward().comparisons
    )  # fmt: skip
    outputs.write(replace(awkward(), comparisons=spread), folder / "awkward")
    return {
        "history": folder / "history" / "history.html", "odd": folder / "odd" / "history.html",
        "mixed": folder / "mixed" / "verdict.html", "awkward": folder / "awkward" / "verdict.html",
        "site": folder / "site" / "index.html",
        "run": folder / "site/runs/day 9/report.html",
        "suite": folder / "site/history/paper/history.html",
    }  # fmt: skip


@pytest.fixture
def show(browser: Any, pages: dict[str, Path]) -> Iterator[Open]:
    """Opens a page by its name."""
    with opening(browser) as opened:
        yield lambda name, link="", **options: opened(pages[name], link, **options)


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


# --- a site ---------------------------------------------------------------------------------------


def rows(tab: Any) -> list[str]:
    """The runs that the index shows, by their folders."""
    return tab.locator("#runs tbody tr:visible td:last-child").all_inner_texts()


def test_the_index_finds_runs_by_suite_machine_and_words(show: Open) -> None:
    tab = show("site")
    assert len(rows(tab)) == 10
    suite, machine = tab.locator("#runs .filter select").all()
    suite.select_option("other")
    assert rows(tab) == [ODD]
    assert tab.locator("#runs output").inner_text() == "1 of 10 rows"
    suite.select_option("")
    machine.select_option("Synthetic GPU 1, cores 4")
    assert rows(tab) == ["day 3", "day 2"]
    tab.locator("#runs input").fill("resnet152 2026-01-02")  # networks are not shown
    assert rows(tab) == ["day 2"]


def test_an_address_says_which_runs_are_shown(show: Open) -> None:
    assert rows(show("site", "?suite=other#runs")) == [ODD]
    assert rows(show("site", "?q=2026-01-05%20resnet152")) == ["day 5"]
    assert len(rows(show("site", "?suite=nowhere"))) == 10


def test_the_index_sorts_and_what_an_address_names_is_shown_again(show: Open) -> None:
    tab = show("site", "?suite=other")
    tab.evaluate("location.hash = '#runs.2026-01-01-00-00-00-utc'")
    tab.wait_for_function("document.querySelector('#runs select').value === ''")
    tab.locator('#runs th[data-column="when"] button').click()
    assert rows(tab)[0] == "day 1"


def test_the_site_is_walked_by_its_links(show: Open) -> None:
    tab = show("site")
    for link in ("2026-01-10 00:00:00 UTC", "2026-01-09 00:00:00 UTC"):
        tab.locator("#runs").get_by_role("link", name=link).click()
        tab.wait_for_url("**/report.html")
        tab.locator('a[href$="index.html"]').click()
        tab.wait_for_url("**/index.html")
    tab.get_by_role("link", name="History of paper").click()
    tab.get_by_role("link", name="Runs of this suite").click()
    assert ODD not in rows(tab)


def test_without_a_script_the_index_is_a_table(show: Open) -> None:
    tab = show("site", java_script_enabled=False)
    assert len(rows(tab)) == 10
    assert tab.locator("input, select, button").count() == 0
    assert "Left out: broken/run.json" in tab.locator("#runs .remarks").inner_text()


# --- every page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_a_narrow_screen_scrolls_tables_and_not_the_page(show: Open, name: str) -> None:
    tab = show(name, viewport={"width": 390, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


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
@pytest.mark.parametrize("name", EVERY)
def test_axe_finds_nothing_serious(show: Open, name: str, scheme: str) -> None:
    tab = show(name, viewport={"width": 1400, "height": 900}, color_scheme=scheme)
    for details in tab.locator("details").all():
        details.evaluate("(one) => { one.open = true; }")
    assert violations(tab) == []
