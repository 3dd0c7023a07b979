"""Labels: none on a line, a bar, a marker or another label; none lost without a word."""

from __future__ import annotations

from itertools import combinations

import matplotlib
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox
from pandas import DataFrame

from cmx_bench.present import drawing
from cmx_bench.present.drawing import Plot, canvas, placement
from cmx_bench.present.drawing.points import draw_points
from cmx_bench.present.drawing.theme import SIZES, style
from cmx_bench.report.figures import plots
from cmx_bench.results.reading import summarise

from ...report.synthetic import make_records, make_run

RUN = make_run(measures=("params", "macs", "throughput", "memory"))
FIGURES = {
    plot.name.partition("-cuda")[0]: plot
    for plot in plots(summarise(RUN, make_records(RUN))).drawn
    if not plot.name.startswith("samples")
}


def boxes(ax: Axes) -> dict[str, Bbox]:
    """What the labels of points take up, as matplotlib draws them."""
    renderer = RendererAgg(1, 1, ax.get_figure(root=True).dpi)  # type: ignore[union-attr]
    labels = [text for text in ax.texts if isinstance(text, Annotation) and text.xy != (1, 0)]
    for label in labels:
        label.update_positions(renderer)
    return {
        label.get_text(): Text.get_window_extent(label, renderer).padded(-0.5, -2)
        for label in labels
    }


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("plot", FIGURES.values(), ids=list(FIGURES))
def test_labels_hide_nothing(plot: Plot, name: str) -> None:
    with style(name):  # type: ignore[arg-type]
        ax = drawing.on(plot)
        box_of = boxes(ax)
        named_below = [text for text in ax.texts if text.get_text().startswith("No room")]
        assert len(box_of) == len(plot.data) or named_below
        for first, other in combinations(box_of.values(), 2):
            assert not first.overlaps(other)
        axes = ax.get_window_extent()
        radius = 0.4 * matplotlib.rcParams["lines.markersize"] * ax.figure.dpi / 72
        for label, box in box_of.items():
            assert axes.x0 <= box.x0 and box.x1 <= axes.x1, label
            for x, y in ax.transData.transform(plot.data[["x", "y"]].to_numpy()):
                assert not box.overlaps(Bbox([(x - radius, y - radius), (x + radius, y + radius)]))
            for line in ax.get_lines():
                path = line.get_transform().transform_path(line.get_path())
                assert not path.intersects_bbox(box, filled=False), label


def draw_labels(points: DataFrame) -> Axes:
    def paint(points: DataFrame, ax: Axes) -> None:
        ax.set(xlabel="x", ylabel="y", xlim=(0, 10), ylim=(0, 10))
        draw_points(ax, points)
        placement.label_points(ax, points)

    with style("page"):
        return drawing.on(Plot("p", "P", "", "", points, paint))


def test_labels_without_a_place_are_named() -> None:
    points = DataFrame({"label": [f"Model {n}" for n in range(40)], "family": "deit",
                        "x": 5.0, "y": 5.0})  # fmt: skip
    ax = draw_labels(points)
    note = ax.texts[-1].get_text()
    assert note.startswith("No room for the labels of Model ")
    assert len(boxes(ax)) + 3 + int(note.rpartition("and ")[2].partition(" ")[0]) == 40


def test_a_far_label_has_a_leader() -> None:
    def paint(points: DataFrame, ax: Axes) -> None:
        ax.set(xlabel="x", ylabel="y", xlim=(0, 10), ylim=(0, 10))
        draw_points(ax, points)
        for reach in (0.3, 0.4, 0.5):
            ax.plot(*zip(*((5 + x, 5 + y) for x, y in _around(reach)), strict=True))
        placement.label_points(ax, points)

    points = DataFrame([{"label": "Model", "family": "deit", "x": 5.0, "y": 5.0}])
    with style("page"):
        [label] = drawing.on(Plot("p", "P", "", "", points, paint)).texts
    assert label.arrow_patch is not None  # type: ignore[attr-defined]
    [near] = draw_labels(points).texts
    assert near.arrow_patch is None  # type: ignore[attr-defined]


def test_a_label_keeps_clear_of_the_whole_width_of_a_line() -> None:
    def paint(points: DataFrame, ax: Axes) -> None:
        ax.set(xlabel="x", ylabel="y", xlim=(0, 10), ylim=(0, 10))
        draw_points(ax, points)
        ax.axhline(5.3, linewidth=16)  # 10 points above the middle of the marker
        placement.label_points(ax, points)

    points = DataFrame([{"label": "Model", "family": "deit", "x": 5.0, "y": 5.0}])
    with style("page"):
        ax = drawing.on(Plot("p", "P", "", "", points, paint))
        [box] = boxes(ax).values()
        pixels = ax.figure.dpi / 72
        middle = ax.transData.transform((5.0, 5.3))[1]
        assert box.y1 < middle - 8 * pixels or box.y0 > middle + 8 * pixels


def _around(reach: float) -> list[tuple[float, float]]:
    return [(-reach, -reach), (reach, -reach), (reach, reach), (-reach, reach), (-reach, -reach)]


def test_texts_are_as_wide_as_matplotlib_draws_them() -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    for text in ("ConvMixer-1536/20 · > 99 %", "ResMLP-B24/8†", "iiiWWW"):
        wide, *_ = text_to_path.get_text_width_height_descent(text, FontProperties(size=9), False)
        assert canvas.text_width(text, 9) == pytest.approx(wide, rel=0.05)


@pytest.mark.parametrize(
    ("heights", "spread"),
    [([0, 10, 30], [0, 10, 30]), ([0, 0], [-5, 5]), ([0, 4, 100], [-3, 7, 100]),
     ([5, 5, 5, 16], [-7.25, 2.75, 12.75, 22.75])],
)  # fmt: skip
def test_names_of_lines_move_no_more_than_they_must(
    heights: list[float], spread: list[float]
) -> None:
    assert placement._spread(heights, 10) == pytest.approx(spread)


def test_names_of_lines_stand_right_of_the_axes_in_their_order() -> None:
    ends = DataFrame({"label": ["low", "high", "middle"], "family": "deit", "x": 10.0,
                      "y": [1.0, 1.2, 1.1]})  # fmt: skip

    def paint(points: DataFrame, ax: Axes) -> None:
        ax.set(xlim=(0, 10), ylim=(0, 10))
        placement.name_lines(ax, points)

    with style("paper"):
        ax = drawing.on(Plot("p", "P", "", "", ends, paint))
        box_of = boxes(ax)
    assert box_of["low"].y1 < box_of["middle"].y1 < box_of["high"].y1
    assert all(box.x0 > ax.get_window_extent().x1 for box in box_of.values())
    assert all(box.x1 < ax.figure.bbox.x1 for box in box_of.values())


@pytest.mark.parametrize("bottom", [0.02, 0.5])
def test_the_note_on_labels_without_room_stays_on_a_users_figure(bottom: float) -> None:
    """Below the axes where the user has left room there, and else within them."""
    figure = Figure(figsize=(2.4, 3.0))
    ax = figure.add_axes((0.2, bottom, 0.75, 0.45))
    plot = FIGURES["throughput"]
    drawing.on(plot, ax)
    [note] = [text for text in ax.texts if text.get_text().startswith("No room")]
    renderer = RendererAgg(240, 300, figure.dpi)
    box = note.get_window_extent(renderer)
    assert box.x0 >= 0 and box.y0 >= 0 and box.y1 <= figure.bbox.y1
    assert (box.y0 > ax.bbox.y0) == (bottom < 0.1)
