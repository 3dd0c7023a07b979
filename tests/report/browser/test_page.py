"""The page in headless Chromium, and held against axe-core's rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.report.formats import RENDERERS, SIDE_BY_SIDE

from ..browsing import Open, needs_axe, needs_chromium, opening, violations
from .synthetic import BF16, FP16, FP32
from .tables.test_caveats import evaluated
from .tables.test_side_by_side import NEWER, beside
from .tables.test_side_by_side import made as run
from .test_formats import AWKWARD, awkward, mixed

pytestmark = needs_chromium

TABLE = f"table1-{FP16.key}"
THROUGHPUT = f'td[data-cell="resnet152/throughput/{FP16.key}"]'


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {"mixed": mixed(), "awkward": awkward(), "evaluated": evaluated(0.875, 0.96)}
    for name, report in made.items():
        (folder / f"{name}.html").write_text(RENDERERS["html"](report), encoding="utf-8")
    both = beside(run(), run(NEWER, times=2))
    (folder / "beside.html").write_text(SIDE_BY_SIDE["html"](both), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in (*made, "beside")}


@pytest.fixture
def show(browser: Any, pages: dict[str, Path]) -> Iterator[Open]:
    """Opens a page by its name."""
    with opening(browser) as opened:
        yield lambda name="mixed", link="", **options: opened(pages[name], link, **options)


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
    assert page.get_by_text(f"SHA-256 {'ab' * 32}").is_visible()
    assert FP32.key in page.get_by_role("dialog").inner_text()


def test_a_failure_shows_its_reason(show: Open) -> None:
    page = show()
    page.locator(f'td[data-cell="resmlp_big_24_224/throughput/{BF16.key}"] button').first.click()
    assert "out of memory at batch 8" in page.get_by_role("dialog").inner_text()


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


# --- the explorer ---------------------------------------------------------------------------------


def chosen(page: Any, x: str, y: str) -> None:
    page.get_by_role("combobox", name="Along x").select_option(x)
    page.get_by_role("combobox", name="Along y").select_option(y)


def logarithmic(page: Any, axis: str) -> Any:
    return page.get_by_role("group", name=axis).get_by_label("logarithmic")


def drawn(page: Any) -> dict[str, tuple[float, float]]:
    """The middle of each point of the explorer, in pixels, by its model and setting."""
    boxes = page.locator(".drawing a").evaluate_all(
        "(links) => links.map((link) => [link.getAttribute('aria-label').split('; ')[0], "
        "link.getBoundingClientRect()])"
    )
    return {
        name: (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for name, box in boxes
    }


def said(page: Any) -> str:
    return page.locator(".explorer output").inner_text()


POINT = f"ResNet-152 · {FP16.key}"


def test_other_axes_move_the_points_and_have_other_labels(show: Open) -> None:
    page = show()
    chosen(page, "throughput", "top1_paper")
    assert said(page).startswith(
        "Top-1, published by the paper (%) against Throughput (images/s): 10 points."
    )
    before = drawn(page)
    chosen(page, "macs", "peak_memory")
    assert len(drawn(page)) == 11
    assert all(drawn(page)[name] != before[name] for name in before)
    for label in ("MACs (GMAC)", "Peak memory (MiB)"):
        assert page.locator(".drawing text", has_text=label).count() == 1
    assert page.locator(".drawing text", has_text="Throughput").count() == 0


def test_points_stand_where_their_values_say(show: Open) -> None:
    page = show()
    chosen(page, "throughput", "params")
    logarithmic(page, "Along x").uncheck()
    middles = drawn(page)
    places = [middles[f"{label} · {FP16.key}"][0] for label in
              ("ConvMixer-1536/20", "ConvMixer-768/32", "ResNet-152", "Mixer-B/16")]  # fmt: skip
    steps = [place - places[0] for place in places]  # of 99, 198, 297 and 990 images/s
    assert steps[2] == pytest.approx(2 * steps[1], abs=1)
    assert steps[3] == pytest.approx(9 * steps[1], abs=1)
    heights = [middles[f"{label} · {FP16.key}"][1] for label in ("ResMLP-B24/8", "ResMLP-S12")]
    assert heights[0] < heights[1]  # the larger one is above


def test_a_logarithmic_axis_has_equal_factors_equally_far_apart(show: Open) -> None:
    page = show()
    chosen(page, "throughput", "params")
    logarithmic(page, "Along x").check()
    middles = drawn(page)
    places = [middles[f"{label} · {FP16.key}"][0] for label in
              ("ConvMixer-1536/20", "ConvMixer-768/32", "DeiT-B")]  # fmt: skip
    assert places[2] - places[1] == pytest.approx(places[1] - places[0], abs=1)  # 99, 198, 396


def test_what_is_not_above_zero_is_on_no_logarithmic_axis(show: Open) -> None:
    page = show()
    chosen(page, "throughput", "buffers")  # those of the first model are none
    logarithmic(page, "Along y").uncheck()
    assert len(drawn(page)) == 11
    logarithmic(page, "Along y").check()
    assert len(drawn(page)) == 10
    assert "Not above zero, so on no logarithmic axis: ConvMixer-1536/20." in said(page)


def test_families_and_settings_filter_the_points(show: Open) -> None:
    page = show()
    chosen(page, "throughput", "macs")
    assert {name.split(" · ")[1] for name in drawn(page)} == {FP16.key}
    families = page.get_by_role("group", name="Families")
    families.get_by_label("ResMLP").uncheck()
    families.get_by_label("MLP-Mixer").uncheck()
    assert not [name for name in drawn(page) if name.startswith(("ResMLP", "Mixer"))]
    assert "6 points." in said(page)
    settings = page.get_by_role("group", name="Settings")
    settings.get_by_label("bf16").check()
    assert "12 points." in said(page)
    assert page.locator(".drawing text", has_text="DeiT-B · bf16").count() == 1
    settings.get_by_label("paper").uncheck()
    assert {name.split(" · ")[1] for name in drawn(page)} == {BF16.key}
    settings.get_by_label("bf16").uncheck()
    assert drawn(page) == {} and "0 points." in said(page)


@pytest.mark.parametrize("key", [None, "Enter"])
def test_a_point_leads_to_its_row(show: Open, key: str | None) -> None:
    page = show()
    page.locator(f"#{TABLE} input").fill("convmixer")  # which hides the row
    chosen(page, "throughput", "params")
    point = page.get_by_role("link", name=POINT)
    point.click() if key is None else point.press(key)
    row = page.locator(f'[id="{TABLE}.resnet-152"]')
    row.wait_for(state="visible")
    assert page.url.endswith(f"#{TABLE}.resnet-152")
    assert row.evaluate("(row) => row.matches(':target')")


def test_the_pointer_and_the_focus_show_what_the_tables_say(show: Open) -> None:
    page = show()
    chosen(page, "throughput", "params")
    shown = [POINT, "Throughput: 300 images/s ≈ (± 2.5 %, n = 3)", "Parameters: 60.2 M"]
    point = page.get_by_role("link", name=POINT)
    assert point.get_attribute("aria-label") == "; ".join(shown)
    tip = page.locator(".drawing tspan", has_text="300 images/s")
    point.hover()
    tip.wait_for()
    page.mouse.move(0, 0)
    tip.wait_for(state="detached")
    point.focus()
    tip.wait_for()
    page.keyboard.press("Tab")
    tip.wait_for(state="detached")


def test_labels_stand_clear_of_each_other(show: Open) -> None:
    page = show(viewport={"width": 400, "height": 800})
    labels = page.locator(".drawing text").filter(has_text=re.compile("^[A-Z][^(]+$"))
    boxes = [label.bounding_box() for label in labels.all()]
    assert len(boxes) > 4
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            apart_x = max(one["x"], other["x"]) - min(
                one["x"] + one["width"], other["x"] + other["width"]
            )
            apart_y = max(one["y"], other["y"]) - min(
                one["y"] + one["height"], other["y"] + other["height"]
            )
            assert max(apart_x, apart_y) > -2  # the line's height has room around the letters


def test_another_width_draws_the_explorer_anew(show: Open) -> None:
    page = show(viewport={"width": 1400, "height": 800})
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_function("document.querySelector('.drawing').clientWidth < 400")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_page_opened_at_the_explorer_shows_it(show: Open) -> None:
    page = show(link="#explorer")
    top = page.locator("#explorer").bounding_box()["y"]
    assert -1 < top < 100


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
