"""The data of the page's explorer: a point for each model in each setting, with every metric."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

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
    """What can stand along an axis, and what it means. `unit` is the unit that suits the middle one
    of the values, `factor` its size in base units; `values` stand by model and setting key."""

    key: str
    title: str
    unit: str
    about: str
    published: bool
    factor: float
    values: Mapping[tuple[str, str], Shown]


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
        if (values := _values(axes, model, setting))
    ]
    return {
        "axes": [dict(zip(Axis._fields[:5], axis, strict=False)) for axis in axes],
        "begin": [*first, *first][:2],
        "families": _families(report, {model.family for model, *_ in placed}),
        "settings": [{"key": setting.key, "label": plain(setting.title)} for setting in settings],
        "points": [
            {"model": plain(model.name), "label": " ".join(plain(model.label).split()),
             "family": model.family, "setting": setting.key, "row": row, "values": values}
            for model, setting, row, values in placed
        ],
    }  # fmt: skip


def _values(axes: Sequence[Axis], model: Model, setting: Setting) -> dict[str, object]:
    place = (model.name, setting.key)
    return {axis.key: axis.values[place].over(axis.factor) for axis in axes if place in axis.values}


def _axes(report: Report, settings: Sequence[Setting]) -> Iterator[Axis]:
    places = [(model, setting) for setting in settings for model in report.run.models]
    for metric in report.metrics():
        about = f"{metric.title}: {metric.definition}; {metric.direction}."
        measured = [_find_measured(report, *place, metric) for place in places]
        yield _axis(metric.name, metric.title, about, metric.unit, places, measured)
    for source, name in (("paper", "the paper"), ("timm", "timm")):
        title = f"Top-1, published by {name}"
        figures = {
            name: getattr(known, source).get("top1") for name, known in report.published.items()
        }
        data = ", ".join(sorted({figure.dataset for figure in figures.values() if figure}))
        about = f"{title}: on {data}, not measured here, marked as in Table 1; higher is better."
        printed = [_find_printed(report, *place, figures[place[0].name]) for place in places]
        yield _axis(f"top1_{source}", title, about, "fraction", places, printed, published=True)


def _list_swept(report: Report, places: Collection[tuple[str, str]]) -> Iterator[Axis]:
    """The numbers over which models were swept, at the places that have other values."""
    swept = swept_arguments.find(report.run.models)
    models = [model.name for model in report.run.models]
    for column in swept.select_dtypes("number"):
        name = str(column).removeprefix(swept_arguments.PREFIX)
        numbers = dict(zip(models, swept[column], strict=True))
        values = {
            (model, setting): Shown(numbers[model], None, None, f"{numbers[model]:,.10g}")
            for model, setting in places
            if not math.isnan(numbers[model])
        }
        about = f"{name}: an argument of the models, in which they differ."
        title = name.replace("_", " ").capitalize()
        yield Axis(str(column), title, "", about, published=False, factor=1.0, values=values)


def _axis(
    key: str,
    title: str,
    about: str,
    unit: str,
    places: Sequence[tuple[Model, Setting]],
    shown_there: Sequence[Shown | None],
    published: bool = False,
) -> Axis:
    values = {
        (model.name, setting.key): shown
        for (model, setting), shown in zip(places, shown_there, strict=True)
        if shown is not None
    }
    middle = statistics.median_low([shown.value for shown in values.values()] or [0.0])
    factor, shown_unit = units.step(middle, unit)
    return Axis(key, title, shown_unit, about, published, factor, values)


def _find_measured(report: Report, model: Model, setting: Setting, metric: Metric) -> Shown | None:
    """A measured value: nothing else here knows how a report keeps its results."""
    result = report.result(model, setting, metric.name)
    if result is None or result.estimate is None:
        return None
    estimate = result.estimate
    if not math.isfinite(estimate.value):  # which no axis can show, nor JSON hold
        return None
    low, high = (
        end if end is not None and math.isfinite(end) else None
        for end in (estimate.low, estimate.high)
    )
    is_accuracy = metric.noise == "image"
    unlike = caveats.of_accuracy(report, model, setting, result) if is_accuracy else ""
    text = "; ".join(filter(None, (entries.show(result).flat, unlike)))
    return Shown(estimate.value, low, high, text, result.disturbed)


def _find_printed(
    report: Report, model: Model, setting: Setting, figure: Published | None
) -> Shown | None:
    if figure is None or figure.value is None:
        return None
    entry = entries.show_figure(figure, known_tag=model.recipe or model.weights)
    percent = replace(entry, text=f"{entry.text} {figure.printed_unit}")
    unlike = caveats.of_accuracy(report, model, setting, figure)
    return Shown(figure.value, None, None, "; ".join(filter(None, (percent.flat, unlike))))


def _families(report: Report, shown: Collection[str]) -> list[object]:
    return [
        {"key": name, "label": style.label, "colour": theme.CSS_COLOURS[style.colour],
         "marker": style.marker}
        for name, style in theme.styles_of(model.family for model in report.run.models).items()
        if name in shown
    ]  # fmt: skip
