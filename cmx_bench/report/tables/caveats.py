"""Footnotes where rows, or two columns of a row, differ in something that they do not show.

Every readable format has them, and so have the tables as CSV, in their last column. results.csv
needs none: the `setting` of a published figure holds its conditions, and what was measured has its
setting's key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from string import ascii_lowercase
from typing import TypeAlias

from cmx_bench.cell import Model, Setting
from cmx_bench.present.content import Note, Table, in_order
from cmx_bench.published import Published
from cmx_bench.results.environment import comparable
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result
from cmx_bench.units import percent, tally

# What an entry rests on and does not show, in words, by aspect; empty where nothing is known.
Hidden: TypeAlias = Mapping[str, str]


def tell_apart(table: Table, verb: str, hidden: Mapping[str, Iterable[Hidden]]) -> Table:
    """`table` with a letter wherever entries of a column rest on different things.

    Args:
        verb: how the notes begin, "evaluated" or "measured".
        hidden: what each row's entry rests on, by the column's key.
    """
    return letter(table, {
        key: [text and f"{verb} with {text}" for text in _differences(list(rows))]
        for key, rows in hidden.items()
    })  # fmt: skip


def letter(table: Table, texts: Mapping[str, Sequence[str]]) -> Table:
    """`table` with a letter for each text, by the column's key and row; an empty text has none.

    Letters continue after the letters that the table already has.
    """
    different = dict.fromkeys(text for column in texts.values() for text in column if text)
    first = sum(note.mark.isalpha() for note in table.notes)
    notes = {text: Note(_letter(place), text) for place, text in enumerate(different, first)}
    rows = [list(row) for row in table.rows]
    for place, column in enumerate(table.columns):
        for row, text in zip(rows, texts.get(column.key, ()), strict=False):
            if text:
                row[place] = replace(row[place], notes=in_order((*row[place].notes, notes[text])))
    return replace(table, rows=tuple(map(tuple, rows)))


def by_setting(report: Report, table: Table) -> Table:
    """`table` with a letter on each entry of its column "setting" where the settings differ in what
    the entries do not say: TF32, fused attention, versions, and the key where it does not stand
    below the name."""
    keys = {setting.title: setting.key for setting in report.run.settings}
    unsaid: list[Hidden] = []
    for entry in (row["setting"] for row in table.by_column()):
        key = keys.get(entry.text, "")
        environment = report.run.environments.get(report.environments.get(key, ""), {})
        fields = {name: f"{name} {value}" for name, value in comparable(environment).items()}
        unsaid.append(({} if entry.detail else {"key": key}) | fields if key else {})
    return tell_apart(table, "measured", {"setting": unsaid})


def _differences(rows: Sequence[Hidden]) -> Iterator[str]:
    """Each row's words for the aspects in which the rows differ."""
    known = [row for row in rows if row]
    aspects = dict.fromkeys(aspect for row in known for aspect in row)
    differing = [aspect for aspect in aspects if len({row.get(aspect) for row in known}) > 1]
    for row in rows:
        yield ", ".join(row[aspect] for aspect in differing if aspect in row)


def _letter(place: int) -> str:
    """a to z, then aa to zz."""
    before, letter = divmod(place, len(ascii_lowercase))
    return (_letter(before - 1) if before else "") + ascii_lowercase[letter]


# --- what entries rest on -------------------------------------------------------------------------


def preprocessing(result: Result | None) -> Hidden:
    """How the images of an evaluation were prepared; nothing where its record does not say."""
    if result is None or "preprocessing" not in result.details:
        return {}
    prepared = result.details["preprocessing"]
    geometry = prepared["geometry"]
    return {
        "image size": f"{geometry['image_size']} px",
        "crop": f"crop {geometry['crop_pct']:g} {geometry['crop_mode']}",
        "interpolation": geometry["interpolation"],
        "mean": "mean " + "/".join(f"{channel:g}" for channel in prepared["mean"]),
    }


def of_accuracy(
    report: Report, model: Model, setting: Setting, accuracy: Result | Published | None
) -> str:
    """What a reader must know of an accuracy that its row does not show: that its weights were
    resampled, and which image size or weights it has that the speed has not; empty where nothing.

    Precision and layout are those of the setting for both: a cell of accuracy has its key. Speed is
    always measured with initial weights, which every table says: only weights that the row does not
    name are a difference.
    """
    parts = [tell_resampled(accuracy)]
    if accuracy is not None and report.is_timed(model, setting):
        if accuracy.image_size not in (None, setting.image_size):
            sizes = f"{accuracy.image_size} px, speed of {setting.image_size} px"
            parts.append(f"accuracy is of images of {sizes}")
        if isinstance(accuracy, Result) and accuracy.weights not in (None, model.weights):
            given = PurePath(str(accuracy.weights)).name
            parts.append(f"accuracy is of the weights {given}, which are not those named here")
    return "; ".join(filter(None, parts))


def tell_resampled(accuracy: Result | Published | None) -> str:
    """From which size to which the weights of an accuracy were resampled; empty where not."""
    if not isinstance(accuracy, Result) or "resampled" not in accuracy.details:
        return ""
    size = accuracy.details["resampled"]["image_size"]
    before = "another size" if size is None else f"{size} px"
    return (
        f"its weights are of images of {before}, and were resampled to {accuracy.image_size} px as "
        "timm does"
    )


def whole_peak(result: Result | None) -> str:
    """What a peak of memory holds besides that of a pass, in words; empty where nothing."""
    since = None if result is None else result.details.get("peak_since")
    return f"the peak since {since}, building the model included" if since else ""


def of_speed(result: Result | None) -> str:
    """How a model ran otherwise than its setting says, in words: partly eager although it is
    compiled, or in another precision; empty where it did not."""
    details = {} if result is None else result.details
    breaks = details.get("graph_breaks", 0)
    parts = [f"partly eager: {tally(breaks, 'graph break')} in what was compiled"] * bool(breaks)
    for name, share in details.get("precisions", {}).items():
        parts.append(f"computes {percent(share)} of its MACs in {name} by its own choice")
    return "; ".join(parts)


def conditions(figure: Published | None) -> Hidden:
    """Under which conditions a published figure was taken; nothing where that is not known."""
    if figure is None or not figure.conditions:
        return {}
    size = {} if figure.image_size is None else {"image size": f"{figure.image_size} px"}
    return size | {"conditions": figure.conditions}
