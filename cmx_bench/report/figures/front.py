"""Accuracy against throughput with the Pareto front and each model's probability of being on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cmx_bench.cell import Model, Setting
from cmx_bench.present.plot import Axis, Curve, Plot, Point, Scatter, short_label, spoken
from cmx_bench.report.figures import pareto
from cmx_bench.report.figures.cost import THROUGHPUT, left_out
from cmx_bench.report.figures.figure_one import DOUBT, published_top1
from cmx_bench.results import stats
from cmx_bench.results.nouns import Report
from cmx_bench.results.stats import Estimate
from cmx_bench.results.summary import Result
from cmx_bench.units import plain

_VALIDATION_IMAGES = 50_000  # of ImageNet, on which the published figures were counted


@dataclass(frozen=True, slots=True)
class _Contender:
    """A model of which both throughput and top-1 are known."""

    model: Model
    label: str
    speed: Result
    top1: Estimate


def plot(report: Report, setting: Setting) -> Plot:
    """Top-1 as measured in this setting or, where no model's was, as published."""
    measured = any(report.estimate(model, setting, "top1") for model in report.run.models)
    contenders = [
        one
        for model in report.run.models
        if (one := _contender(report, setting, model, measured)) is not None
    ]
    chances = _chances(report, setting, contenders, measured)
    points = tuple(_point(*one, measured) for one in zip(contenders, chances, strict=True))
    data = plain(str(report.run.accuracy.get("dataset"))) if measured else "ImageNet"
    axis = Axis(f"{data} top-1 (%)", limits=_limits(points))
    return Plot(
        f"front-{setting.key}", f"Accuracy against throughput · {setting.name}",
        _caption(report, setting, contenders, measured, sure=bool(chances) and None not in chances),
        spoken("Images a second and top-1 in percent, with the probability that a model is on the "
               "Pareto front", points),
        Scatter(THROUGHPUT.axis, axis, points, _front(points)),
    )  # fmt: skip


def _contender(report: Report, setting: Setting, model: Model, measured: bool) -> _Contender | None:
    speed = report.result(model, setting.key, setting.image_size, "throughput")
    if speed is None or speed.estimate is None or speed.estimate.value <= 0:
        return None
    if measured:
        top1 = report.estimate(model, setting, "top1")
        label = short_label(model.label)
        return None if top1 is None else _Contender(model, label, speed, top1)
    figure = published_top1(report, model)
    if figure is None or figure.value is None:
        return None
    top1 = stats.proportion(round(figure.value * _VALIDATION_IMAGES), _VALIDATION_IMAGES)
    return _Contender(model, short_label(model.label) + "†" * figure.doubtful, speed, top1)


def _chances(
    report: Report, setting: Setting, contenders: Sequence[_Contender], measured: bool
) -> list[float | None]:
    """The probabilities; none where a model has one process only, or one that stood still."""
    processes = [list(contender.speed.medians.values()) for contender in contenders]
    if not processes or min(map(len, processes)) < 2 or min(map(min, processes)) <= 0:
        return [None] * len(contenders)
    top1 = [one.top1.value for one in contenders]
    covariance = _covariance(report, setting, contenders) if measured else None
    if covariance is None:
        covariance = pareto.other_images(top1, [one.top1.n for one in contenders])
    return list(pareto.probabilities(processes, top1, covariance))


def _covariance(
    report: Report, setting: Setting, contenders: Sequence[_Contender]
) -> NDArray[np.float64] | None:
    """That over the images that count for all, or of the intervals over several seeds; None where
    predictions are not at hand."""
    voters = [(one.model.name, setting.key) for one in contenders]
    if report.over_seeds:
        halves = [one.top1.half_width or 0.0 for one in contenders]
        return np.diag(np.square(halves) / stats.normal(0.975) ** 2)
    if not set(voters) <= report.votes.right.keys():
        return None
    both = np.logical_and.reduce([report.votes.counted[one] for one in voters])
    return pareto.same_images([report.votes.right[one][both] for one in voters])


def _point(contender: _Contender, chance: float | None, measured: bool) -> Point:
    speed, top1 = contender.speed.estimate, contender.top1
    assert speed is not None
    low, high = (None if edge is None else 100 * edge for edge in (top1.low, top1.high))
    label = contender.label if chance is None else f"{contender.label} · {_percent(chance)}"
    return Point(
        label, contender.model.family, speed.value, 100 * top1.value, low, high,
        speed.low, speed.high, published=not measured,
    )  # fmt: skip


def _percent(chance: float) -> str:
    """Whole percent: the draws support no more."""
    if 0.995 <= chance < 1:
        return "> 99 %"
    return "< 1 %" if 0 < chance < 0.005 else f"{round(100 * chance)} %"


def _limits(points: Sequence[Point]) -> tuple[float, float] | None:
    """Accuracies lie close together, far from zero."""
    edges = [edge for one in points for edge in (one.low, one.high) if edge is not None]
    if not edges:
        return None
    room = 0.06 * (max(edges) - min(edges))
    return min(edges) - room, max(edges) + room


def _front(points: Sequence[Point]) -> tuple[Curve, ...]:
    """Steps between the models on the front: what is left of them and below is beaten."""
    speeds, top1 = (np.array([getattr(one, axis) for one in points]) for axis in ("x", "y"))
    found = pareto.on_front(speeds, top1)
    best = sorted((one.x, one.y) for one, first in zip(points, found, strict=True) if first)
    if len(best) < 2:
        return ()
    steps = [spot for (x, y), (_, below) in pairwise(best) for spot in ((x, y), (x, below))]
    return (Curve("Pareto front", (*steps, best[-1])),)


def _caption(
    report: Report, setting: Setting, contenders: Sequence[_Contender], measured: bool, sure: bool
) -> str:
    source = "measured in this run" if measured else "published, as in Figure 1"
    sentences = [
        f"Top-1, {source}, against throughput on {setting.key}. Bars are 95 % intervals over fresh "
        f"processes and over {'seeds and ' * report.over_seeds}the images. The line is the Pareto "
        "front: no model is both faster and more accurate than one on it.",
        _sure(len(contenders)) if sure else _UNSURE,
    ]
    if any(one.label.endswith("†") for one in contenders):
        sentences.append(DOUBT)
    there = [one.model.name for one in contenders]
    return " ".join([*sentences, *left_out(report.run.models, there, "throughput or top-1")])


_UNSURE = "Probabilities of being on it need two processes of every model."


def _sure(models: int) -> str:
    return (
        "The percentage is the probability of being on it, given what the intervals leave open: "
        f"{pareto.draws(models):,} draws from Student's t over the processes and from the images."
    )
