"""How figures look: colours, markers, sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal

from matplotlib.axes import Axes

from cmx_bench.present.plot import Point

INK, LEADER, GRID, PAGE = "#1b1f24", "#8c959f", "#d5dade", "#ffffff"


@dataclass(frozen=True, slots=True)
class Style:
    """How a family is drawn."""

    label: str
    colour: str
    marker: str
    line: Literal["-", "--", ":"]
    width: float


# Okabe and Ito's colours, which colour-blind readers can tell apart; lines and markers as in the
# paper's Figure 1.
STYLES: Mapping[str, Style] = {
    "convmixer": Style("ConvMixer", "#d55e00", "*", "-", 2.6),
    "resmlp": Style("ResMLP", "#009e73", "s", "-", 1.2),
    "deit": Style("DeiT", "#0072b2", "o", "-", 1.2),
    "resnet": Style("ResNet", "#5f6b76", "D", "--", 1.2),
    "mixer": Style("MLP-Mixer", "#cc79a7", "^", "-", 1.2),
    "vit": Style("ViT", "#56b4e9", "v", "-", 1.2),
    "swin": Style("Swin", "#e69f00", "P", "-", 1.2),
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

# What a page replaces in an SVG so that its own style sheet colours it, in light and in dark.
CSS_COLOURS: Mapping[str, str] = {
    INK: "var(--ink)",
    LEADER: "var(--soft)",
    GRID: "var(--rule)",
    PAGE: "var(--page)",
} | {colour: f"var(--hue-{colour[1:]})" for colour in (
    *(style.colour for style in STYLES.values()), *(colour for colour, _ in _OTHERS))}  # fmt: skip

RC: dict[Any, Any] = {
    "svg.hashsalt": "cmx-bench",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # TrueType, which can be edited; some journals refuse Type 3
    "font.family": "sans-serif",
    "font.size": 9,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": PAGE,
    "axes.facecolor": PAGE,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
WIDTH, BELOW, ABOVE, RIGHT = 7.2, 0.5, 0.35, 0.15  # inches
FONT_SIZE = 7.5  # of labels, in points
LETTER = 0.085  # inches that a letter of the axes' labels takes at most


@dataclass(frozen=True, slots=True)
class Frame:
    """The height of a figure and the margins around its axes, in inches."""

    height: float
    left: float
    right: float = RIGHT
    above: float = ABOVE


def size(axes: Axes) -> tuple[float, float]:
    """Width and height of the axes, in points."""
    scale = 72 / axes.figure.dpi
    return scale * axes.bbox.width, scale * axes.bbox.height


def styles_of(points: Sequence[Point]) -> dict[str, Style]:
    """The families that are there, the known ones first."""
    there = {point.family for point in points}
    found = {family: style for family, style in STYLES.items() if family in there}
    others = sorted(there - found.keys())
    for family, (colour, marker) in zip(others, cycle(_OTHERS), strict=False):
        found[family] = Style(family, colour, marker, ":", 1.0)
    return found
