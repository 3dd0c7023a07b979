"""Throughput against the batch size, with the knee: from where larger batches gain little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cmx_bench import units
from cmx_bench.cell import Model, Setting
from cmx_bench.present.plot import Axis, Plot, Point, Scatter, short_label
from cmx_bench.report.figures.cost import THROUGHPUT, bars, left_out
from cmx_bench.results.nouns import Report

FEWEST = 3  # sizes that make a curve
KNEE = 0.95  # of the highest throughput


def plots(report: Report) -> Iterator[Plot]:
    """A figure for each group of settings that differ in nothing but the batch size."""
    groups: dict[Setting, list[Setting]] = {}
    for setting in report.run.settings:
        groups.setdefault(replace(setting, name="", batch_size=0), []).append(setting)
    for settings in groups.values():
        if len(settings) >= FEWEST and "throughput" in report.run.measures:
            yield _plot(report, sorted(settings, key=lambda one: one.batch_size))


def _plot(report: Report, settings: Sequence[Setting]) -> Plot:
    curves = {model.name: _curve(report, model, settings) for model in report.run.models}
    sizes = tuple(setting.batch_size for setting in settings)
    shared = settings[0].key.replace(f"-b{settings[0].batch_size}-", "-")
    points = tuple(point for curve in curves.values() for point in curve)
    there = [name for name, curve in curves.items() if curve]
    sentences = [
        f"Throughput on {shared} by batch size. A ring marks the knee: the smallest batch that "
        f"reaches {units.percent(KNEE)} of the model's highest throughput; where none is ringed, "
        f"the largest batch is the first to do so. {bars(points)}",
        *left_out(report.run.models, there, f"throughput at {FEWEST} batch sizes"),
    ]
    return Plot(
        f"batches-{shared}", "Throughput against batch size", " ".join(sentences),
        _alt([curve for curve in curves.values() if curve]),
        Scatter(Axis("Batch size", logarithmic=True, ticks=sizes), THROUGHPUT.axis, points),
    )  # fmt: skip


def _curve(report: Report, model: Model, settings: Sequence[Setting]) -> list[Point]:
    """A point for each size that the model was measured at; the last one carries the label."""
    measured = [
        (setting.batch_size, estimate)
        for setting in settings
        if (estimate := report.estimate(model, setting, "throughput")) is not None
    ]
    if len(measured) < FEWEST:
        return []
    turn = knee([(size, estimate.value) for size, estimate in measured])
    largest = measured[-1][0]
    return [
        Point(
            short_label(model.label) if size == largest else "", model.family, size,
            estimate.value, estimate.low, estimate.high, line=model.name, ring=size == turn,
        )
        for size, estimate in measured
    ]  # fmt: skip


def knee(rates: Sequence[tuple[int, float]]) -> int | None:
    """The smallest batch size that reaches `KNEE` of the highest throughput.

    None where that is the largest: larger ones may gain as much again.

    Args:
        rates: batch sizes, ascending, with their throughputs.
    """
    enough = KNEE * max(rate for _, rate in rates)
    first = next(size for size, rate in rates if rate >= enough)
    return None if first == rates[-1][0] else first


def _alt(curves: Sequence[Sequence[Point]]) -> str:
    return f"Throughput by batch size: {'; '.join(map(_spoken, curves))}."


def _spoken(curve: Sequence[Point]) -> str:
    turn = next((f"{point.x:g}" for point in curve if point.ring), "not reached")
    best = units.significant(max(point.y for point in curve))
    return f"{curve[-1].label} up to {best} images/s, knee {turn}"
