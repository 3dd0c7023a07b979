"""Colours that can be told apart, by colour-blind readers too, in light and in dark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

import cmx_bench
from cmx_bench.measures.workload import KINDS
from cmx_bench.present.drawing.theme import (
    CSS_COLOURS,
    KIND_COLOURS,
    PAGE,
    SHADES,
    STYLES,
    among,
    style,
    styles_of,
)

# Machado, Oliveira and Fernandes 2009 (doi 10.1109/TVCG.2009.113), severity 1, for linear RGB.
VISION = {
    "all cones": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip
# CIEDE2000. A just noticeable difference is about 1 where colours touch, 5 where they are apart.
APART = 8.0
FAMILIES = {family: style.colour for family, style in STYLES.items()}


def linear(colour: str) -> np.ndarray:
    """Linear RGB of an sRGB colour (IEC 61966-2-1)."""
    channels = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def see(colour: str, vision: str) -> np.ndarray:
    """CIELAB of a colour as somebody with this vision sees it."""
    rgb = np.clip(VISION[vision] @ linear(colour), 0, 1)
    return rgb2lab(np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055))


def themes() -> dict[str, dict[str, str]]:
    """What stands for each colour: itself in files, the style sheet's in light and dark pages."""
    path = Path(cmx_bench.__file__).parent / "present/templates/report.css"
    light, dark = path.read_text(encoding="utf-8").split("@media", 2)[:2]
    sheets = {"light page": light, "dark page": dark}
    colours = {"file": {colour: colour for colour in CSS_COLOURS}}
    for theme, sheet in sheets.items():
        values = dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6})", sheet))
        colours[theme] = {
            colour: values[variable[4:-1]] for colour, variable in CSS_COLOURS.items()
        }
    return colours


THEMES = themes()


def differences(colours: Mapping[str, str], theme: str, vision: str) -> dict[str, float]:
    """How far each two colours are apart."""
    lab = {name: see(THEMES[theme][colour], vision) for name, colour in colours.items()}
    return {
        f"{colour} {other}": float(deltaE_ciede2000(lab[colour], lab[other]))
        for colour, other in combinations(lab, 2)
    }


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("colours", [FAMILIES, KIND_COLOURS], ids=["families", "kinds"])
def test_colours_can_be_told_apart(colours: Mapping[str, str], theme: str, vision: str) -> None:
    close = {
        pair: round(apart, 1)
        for pair, apart in differences(colours, theme, vision).items()
        if apart < APART
    }
    assert not close


def test_colours_alone_tell_no_family() -> None:
    assert len({style.marker for style in STYLES.values()}) == len(STYLES)


def test_a_family_looks_as_it_does_among_all_of_a_run() -> None:
    every = styles_of(["alpha", "omega", "resnet"])
    assert styles_of(["omega"])["omega"] != every["omega"]
    with among(["alpha", "omega", "resnet"]):
        assert styles_of(["omega"]) == {"omega": every["omega"]}


def test_a_colour_of_no_family_is_told() -> None:
    with (
        pytest.warns(UserWarning, match="no figure showed the family convmixr; there are conv"),
        style(colours={"convmixr": "red", "convmixer": "red", "mine": "red"}),
    ):
        assert styles_of(["resnet", "mine"])["mine"].colour == "red"
    with style(colours={"convmixr": "red"}):
        pass  # no figure, and no word
    with (
        pytest.raises(ValueError, match="colours: resnet: expected a colour of matplotlib, got 'r"),
        style(colours={"resnet": "redd"}),
    ):
        pass


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", ["light page", "dark page"])
def test_colours_stand_out_from_the_page(theme: str) -> None:
    """WCAG 2.2, 1.4.11: graphics have a contrast of at least 3 : 1."""
    page = luminance(THEMES[theme][PAGE])
    for colour in {*FAMILIES.values(), *KIND_COLOURS.values(), *SHADES}:
        mine = luminance(THEMES[theme][colour])
        assert (max(page, mine) + 0.05) / (min(page, mine) + 0.05) >= 3, colour


def test_every_kind_has_a_colour_that_the_page_knows() -> None:
    assert list(KIND_COLOURS) == list(KINDS)
    assert {*KIND_COLOURS.values(), *SHADES, *FAMILIES.values()} <= set(CSS_COLOURS)


def test_the_name_of_a_family_fits_into_a_legend() -> None:
    [style] = styles_of(["x" * 100]).values()
    assert len(style.label) == 28
