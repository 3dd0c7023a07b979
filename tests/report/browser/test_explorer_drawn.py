"""The explorer in headless Chromium."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ...browsing import Open, needs_chromium
from ..synthetic import BF16, FP16

pytestmark = needs_chromium

TABLE = f"table1-{FP16.key}"


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
    for place, box in enumerate(boxes):
        for other in boxes[place + 1 :]:
            apart_x = max(box["x"], other["x"]) - min(
                box["x"] + box["width"], other["x"] + other["width"]
            )
            apart_y = max(box["y"], other["y"]) - min(
                box["y"] + box["height"], other["y"] + other["height"]
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
