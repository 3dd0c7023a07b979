"""How figures look: colours, markers and lines of families; sizes for a page, a paper, slides."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any, Literal, TypeAlias

from cmx_bench.present.content import Tone
from cmx_bench.units import plain

INK, LEADER, GRID, PAGE = "#1b1f24", "#8c959f", "#d5dade", "#ffffff"


@dataclass(frozen=True, slots=True)
class Style:
    """How a family is drawn; `width` is that of its lines, in multiples of the style's."""

    label: str
    colour: str
    marker: str
    line: Literal["-", "--", ":"]
    width: float


# Okabe and Ito's colours, which colour-blind readers can tell apart; lines and markers as in the
# paper's Figure 1.
STYLES: Mapping[str, Style] = {
    "convmixer": Style("ConvMixer", "#d55e00", "*", "-", 2.2),
    "resmlp": Style("ResMLP", "#009e73", "s", "-", 1.0),
    "deit": Style("DeiT", "#0072b2", "o", "-", 1.0),
    "resnet": Style("ResNet", "#5f6b76", "D", "--", 1.0),
    "mixer": Style("MLP-Mixer", "#cc79a7", "^", "-", 1.0),
    "vit": Style("ViT", "#56b4e9", "v", "-", 1.0),
    "swin": Style("Swin", "#e69f00", "P", "-", 1.0),
}
_OTHERS = (
    ("#8a6d3b", "X"), ("#6a51a3", "p"), ("#3b8a86", "h"), ("#a33b5a", "<"), ("#7a8a3b", ">"),
)  # fmt: skip
KIND_COLOURS: Mapping[str, str] = {
    "depthwise": "#d55e00",
    "convolution": "#0072b2",
    "attention": "#cc79a7",
    "linear": "#e69f00",
    "other": "#5f6b76",
}
SHADES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")

# For what is welcome, unwelcome, uncertain, and none of these.
TONE_COLOURS: Mapping[Tone, str] = {
    "good": "#17692f", "bad": "#b3261e", "unsure": "#8a4b00", "": "#5f6b76",
}  # fmt: skip

# What a page replaces in an SVG so that its own style sheet colours it, in light and in dark.
CSS_COLOURS: Mapping[str, str] = {
    INK: "var(--ink)",
    LEADER: "var(--soft)",
    GRID: "var(--rule)",
    PAGE: "var(--page)",
    TONE_COLOURS["good"]: "var(--good)",
    TONE_COLOURS["bad"]: "var(--bad)",
    TONE_COLOURS["unsure"]: "var(--warn)",
} | {colour: f"var(--hue-{colour[1:]})" for colour in (
    *(style.colour for style in STYLES.values()), *(colour for colour, _ in _OTHERS))}  # fmt: skip

LOOK: dict[Any, Any] = {
    "svg.hashsalt": "cmx-bench",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # TrueType, which can be edited; some journals refuse Type 3
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": PAGE,
    "axes.facecolor": PAGE,
    "legend.frameon": False,
}
StyleName: TypeAlias = Literal["page", "paper", "slides"]
# Inches and points. A column of a two-column paper is 3.35 inches wide, slides are 16 : 9.
SIZES: Mapping[StyleName, dict[Any, Any]] = {
    "page": {
        "figure.figsize": (7.2, 4.6), "font.size": 9, "legend.fontsize": 8, "lines.markersize": 7,
        "lines.linewidth": 1.2, "axes.linewidth": 0.8, "grid.linewidth": 0.6,
    },
    "paper": {
        "figure.figsize": (3.35, 3.0), "font.size": 8, "legend.fontsize": 7, "lines.markersize": 5,
        "lines.linewidth": 0.9, "axes.linewidth": 0.6, "grid.linewidth": 0.4,
        "xtick.major.size": 2.5, "ytick.major.size": 2.5, "axes.labelpad": 2.5,
    },
    "slides": {
        "figure.figsize": (10, 5.6), "font.size": 16, "legend.fontsize": 15,
        "lines.markersize": 12, "lines.linewidth": 2.0, "axes.linewidth": 1.2,
        "grid.linewidth": 0.9, "xtick.major.size": 5, "ytick.major.size": 5,
    },
}  # fmt: skip
LABEL = 5 / 6  # of the size of the font: names beside markers and bars

# Colours of families that a user chose, and the families that figures have shown since.
_chosen: ContextVar[tuple[Mapping[str, str], set[str]] | None] = ContextVar("_chosen", default=None)
_families: ContextVar[Collection[str]] = ContextVar("_families", default=())


@contextmanager
def settings(changed: Mapping[Any, Any]) -> Iterator[None]:
    """matplotlib's settings, changed within it.

    One change stays: a notebook's backend, which is loaded with the first figure, turns
    `interactive` on so that figures show.
    """
    import matplotlib

    with matplotlib.rc_context(dict(changed)):
        yield
        interactive = matplotlib.is_interactive()
    matplotlib.interactive(interactive)


@contextmanager
def style(name: StyleName = "page", colours: Mapping[str, str] | None = None) -> Iterator[None]:
    """Figures drawn within it have the sizes of a style, whatever matplotlib was told before.

    Args:
        name: one of `SIZES`.
        colours: of families, instead of their own.

    Raises:
        ValueError: there is no such style or colour.
    """
    import matplotlib

    if name not in SIZES:
        raise ValueError(f"no style {name!r}; there are {', '.join(SIZES)}")
    for family, colour in (colours or {}).items():
        if not matplotlib.colors.is_color_like(colour):
            raise ValueError(f"colours: {family}: expected a colour of matplotlib, got {colour!r}")
    token = _chosen.set((colours or {}, drawn := set[str]()))
    try:
        with settings({}):
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(LOOK | SIZES[name])
            yield
        if drawn and (strange := (colours or {}).keys() - STYLES.keys() - drawn):
            known = ", ".join(dict.fromkeys((*STYLES, *sorted(drawn))))
            warnings.warn(f"colours: no figure showed the family {', '.join(sorted(strange))}; "
                          f"there are {known}", stacklevel=3)  # fmt: skip
    finally:
        _chosen.reset(token)


@contextmanager
def among(families: Collection[str]) -> Iterator[None]:
    """Within it a family looks as it does among all of these, whichever of them a figure shows."""
    token = _families.set(families)
    try:
        yield
    finally:
        _families.reset(token)


_LONGEST_LABEL = 28


def short_label(text: str) -> str:
    """`text` as a figure can carry it: on one line, without control characters. Of a long one the
    middle is left out, for variants of a model differ at the end."""
    text = plain(text).replace("\n", " ")
    half = _LONGEST_LABEL // 2
    return text if len(text) <= _LONGEST_LABEL else f"{text[:half]}…{text[1 - half :]}"


def styles_of(families: Iterable[str]) -> dict[str, Style]:
    """How the families that are there look, the known ones first."""
    shown = set(families)
    there = shown | {*_families.get()}
    styles = {family: style for family, style in STYLES.items() if family in there}
    for family, (colour, marker) in zip(
        sorted(there - styles.keys()), cycle(_OTHERS), strict=False
    ):
        styles[family] = Style(short_label(family), colour, marker, ":", 0.8)
    chosen, drawn = _chosen.get() or ({}, set())
    drawn |= there
    return {
        family: replace(style, colour=chosen.get(family, style.colour))
        for family, style in styles.items()
        if family in shown
    }
