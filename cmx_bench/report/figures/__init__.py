"""The figures of a report: which there are, in the order in which they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from cmx_bench.metrics import METRICS
from cmx_bench.present.drawing import NothingToDrawError, Plot
from cmx_bench.report.figures import (
    batch_sizes,
    confusion,
    cost,
    figure_one,
    front,
    learning_curves,
    roofs,
    samples,
    shares,
    sweep_lines,
)
from cmx_bench.report.figures.cost import LATENCY, MACS, MEMORY, PARAMS, THROUGHPUT, TOP1, Quantity
from cmx_bench.report.figures.curves import (
    each_argument,
    each_batch_curve,
    each_batch_sweep,
    each_size_sweep,
    each_sweep,
)
from cmx_bench.report.figures.selection import (
    Choices,
    Selection,
    each_setting,
    selections,
    whole_run,
)
from cmx_bench.results.nouns import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: the function that draws it from samples, for users; what the report shows of each
    part of a run that it can `choose`; the measures without which it is not spoken of."""

    function: Callable[..., Axes]
    plot: Callable[[Selection], Plot]
    measures: tuple[str, ...] = ()
    choose: Choices = each_setting


def _swept(choose: Choices, *quantities: Quantity) -> Iterator[Figure]:
    for quantity in quantities:
        measure = METRICS[quantity.metric].measure
        yield Figure(sweep_lines.sweep, partial(sweep_lines.plot, quantity), (measure,), choose)


FIGURES = (
    Figure(figure_one.figure_one, figure_one.plot, choose=whole_run),
    Figure(front.front, front.plot, ("throughput",)),
    Figure(cost.throughput, cost.throughput_plot, ("throughput",)),
    Figure(cost.throughput_by_macs, cost.throughput_by_macs_plot, ("throughput", "macs")),
    Figure(roofs.roofline, roofs.plot, ("roofline",)),
    Figure(shares.work_shares, shares.plot, ("roofline",)),
    Figure(cost.memory, cost.memory_plot, ("memory",)),
    Figure(samples.samples, samples.plot, ("throughput",)),
    Figure(confusion.confusion, confusion.plot, ("predictions",)),
    Figure(batch_sizes.batch_sizes, batch_sizes.plot, ("throughput",), each_batch_curve),
    *_swept(each_batch_sweep, LATENCY, MEMORY),
    *_swept(each_sweep, THROUGHPUT, LATENCY, MEMORY, TOP1),
    *_swept(each_size_sweep, MACS),
    *_swept(each_argument, PARAMS),
    Figure(learning_curves.learning_curves, learning_curves.plot, ("training",), whole_run),
)


@dataclass(frozen=True, slots=True)
class Plots:
    """The figures that can be drawn, and a sentence on each that cannot."""

    drawn: tuple[Plot, ...]
    omitted: tuple[str, ...]


def plots(report: Report) -> Plots:
    """The figures of a report: all of a setting stand together."""
    drawn, omitted = [], []
    for figure, selection in _shown(report):
        try:
            drawn.append(figure.plot(selection))
        except NothingToDrawError as nothing:
            omitted.append(str(nothing))
    return Plots(tuple(drawn), tuple(omitted))


def _shown(report: Report) -> Iterator[tuple[Figure, Selection]]:
    measures = {*report.run.measures, *(("training",) if report.run.trains else ())}
    measures |= {"predictions"} if report.votes.classes else set()
    figures = [figure for figure in FIGURES if measures >= set(figure.measures)]
    for choose, neighbours in groupby(figures, lambda figure: figure.choose):
        together = list(neighbours)
        for selection in selections(report, choose):
            yield from ((figure, selection) for figure in together)
