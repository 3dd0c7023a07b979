"""The page in headless Chromium, and held against axe-core's rules."""

from __future__ import annotations

from typing import Any

import pytest

from ...browsing import Open, needs_axe, needs_chromium, violations
from ..synthetic import BF16, FP16, FP32
from ..test_formats import AWKWARD

pytestmark = needs_chromium

TABLE = f"table1-{FP16.key}"
THROUGHPUT = f'td[data-cell="resnet152/throughput/{FP16.key}"]'


def column(page: Any, place: int) -> list[str]:
    """The texts of a column of Table 1, as shown."""
    cells = page.locator(f"#{TABLE} tbody tr:visible > :nth-child({place})")
    return [text.strip() for text in cells.all_inner_texts()]


def heading(page: Any, key: str) -> Any:
    return page.locator(f'#{TABLE} th[data-column="{key}"]')


# --- reading --------------------------------------------------------------------------------------


def test_without_a_script_everything_can_be_read(show: Open) -> None:
    page = show(java_script_enabled=False)
    assert len(column(page, 1)) == 11
    assert page.locator("button, input, dialog").count() == 0
    assert page.locator(".explorer:visible").count() == 0
    assert page.locator("#figures ~ .figures svg").first.is_visible()
    page.locator("#samples summary").click()
    assert page.locator("#samples tbody tr").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(show: Open, scheme: str) -> None:
    page = show(color_scheme=scheme)
    colours = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, "
        "getComputedStyle(document.querySelector('figure svg text')).fill]"
    )
    light, dark = "rgb(255, 255, 255)", "rgb(20, 23, 26)"
    assert colours[0] == (light if scheme == "light" else dark)
    assert colours[1] == ("rgb(27, 31, 36)" if scheme == "light" else "rgb(230, 233, 236)")


def test_paper_is_white_and_has_no_controls(show: Open) -> None:
    page = show(color_scheme="dark", viewport={"width": 1046, "height": 700})  # A4's, but margins
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1046
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    hue = "getComputedStyle(document.documentElement).getPropertyValue('--hue-d55e00')"
    assert page.evaluate(hue) == "#ba5100"  # that of a light page
    unprinted = ".filter:visible, nav:visible, .skip:visible, .explorer:visible"
    assert page.locator(unprinted).count() == 0
    assert column(page, 1)[0].startswith("ConvMixer-1536/20")
    high = "all => Math.max(...all.map((svg) => svg.getBoundingClientRect().height))"
    assert page.locator("figure svg").evaluate_all(high) < 530  # with its caption on one page
    sticky = "all => all.filter((cell) => getComputedStyle(cell).position === 'sticky').length"
    assert page.locator("th, caption span").evaluate_all(sticky) == 0
    assert page.pdf().startswith(b"%PDF")


def test_a_narrow_screen_scrolls_tables_and_not_the_page(show: Open) -> None:
    page = show(viewport={"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    # A shade shows that a figure goes on at its right, and its own background must not cover it.
    filled = "all => all.filter((one) => getComputedStyle(one).fill !== 'none').length"
    assert page.locator("figure [id$='-patch_1'] path").evaluate_all(filled) == 0


def test_the_first_key_press_leads_past_the_contents(show: Open) -> None:
    page = show()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


# --- sorting and filtering ------------------------------------------------------------------------


def test_a_heading_sorts_its_column_and_puts_the_rows_back(show: Open) -> None:
    page = show()
    written = column(page, 1)
    button = heading(page, "throughput").locator("button")
    button.click()
    assert heading(page, "throughput").get_attribute("aria-sort") == "ascending"
    assert [text.split()[0] for text in column(page, 7)][:3] == ["99", "198", "300"]
    button.click()
    assert heading(page, "throughput").get_attribute("aria-sort") == "descending"
    assert [text.split()[0] for text in column(page, 7)][:2] == ["1,089", "990"]
    button.click()
    assert heading(page, "throughput").get_attribute("aria-sort") is None
    assert column(page, 1) == written


def test_the_keyboard_sorts_and_one_column_at_a_time(show: Open) -> None:
    page = show()
    heading(page, "network").locator("button").press("Enter")
    assert [text.split()[0] for text in column(page, 1)][:4] == [
        "ConvMixer-768/32", "ConvMixer-1536/20", "DeiT-B", "DeiT-S",
    ]  # fmt: skip
    heading(page, "macs").locator("button").press("Space")
    sorted_by = page.locator(f"#{TABLE} th[aria-sort]")
    assert sorted_by.count() == 1 and sorted_by.get_attribute("data-column") == "macs"


@pytest.mark.parametrize("clicks", [1, 2])
def test_what_is_absent_is_last_either_way(show: Open, clicks: int) -> None:
    page = show()
    heading(page, "patch").locator("button").click(click_count=clicks)
    assert column(page, 2)[-2:] == ["–", "–"]
    assert set(column(page, 2)[:-2]) == {"7", "8", "16"}


def test_a_filter_keeps_the_rows_with_all_its_words(show: Open) -> None:
    page = show()
    page.locator(f"#{TABLE} input").fill("ResNet relu")
    assert [text.split()[0] for text in column(page, 1)] == ["ResNet-152", "ResNet-50"]
    assert page.locator(f"#{TABLE} output").inner_text() == "2 of 11 rows"
    page.locator(f"#{TABLE} input").fill("")
    assert len(column(page, 1)) == 11
    assert page.locator(f"#{TABLE} output").inner_text() == ""


# --- links ----------------------------------------------------------------------------------------


def test_a_row_has_a_link_made_of_its_name(show: Open) -> None:
    page = show()
    page.locator(f"#{TABLE} tbody th a", has_text="ResNet-50").click()
    assert page.url.endswith(f"#{TABLE}.resnet-50")


def test_a_link_into_a_folded_table_opens_it(show: Open) -> None:
    link = f"#samples.resnet-152.{FP16.key}.throughput-images-s"
    page = show(link=link)
    assert page.locator(f'[id="{link[1:]}"]').is_visible()
    assert page.evaluate("document.querySelector('tr:target') !== null")


def test_a_link_to_a_row_filtered_out_shows_it(show: Open) -> None:
    page = show()
    page.locator(f"#{TABLE} input").fill("convmixer")
    page.evaluate(f"location.hash = '{TABLE}.resnet-50'")
    page.locator(f'[id="{TABLE}.resnet-50"]').wait_for(state="visible")
    assert page.locator(f"#{TABLE} input").input_value() == ""


def test_every_link_leads_somewhere(show: Open) -> None:
    assert show("awkward").evaluate(
        "[...document.querySelectorAll('a')].every("
        "(a) => document.getElementById("
        "(a.getAttribute('href') ?? a.getAttribute('xlink:href')).slice(1)))"
    )


# --- the raw samples ------------------------------------------------------------------------------


def test_a_number_shows_what_it_was_made_from(show: Open) -> None:
    page = show()
    page.locator(f"{THROUGHPUT} button").first.click()
    dialog = page.get_by_role("dialog", name="ResNet-152 · throughput")
    dialog.locator("tbody tr").first.wait_for()
    text = dialog.inner_text()
    assert "293.412" in text and "299.4" in text  # samples as recorded, not rounded
    assert dialog.locator("tbody tr").count() == 3
    assert "300 ≈ ± 2.5 %, n = 3" in text
    assert "95 % interval 289.76 images/s to 304.30 images/s over 3 processes" in text
    assert FP16.key in text and "python -m cmx_bench run suites/paper.yaml" in text
    assert "gluon_in1k: named by the suite, no file hashed" in text


def test_runs_side_by_side_have_samples_of_their_own(show: Open) -> None:
    page = show("beside")
    dialog = page.get_by_role("dialog")
    for number, sample in ((1, "101.796"), (2, "203.592")):
        page.locator(f'td[data-metric="throughput"][data-run="{number}"] button').first.click()
        dialog.locator("tbody tr").first.wait_for()
        assert sample in dialog.inner_text()
        page.keyboard.press("Escape")


def test_the_keyboard_opens_and_closes_it(show: Open) -> None:
    page = show()
    button = page.locator(f"{THROUGHPUT} button").first
    button.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert button.evaluate("(one) => one === document.activeElement")


def test_the_hash_of_the_weights_is_that_of_the_record(show: Open) -> None:
    page = show("evaluated")
    page.locator('td[data-metric="top1"] button').first.click()
    page.get_by_text(f"SHA-256 {'ab' * 32}").wait_for()
    assert FP32.key in page.get_by_role("dialog").inner_text()


def test_a_failure_shows_its_reason(show: Open) -> None:
    page = show()
    page.locator(f'td[data-cell="resmlp_big_24_224/throughput/{BF16.key}"] button').first.click()
    page.get_by_role("dialog").get_by_text("out of memory at batch 8").first.wait_for()


def test_a_browser_that_cannot_unpack_says_so(show: Open) -> None:
    page = show()
    page.evaluate("delete window.DecompressionStream")
    page.locator(f"{THROUGHPUT} button").first.click()
    page.get_by_text("cannot be read (DecompressionStream is not defined)").wait_for()


def test_names_stay_names(show: Open) -> None:
    page = show("awkward")
    for place, label in enumerate(AWKWARD[:7]):
        page.locator(f'td[data-cell^="m{place}/throughput/"] button').first.click()
        shown = page.locator("#behind-title").inner_text()
        assert shown == f"{' '.join(label.split())} · throughput"
        page.keyboard.press("Escape")


# --- figures --------------------------------------------------------------------------------------


def test_a_point_under_the_pointer_says_what_it_is(show: Open) -> None:
    page = show()
    points = page.locator(f"#figure-throughput-{FP16.key} .point")
    point = points.filter(has_text="ConvMixer-768/32")
    point.scroll_into_view_if_needed()
    point.hover()
    title = point.locator("title").text_content()
    assert title.startswith("ConvMixer-768/32: Parameters (millions) 21.11, Throughput (images/s)")
    assert point.evaluate("(one) => one.matches(':hover')")


# --- accessibility --------------------------------------------------------------------------------


@needs_axe
@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("mixed", 400, "light"),
        ("mixed", 1400, "dark"),
        ("awkward", 400, "dark"),
        ("awkward", 1400, "light"),
        ("beside", 400, "light"),
    ],
)
def test_axe_finds_nothing_serious(show: Open, name: str, width: int, scheme: str) -> None:
    page = show(name, viewport={"width": width, "height": 900}, color_scheme=scheme)
    for details in page.locator("details").all():
        details.evaluate("(one) => { one.open = true; }")
    assert violations(page) == []
    page.locator("td[data-cell] button").first.click()
    page.locator("dialog tbody tr").first.wait_for()
    assert violations(page) == []
