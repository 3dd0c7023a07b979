"""Footnotes where rows differ in something that their columns do not show.

Every readable format has them, and so have the tables as CSV, in their last column. results.csv
needs none: the `setting` of a published figure holds its conditions, and what was measured has its
setting's key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from string import ascii_lowercase
from typing import Any, TypeAlias

from cmx_bench.cell import Setting
from cmx_bench.present.content import Entry, Note, Table
from cmx_bench.published import Published
from cmx_bench.results.environment import COMPARABLE
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result
from cmx_bench.units import plain

# What an entry rests on and does not show, in words, by aspect; empty where nothing is known.
Hidden: TypeAlias = Mapping[str, str]


def told_apart(table: Table, verb: str, hidden: Mapping[str, Sequence[Hidden]]) -> Table:
    """`table` with a letter wherever entries of a column rest on different things.

    Letters go on after those that the table has.

    Args:
        verb: how the notes begin, "evaluated" or "measured".
        hidden: what each row's entry rests on, by the column's key.
    """
    texts = {key: list(_differences(rows)) for key, rows in hidden.items()}
    said = dict.fromkeys(text for column in texts.values() for text in column if text)
    first = sum(note.mark.isalpha() for note in table.notes)
    notes = {
        text: Note(_letter(place), plain(f"{verb} with {text}"))
        for place, text in enumerate(said, first)
    }
    places = {column.key: place for place, column in enumerate(table.columns)}
    rows = [list(row) for row in table.rows]
    for key, column in texts.items():
        for row, text in zip(rows, column, strict=True):
            if text:
                row[places[key]] = _noted(row[places[key]], notes[text])
    return replace(table, rows=tuple(map(tuple, rows)))


def by_setting(report: Report, table: Table) -> Table:
    """`table` with a letter on each entry of its column "setting" where the settings differ in what
    the entries do not say."""
    settings = {one.name: one for one in report.run.settings}
    place = [column.key for column in table.columns].index("setting")
    shown = [row[place] for row in table.rows]
    hidden = [_unsaid(report, settings.get(entry.text), entry) for entry in shown]
    return told_apart(table, "measured", {"setting": hidden})


def by_preprocessing(table: Table, columns: Mapping[str, Sequence[Result | None]]) -> Table:
    """`table` with a letter where measured accuracies are of images prepared in different ways.

    Args:
        columns: each row's result, by the column's key.
    """
    hidden = {
        key: [{} if one is None else preprocessing(one.details) for one in results]
        for key, results in columns.items()
    }
    return told_apart(table, "evaluated", hidden)


def by_conditions(table: Table, columns: Mapping[str, Sequence[Published | None]]) -> Table:
    """`table` with a letter where published accuracies were taken under different conditions.

    Args:
        columns: each row's figure, by the column's key.
    """
    hidden = {key: list(map(_conditions, figures)) for key, figures in columns.items()}
    return told_apart(table, "evaluated", hidden)


def _differences(rows: Sequence[Hidden]) -> Iterator[str]:
    """Each row's words for the aspects in which the rows differ."""
    known = [row for row in rows if row]
    aspects = dict.fromkeys(aspect for row in known for aspect in row)
    differing = [one for one in aspects if len({row.get(one) for row in known}) > 1]
    for row in rows:
        yield ", ".join(row[one] for one in differing if one in row)


def _noted(entry: Entry, note: Note) -> Entry:
    return replace(entry, notes=(note, *entry.notes))


def _letter(place: int) -> str:
    """a to z, then aa to zz."""
    before, letter = divmod(place, len(ascii_lowercase))
    return (_letter(before - 1) if before else "") + ascii_lowercase[letter]


# --- what entries rest on -------------------------------------------------------------------------


def preprocessing(details: Mapping[str, Any]) -> Hidden:
    """How the images of an evaluation were prepared; nothing where its record does not say."""
    if "preprocessing" not in details:
        return {}
    found = details["preprocessing"]
    geometry = found["geometry"]
    return {
        "image size": f"{geometry['image_size']} px",
        "crop": f"crop {geometry['crop_pct']:g} {geometry['crop_mode']}",
        "interpolation": geometry["interpolation"],
        "mean": "mean " + "/".join(f"{one:g}" for one in found["mean"]),
    }


def _conditions(figure: Published | None) -> Hidden:
    if figure is None or not figure.conditions:
        return {}
    size = {} if figure.image_size is None else {"image size": f"{figure.image_size} px"}
    return size | {"conditions": figure.conditions}


def _unsaid(report: Report, setting: Setting | None, entry: Entry) -> Hidden:
    """What an entry with a setting's name, and its key where that stands below, does not say of how
    it was measured: TF32, fused attention, versions."""
    if setting is None:
        return {}
    found = report.run.environments.get(report.environments.get(setting.key, ""), {})
    key = {} if entry.detail else {"key": setting.key}
    return key | {name: f"{name} {found[name]}" for name in COMPARABLE if name in found}
