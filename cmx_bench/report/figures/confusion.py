"""Confusion matrices side by side: which class models take for which."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pandas import DataFrame

from cmx_bench import units
from cmx_bench.present import drawing
from cmx_bench.present.drawing import NothingToDrawError, Plot, short_label
from cmx_bench.report import entries
from cmx_bench.report.figures.selection import Selection
from cmx_bench.report.tables.by_class import MOST_CLASSES, classes_of
from cmx_bench.results.classwise import COLUMNS, mistakes, of_votes
from cmx_bench.results.users_frames import refuse_several, require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_MODELS, _MOST_LARGE = 6, 2  # of matrices, and of those of more than so many classes
_LARGE = 10
_LONGEST_NAME = 16
_GAP = 0.7  # between two matrices, in classes
_LINES, _HEADING = 1.7, 2.0  # of text: the height of a class, and of a model's name with a gap
_LEAST_LINES = 11.0  # of a matrix


def confusion(
    predictions: DataFrame, ax: Axes | None = None, *, setting: str | None = None
) -> Axes:
    """A confusion matrix for each model, of the predictions that `cmx_bench.predictions` gives, or
    of a part of them: shares of the images of a class, and their numbers.

    Args:
        setting: the key of the setting, where there are several.

    Raises:
        ValueError: columns are missing, there are several runs, there is no such setting, none is
            chosen among several, or there is nothing to draw: no prediction, or of more than
            `MOST_CLASSES` classes none that is confused.
    """
    predictions = require(predictions, COLUMNS, (), "predictions")
    refuse_several(predictions)
    settings = list(map(str, predictions["setting"].unique()))
    if setting is None and len(settings) > 1:
        listed = ", ".join(settings)
        raise ValueError(f"predictions in several settings; give one as setting=…: {listed}")
    if setting is not None and setting not in settings:
        raise ValueError(f"no setting {setting!r}; there are {', '.join(settings)}")
    key = setting or next(iter(settings), "")
    return drawing.on(_plot(predictions[predictions["setting"] == key], key, key), ax)


def plot(chosen: Selection) -> Plot:
    """The matrices of a setting."""
    labels = {str(name): str(label) for name, label in chosen.models["label"].items()}
    run = str(next(iter(chosen.samples["run"]), ""))
    return _plot(of_votes(chosen.votes, labels, run, chosen.key), chosen.key, chosen.name)


class _Grid(NamedTuple):
    """Where matrices stand: `beside` of them in a row, one for each label, all of these classes."""

    beside: int
    classes: Mapping[int, str]
    labels: Sequence[str]

    @property
    def below(self) -> int:
        """The number of rows of matrices."""
        return math.ceil(len(self.labels) / self.beside)

    @property
    def of_class(self) -> float:
        """The height of a class in lines of text, so that a matrix of two classes is no strip."""
        return max(_LINES, _LEAST_LINES / len(self.classes))

    @property
    def high(self) -> float:
        """The height of a matrix with the model's name, in classes."""
        return len(self.classes) + _HEADING / self.of_class

    def corner(self, model: int) -> tuple[float, float]:
        """The upper left corner of a model's matrix, in classes."""
        down, across = divmod(model, self.beside)
        left, top = across * (len(self.classes) + _GAP), down * self.high
        return left, top + self.high - len(self.classes)


def _plot(predictions: DataFrame, key: str, name: str) -> Plot:
    title = f"Confusion matrices · {name}"
    if predictions.empty:
        raise NothingToDrawError(title)
    known = classes_of(predictions)
    classes = known if len(known) <= MOST_CLASSES else _most_confused(predictions, known)
    if not classes:
        raise NothingToDrawError(title, f"no model confuses any of the {len(known)} classes")
    accuracy = predictions.groupby("model", observed=True)["right"].mean()
    large = len(classes) > _LARGE
    most = _MOST_LARGE if large else _MOST_MODELS
    best = accuracy.sort_values(ascending=False, kind="stable").index[:most]
    models = [model for model in predictions["model"].unique() if model in best]
    shown = predictions[predictions["model"].isin(models)]
    cells = _cells(shown, models, classes)
    labels = [short_label(str(shown.loc[shown["model"] == model, "label"].iloc[0]))
              for model in models]  # fmt: skip
    sentences = [
        f"Rows are the true classes, columns the predicted ones ({entries.in_words(key)}). "
        "Numbers are images. The stronger a colour, the larger the share of its row. Right "
        "predictions are blue, wrong ones orange."
    ]
    if len(classes) < len(known):
        sentences.append(f"The {len(classes)} of {len(known)} classes that are confused most.")
    if len(models) < len(accuracy):
        sentences.append(f"The {len(models)} most accurate of {len(accuracy)} models.")
    beside = 1 if large else min(len(models), 2 if len(models) < 5 else 3)
    grid = _Grid(beside, classes, labels)
    return Plot(
        f"confusion-{key}", title, " ".join(sentences), _in_words(shown, models, labels), cells,
        partial(_paint, grid=grid), lines=grid.below * grid.high * grid.of_class,
    )  # fmt: skip


def _most_confused(predictions: DataFrame, known: Mapping[int, str]) -> dict[int, str]:
    """The classes of the pairs that all models together confuse most, in order."""
    pairs = mistakes(predictions).groupby(["truth", "said"])["times"].sum()
    chosen: dict[int, None] = {}
    for pair in pairs.sort_values(ascending=False, kind="stable").index:
        if len(chosen | dict.fromkeys(pair)) <= MOST_CLASSES:
            chosen |= dict.fromkeys(pair)
    return {number: name for number, name in known.items() if number in chosen}


def _cells(shown: DataFrame, models: Sequence[str], classes: Mapping[int, str]) -> DataFrame:
    """A row for each pair of classes that a model named: how many `images`, and which `share` of
    the class; `model`, `row` and `column` are places."""
    counts = (
        shown.groupby(["model", "truth", "said"], observed=True).size().reset_index(name="images")
    )
    whole = shown.groupby(["model", "truth"], observed=True).size()
    counts = counts[counts["truth"].isin(classes) & counts["said"].isin(classes)]
    places = {number: place for place, number in enumerate(classes)}
    return DataFrame({
        "model": [models.index(model) for model in counts["model"]],
        "row": counts["truth"].map(places), "column": counts["said"].map(places),
        "images": counts["images"],
        "share": [images / whole[model, truth] for model, truth, images in
                  zip(counts["model"], counts["truth"], counts["images"], strict=True)],
    }).reset_index(drop=True)  # fmt: skip


def _in_words(shown: DataFrame, models: Sequence[str], labels: Sequence[str]) -> str:
    """`ConvMixer takes cat for dog most often, 12 times; …`."""
    wrong = mistakes(shown).drop_duplicates("model").to_dict("records")
    first = {row["model"]: row for row in wrong}
    names, sentences = classes_of(shown), []
    for model, label in zip(models, labels, strict=True):
        if (row := first.get(model)) is None:
            sentences.append(f"{label} makes no mistake")
            continue
        times = units.tally(row["times"], "image")
        truth, instead = names[row["truth"]], row["instead"]
        sentences.append(f"{label} most often takes {truth} for {instead}, {times}")
    return f"{'; '.join(sentences)}."


# --- painting -------------------------------------------------------------------------------------


def _paint(cells: DataFrame, ax: Axes, *, grid: _Grid) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    from cmx_bench.present.drawing import canvas
    from cmx_bench.present.drawing.theme import GRID, STYLES

    side = len(grid.classes)
    right, wrong = STYLES["deit"].colour, STYLES["convmixer"].colour
    frames = [Rectangle(grid.corner(model), side, side) for model in range(len(grid.labels))]
    squares, colours = [], []
    for model, row, column, _, share in cells.itertuples(index=False, name=None):
        left, top = grid.corner(model)
        squares.append(Rectangle((left + column, top + row), 1, 1))
        colours.append(to_rgba(right if row == column else wrong, 0.12 + 0.6 * share))
    ax.add_collection(PatchCollection(squares, facecolors=colours, linewidths=0))
    ax.add_collection(PatchCollection(frames, facecolors="none", edgecolors=GRID, linewidths=0.8))
    ax.set(xlim=(0, grid.beside * (side + _GAP) - _GAP),
           ylim=(grid.below * grid.high, 0))  # fmt: skip
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    for model, label in enumerate(grid.labels):
        left, top = grid.corner(model)
        ax.annotate(label, (left, top), (0, 3), textcoords="offset points", va="bottom")
    room = canvas.size(ax)[0] / ax.get_xlim()[1]  # points that a class is wide
    _name_classes(ax, grid, room)
    _number(ax, cells, grid, room)


def _name_classes(ax: Axes, grid: _Grid, room: float) -> None:
    """Names of classes left of the matrices, and below them, upright where they find room."""
    from cmx_bench.present.drawing import canvas

    most = _LONGEST_NAME
    names = [name if len(name) <= most else f"{name[: most - 1]}…"
             for name in map(short_label, grid.classes.values())]  # fmt: skip
    longest = max(canvas.text_width(name, canvas.em()) for name in names)
    upright = longest < 0.8 * room
    middles = [place + 0.5 for place in range(len(names))]
    lefts = [grid.corner(model)[0] for model in range(grid.beside)]
    tops = [grid.corner(model)[1] for model in range(0, len(grid.labels), grid.beside)]
    across = [left + middle for left in lefts for middle in middles]
    down = [top + middle for top in tops for middle in middles]
    ax.set_xticks(across, names * grid.beside, rotation=0 if upright else 90)
    ax.set_yticks(down, names * grid.below)
    if not upright:
        canvas.reserve(ax, below=longest - canvas.em())
    ax.set(xlabel="Predicted class", ylabel="True class")


def _number(ax: Axes, cells: DataFrame, grid: _Grid, room: float) -> None:
    from cmx_bench.present.drawing import canvas
    from cmx_bench.present.drawing.theme import LABEL

    size = LABEL * canvas.em()
    widths = (canvas.text_width(str(images), size) for images in cells["images"])
    if max(widths, default=0.0) > 0.9 * room:
        return
    for model, row, column, images, _ in cells.itertuples(index=False, name=None):
        left, top = grid.corner(model)
        ax.annotate(str(images), (left + column + 0.5, top + row + 0.5), ha="center", va="center",
                    fontsize=size)  # fmt: skip
