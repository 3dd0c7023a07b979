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
from cmx_bench.metrics import Metric
from cmx_bench.present.drawing import theme
from cmx_bench.published import Published
from cmx_bench.report import entries
from cmx_bench.report.tables import caveats
from cmx_bench.results import swept_arguments
from cmx_bench.results.nouns import Report
from cmx_bench.units import plain

_DIGITS = 6  # of the numbers that place a point
# What the axes begin with, x before y, where the run has it.
_FIRST = ("throughput", "top1", "top1_paper", "top1_timm", "params", "macs")


_Place: TypeAlias = tuple[str, str]  # the name of a model and the key of a setting


class Shown(NamedTuple):
    """A value in base units, the ends of its interval if it has one, its text in tables, and
    whether it is disturbed."""

    value: float
    low: float | None
    high: float | None
    text: str
    disturbed: bool = False

    def over(self, factor: float) -> tuple[float | str | bool | None, ...]:
        """The same in a unit of `factor` base units, rounded to six significant digits; what is not
        disturbed says nothing of that."""
        scaled = (
            None if number is None else units.round_to(number / factor, _DIGITS)
            for number in self[:3]
        )
        return (*scaled, self.text, *[True] * self.disturbed)


class Axis(NamedTuple):
    """What can stand along an axis, what it means, and its `values` in its `unit`, the one that
    suits the middle one of them."""

    key: str
    title: str
    unit: str
    about: str
    published: bool
    values: Mapping[_Place, object]


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
    places = {(model.name, setting.key): (model, setting)
              for setting in settings for model in report.run.models}  # fmt: skip
    for metric in report.metrics():
        about = f"{metric.title}: {metric.definition}; {metric.direction}."
        measured = {place: _find_measured(report, *pair, metric) for place, pair in places.items()}
        yield _axis(metric.name, metric.title, metric.unit, about, measured)
    for source, name in (("paper", "the paper"), ("timm", "timm")):
        title = f"Top-1, published by {name}"
        figures = {
            name: getattr(known, source).get("top1") for name, known in report.published.items()
        }
        data = ", ".join(sorted({figure.dataset for figure in figures.values() if figure}))
        about = f"{title}: on {data}, not measured here, marked as in Table 1; higher is better."
        printed = {
            place: _find_printed(report, *pair, figures[place[0]]) for place, pair in places.items()
        }
        yield _axis(f"top1_{source}", title, "fraction", about, printed, published=True)


def _list_swept(report: Report, places: Collection[_Place]) -> Iterator[Axis]:
    """The numbers over which models were swept, at the places that have other values."""
    swept = swept_arguments.find(report.run.models)
    models = [model.name for model in report.run.models]
    for column in swept.select_dtypes("number"):
        name = str(column).removeprefix(swept_arguments.PREFIX)
        numbers = dict(zip(models, swept[column], strict=True))
        values = {
            place: Shown(number, None, None, f"{number:,.10g}").over(1.0)
            for place in places
            if not math.isnan(number := numbers[place[0]])
        }
        about = f"{name}: an argument of the models, in which they differ."
        title = name.replace("_", " ").capitalize()
        yield Axis(str(column), title, "", about, published=False, values=values)


def _axis(
    key: str,
    title: str,
    unit: str,
    about: str,
    shown: Mapping[_Place, Shown | None],
    published: bool = False,
) -> Axis:
    known = {place: value for place, value in shown.items() if value is not None}
    middle = statistics.median_low([value.value for value in known.values()] or [0.0])
    factor, suiting = units.step(middle, unit)
    values = {place: value.over(factor) for place, value in known.items()}
    return Axis(key, title, suiting, about, published, values)


def _find_measured(report: Report, model: Model, setting: Setting, metric: Metric) -> Shown | None:
    """A measured value: nothing else here knows how a report keeps its results."""
    result = report.result(model, setting, metric.name)
    if result is None or result.value is None:
        return None
    is_accuracy = metric.noise == "image"
    unlike = caveats.of_accuracy(report, model, setting, result) if is_accuracy else ""
    text = "; ".join(filter(None, (entries.show(result).flat, unlike)))
    return Shown(result.value, result.low, result.high, text, result.disturbed)


def _find_printed(
    report: Report, model: Model, setting: Setting, figure: Published | None
) -> Shown | None:
    if figure is None or figure.value is None:
        return None
    entry = entries.show_figure(figure, known_tag=model.recipe or model.weights)
    percent = replace(entry, text=f"{entry.text} {figure.printed_unit}")
    unlike = caveats.of_accuracy(report, model, setting, figure)
    return Shown(figure.value, None, None, "; ".join(filter(None, (percent.flat, unlike))))
