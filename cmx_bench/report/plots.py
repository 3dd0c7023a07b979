"""What each figure shows, as plain data: points, captions, and which figures have no points."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cmx_bench import published, units
from cmx_bench.cell import Model, Setting
from cmx_bench.metrics import METRICS
from cmx_bench.published import Published
from cmx_bench.report.summary import Report, Result
from cmx_bench.report.table import plain

# Beyond so many rows a strip plot cannot be read, nor drawn quickly.
_MOST_STRIPS = 16
_LONGEST_LABEL = 28


@dataclass(frozen=True, slots=True)
class Point:
    """One model in a scatter plot, in the units of the axes; `published` points are hollow."""

    label: str
    family: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    published: bool = False


@dataclass(frozen=True, slots=True)
class Strip:
    """One model's samples relative to its median, in percent, one list a process."""

    label: str
    processes: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at `x` with a text: a solid line for a `change`, else a dotted one."""

    x: float
    text: str
    change: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """`limits` hold unless a point lies beyond them."""

    label: str
    limits: tuple[float, float] | None = None
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure before it is drawn: a scatter plot of `points`, or a strip plot of `strips`.

    `alt` says in words what can be seen; `lines` joins the points of a family. With `ticks`, which
    name the x values 0, 1, and so on, it is a timeline instead: `points` of one label are joined,
    and `marks` stand where something changed.
    """

    name: str
    title: str
    caption: str
    alt: str
    x: Axis
    y: Axis
    points: tuple[Point, ...] = ()
    strips: tuple[Strip, ...] = ()
    lines: bool = False
    ticks: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Plots:
    """The figures that can be drawn, and a sentence on each that cannot."""

    drawn: tuple[Plot, ...]
    omitted: tuple[str, ...]


_PARAMS = "Parameters (millions)"


def plots(report: Report) -> Plots:
    """Figure 1 of the paper, then for each setting throughput, memory and the samples."""
    every = [_accuracy(report), *_per_setting(report)]
    drawn = tuple(plot for plot in every if plot.points or plot.strips)
    omitted = tuple(
        f"{plot.title}: left out, for no model has the figures for it"
        for plot in every
        if not plot.points and not plot.strips
    )
    return Plots(drawn, omitted)


def _per_setting(report: Report) -> Iterator[Plot]:
    for setting in report.run.settings:
        if "throughput" in report.run.measures:
            yield _scatter(report, setting, "throughput", 1.0, "Throughput (images/s)")
        if "memory" in report.run.measures:
            yield _scatter(report, setting, "peak_memory", 2.0**20, "Peak memory (MiB)")
        if "throughput" in report.run.measures:
            yield _strips(report, setting, "throughput")


def _accuracy(report: Report) -> Plot:
    """The paper's Figure 1; of another data set than ImageNet only what was measured."""
    points = tuple(point for model in report.run.models for point in _accuracies(report, model))
    ours = [one for one in points if not one.published]
    if ours and not report.on_imagenet:
        evaluated = plain(str(report.run.accuracy.get("dataset", "an unknown data set")))
        return Plot(
            "figure1", "Figure 1 · Accuracy against parameters",
            f"Top-1 on {evaluated} against parameters, all measured in this run. Bars are Wilson's "
            "95 % intervals over the images.",
            _alt(f"{evaluated} top-1 in percent against millions of parameters", ours),
            Axis(_PARAMS), Axis(f"{evaluated} top-1 (%)"), tuple(ours), lines=True,
        )  # fmt: skip
    doubt = " † marks figures that nobody has checked against the paper's PDF; their grades stand "
    doubt += "under the published figures."
    caption = (
        "ImageNet top-1 against parameters, as in the paper's Figure 1. Filled markers are "
        "measured in this run; hollow ones are published: the paper's figure or, where the paper "
        "has none, timm's for the weights named."
    )
    marked = any(point.label.endswith("†") for point in points)
    return Plot(
        "figure1", "Figure 1 · Accuracy against parameters", caption + doubt * marked,
        _alt("ImageNet top-1 in percent against millions of parameters", points),
        Axis(_PARAMS, (0, 120)), Axis("ImageNet top-1 (%)", (72, 82)), points, lines=True,
    )  # fmt: skip


def _accuracies(report: Report, model: Model) -> Iterator[Point]:
    """A model's measured accuracy, its published one, or both."""
    params = _value(_any_setting(report, model, "params"))
    known = report.published[model.name]
    printed = known.paper.get("params")
    if params is None and printed is not None:
        params = printed.value
    if params is None:
        return
    found = _any_setting(report, model, "top1")
    if found is not None and found.estimate is not None:
        value, low, high = (
            None if one is None else 100 * one
            for one in (found.estimate.value, found.estimate.low, found.estimate.high)
        )
        assert value is not None
        yield Point(short_label(model.label), model.family, params / 1e6, value, low, high)
    figure = known.paper.get("top1") or known.timm.get("top1")
    if figure is not None and figure.value is not None and figure.dataset == "ImageNet-1k":
        label = short_label(model.label) + _tag(figure) + "†" * figure.doubtful
        yield Point(label, model.family, params / 1e6, 100 * figure.value, published=True)


def _tag(figure: Published) -> str:
    seen_more = ", extra data or teacher" if published.extra_training(figure.tag) else ""
    return f" (timm {figure.tag}{seen_more})" if figure.tag else ""


def _any_setting(report: Report, model: Model, metric: str) -> Result | None:
    found = (
        report.result(model, setting.key, setting.image_size, metric)
        for setting in report.run.settings
    )
    return next((one for one in found if one is not None and one.estimate is not None), None)


def _value(result: Result | None) -> float | None:
    return None if result is None or result.estimate is None else result.estimate.value


def _scatter(report: Report, setting: Setting, metric: str, unit: float, axis: str) -> Plot:
    points = tuple(_points(report, setting, metric, unit))
    title = f"{METRICS[metric].title} against parameters · {setting.name}"
    caption = f"{METRICS[metric].title} on {setting.key}. "
    if any(point.low is not None for point in points):
        caption += (
            "Bars are 95 % intervals over fresh processes; where none shows, it is narrower than "
            "the marker."
        )
    else:
        caption += "One process each: there is no interval."
    return Plot(
        f"{metric.replace('_', '-')}-{setting.key}", title, caption,
        _alt(f"{axis} against millions of parameters", points),
        Axis(_PARAMS), Axis(axis, logarithmic=True), points,
    )  # fmt: skip


def _points(report: Report, setting: Setting, metric: str, unit: float) -> Iterator[Point]:
    for model in report.run.models:
        params = _value(_any_setting(report, model, "params"))
        result = report.result(model, setting.key, setting.image_size, metric)
        estimate = None if result is None else result.estimate
        if params is None or estimate is None or estimate.value <= 0:
            continue
        edges = (estimate.low, estimate.high)
        low, high = (None if edge is None else edge / unit for edge in edges)
        yield Point(
            short_label(model.label), model.family, params / 1e6, estimate.value / unit, low, high
        )


def _strips(report: Report, setting: Setting, metric: str) -> Plot:
    results = [
        result
        for model in report.run.models
        if (result := report.result(model, setting.key, setting.image_size, metric)) is not None
        and result.processes
    ]
    strips = tuple(_strip(result) for result in results[:_MOST_STRIPS])
    caption = (
        f"Every counted sample of {METRICS[metric].title.lower()} on {setting.key}, relative to "
        "the median of its model. Each row of a model is one fresh process: where the rows stand "
        "apart, processes differ by more than the samples within them."
    )
    if len(results) > _MOST_STRIPS:
        caption += f" The first {_MOST_STRIPS} of {len(results)} models are shown."
    return Plot(
        f"samples-{metric}-{setting.key}", f"Samples of every process · {setting.name}", caption,
        f"Deviation of each sample from its model's median, for {len(strips)} models.",
        Axis("Deviation from the model's median (%)"), Axis(""), strips=strips,
    )  # fmt: skip


def _strip(result: Result) -> Strip:
    median = statistics.median(one for process in result.processes for one in process.samples)
    return Strip(
        short_label(result.model.label),
        tuple(
            tuple(100 * (sample / median - 1) if median else 0.0 for sample in process.samples)
            for process in result.processes
        ),
    )


def short_label(text: str) -> str:
    """`text` as a figure can carry it: on one line, without control characters, cut if long."""
    text = plain(text).replace("\n", " ")
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


_SPOKEN = 12


def _alt(what: str, points: Sequence[Point]) -> str:
    return f"{what}: {'; '.join(_spoken(points[:_SPOKEN]))}." if points else what


def _spoken(points: Iterable[Point]) -> Iterator[str]:
    for point in points:
        x, y = units.significant(point.x, 3), units.significant(point.y, 4)
        yield f"{point.label} {x}, {y}"
