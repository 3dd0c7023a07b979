"""The data of the page's explorer: a point for each model in each setting, with every metric."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from cmx_bench import units
from cmx_bench.cell import Model, Setting
from cmx_bench.present.drawing import theme
from cmx_bench.published import Published
from cmx_bench.report import entries
from cmx_bench.report.tables import caveats
from cmx_bench.results import swept_arguments
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result
from cmx_bench.units import plain

_DIGITS = 6  # of the numbers that place a point
# What the axes begin with, x before y, where the run has it.
_FIRST = ("throughput", "top1", "top1_paper", "top1_timm", "params", "macs")


_Place: TypeAlias = tuple[str, str]  # the name of a model and the key of a setting


# A value in base units, the ends of its interval if it has one, its text in tables, and whether it
# is disturbed.
_Shown: TypeAlias = tuple[float, float | None, float | None, str, bool]


class Axis(NamedTuple):
    """What can stand along an axis, what it means, and its `values` in its `unit`, the one that
    suits the middle one of them."""

    key: str
    title: str
    unit: str
    about: str
    published: bool
    values: Mapping[_Place, Sequence[float | str | bool | None]]


def block(report: Report, rows: Mapping[str, Sequence[str]]) -> str:
    """`points` as JSON for a page, a point a line; nothing where there is no point."""
    content = points(report, rows)
    if not content["points"]:
        return ""
    parts = []
    for name, values in content.items():
        lines = ",\n".join(json.dumps(value) for value in values)
        parts.append(f'"{name}": [\n{lines}\n]')
    # A label must not end the script that holds it.
    return f"{{{', '.join(parts)}}}".replace("<", "\\u003c")


def points(report: Report, rows: Mapping[str, Sequence[str]]) -> dict[str, list[object]]:
    """The axes to choose from and the two to begin with, the families and settings to filter by,
    and a point for each model and setting: its row in Table 1, and its values by axis.

    Args:
        rows: the ids of Table 1's rows by setting key, in the order of the run's models.
    """
    settings = [setting for setting in report.run.settings if setting.key in rows]
    axes = [axis for axis in _axes(report, settings) if axis.values]
    axes += _list_swept(report, {place for axis in axes for place in axis.values})
    keys = [axis.key for axis in axes]
    first: list[object] = [key for key in dict.fromkeys((*_FIRST, *keys)) if key in keys]
    placed = [
        (model, setting, row, values)
        for setting in settings
        for model, row in zip(report.run.models, rows[setting.key], strict=True)
        for place in [(model.name, setting.key)]
        if (values := {axis.key: axis.values[place] for axis in axes if place in axis.values})
    ]
    styles = theme.styles_of(model.family for model in report.run.models)
    shown = {model.family for model, *_ in placed}
    return {
        "axes": [dict(zip(Axis._fields[:-1], axis, strict=False)) for axis in axes],
        "begin": [*first, *first][:2],
        "families": [
            {"key": name, "label": style.label, "colour": theme.CSS_COLOURS[style.colour],
             "marker": style.marker}
            for name, style in styles.items()
            if name in shown
        ],
        "settings": [{"key": setting.key, "label": plain(setting.title)} for setting in settings],
        "points": [
            {"model": plain(model.name), "label": " ".join(plain(model.label).split()),
             "family": model.family, "setting": setting.key, "row": row, "values": values}
            for model, setting, row, values in placed
        ],
    }  # fmt: skip


def _axes(report: Report, settings: Sequence[Setting]) -> Iterator[Axis]:
    places = [(model, setting) for setting in settings for model in report.run.models]
    for metric in report.metrics():
        about = f"{metric.title}: {metric.definition}; {metric.direction}."
        measured = {
            (model.name, setting.key):
                (result.value, result.low, result.high,
                 _text(report, model, setting, result), result.disturbed)
            for model, setting in places
            if (result := report.result(model, setting, metric.name)) and result.value is not None
        }  # fmt: skip
        yield _axis(metric.name, metric.title, metric.unit, about, measured)
    for source, name in (("paper", "the paper"), ("timm", "timm")):
        title, known = f"Top-1, published by {name}", report.published
        figures = {model: getattr(known[model], source).get("top1") for model in known}
        data = ", ".join(sorted({figure.dataset for figure in figures.values() if figure}))
        about = f"{title}: on {data}, not measured here, marked as in Table 1; higher is better."
        printed = {
            (model.name, setting.key):
                (figure.value, None, None, _text(report, model, setting, figure), False)
            for model, setting in places
            if (figure := figures[model.name]) and figure.value is not None
        }  # fmt: skip
        yield _axis(f"top1_{source}", title, "fraction", about, printed, published=True)


def _text(report: Report, model: Model, setting: Setting, known: Result | Published) -> str:
    """How a value stands in tables, and what a reader must know of an accuracy."""
    if isinstance(known, Published):
        entry = entries.show_figure(known, known_tag=model.recipe or model.weights)
        entry = replace(entry, text=f"{entry.text} {known.printed_unit}")
    else:
        entry = entries.show(known)
    is_accuracy = isinstance(known, Published) or known.about.noise == "image"
    unlike = caveats.of_accuracy(report, model, setting, known) if is_accuracy else ""
    return "; ".join(filter(None, (entry.flat, unlike)))


def _axis(
    key: str,
    title: str,
    unit: str,
    about: str,
    shown: Mapping[_Place, _Shown],
    published: bool = False,
    factor: float | None = None,
) -> Axis:
    """In multiples of `factor` base units, to six significant digits; what is not disturbed says
    nothing of that."""
    if factor is None:
        middle = statistics.median_low([value for value, *_ in shown.values()] or [0.0])
        factor, unit = units.step(middle, unit)
    values = {}
    for place, (*numbers, text, disturbed) in shown.items():
        scaled = (n if n is None else units.round_to(n / factor, _DIGITS) for n in numbers)
        values[place] = (*scaled, text, *[True] * disturbed)
    return Axis(key, title, unit, about, published, values)


def _list_swept(report: Report, places: Collection[_Place]) -> Iterator[Axis]:
    """The numbers over which models were swept, at the places that have other values."""
    swept = swept_arguments.find(report.run.models)
    models = [model.name for model in report.run.models]
    for column in swept.select_dtypes("number"):
        name = str(column).removeprefix(swept_arguments.PREFIX)
        numbers = dict(zip(models, swept[column], strict=True))
        shown: dict[_Place, _Shown] = {
            place: (number, None, None, f"{number:,.10g}", False)
            for place in places
            if not math.isnan(number := numbers[place[0]])
        }
        about = f"{name}: an argument of the models, in which they differ."
        yield _axis(str(column), name.replace("_", " ").capitalize(), "", about, shown, factor=1.0)
