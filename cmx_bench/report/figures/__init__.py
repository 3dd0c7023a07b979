"""The figures of a report: which there are, in the order in which they stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice
from typing import TYPE_CHECKING, TypeAlias

from cmx_bench.metrics import METRICS
from cmx_bench.present.drawing import NothingToDrawError, Plot
from cmx_bench.report.figures import (
    confusion,
    cost,
    curves,
    figure_one,
    front,
    learning_curves,
    roofs,
    samples,
    standings,
    sweep_lines,
)
from cmx_bench.report.figures.cost import LATENCY, MACS, MEMORY, PARAMS, THROUGHPUT, TOP1, Quantity
from cmx_bench.report.figures.selection import Choices, each_setting, selections, whole_run
from cmx_bench.results.nouns import Report
from cmx_bench.units import first_few

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: what users call it, and the `plot` of each part of a run that it can `choose`; the
    measures without which it is not spoken of; the `function` that draws it for users, where that
    takes something else than samples, a setting and what `plot` takes."""

    name: str
    plot: Callable[..., Plot]
    measures: tuple[str, ...] = ()
    choose: Choices = each_setting
    function: Callable[..., Axes] | None = None


def _list_swept(choose: Choices, *quantities: Quantity) -> Iterator[Figure]:
    for quantity in quantities:
        measure = METRICS[quantity.metric].measure
        plot = partial(sweep_lines.plot, quantity)
        yield Figure("sweep", plot, (measure,), choose, sweep_lines.sweep)


FIGURES = (
    Figure("figure_one", figure_one.plot, choose=whole_run),
    Figure("standings", standings.plot, ("throughput",), standings.each_alike),
    Figure("front", front.plot, ("throughput",)),
    Figure("throughput", cost.throughput, ("throughput",)),
    Figure("throughput_by_macs", cost.throughput_by_macs, ("throughput", "macs")),
    Figure("roofline", roofs.roofline, ("roofline",)),
    Figure("work_shares", roofs.work_shares, ("roofline",)),
    Figure("memory", cost.memory, ("memory",)),
    Figure("samples", samples.plot, ("throughput",)),
    Figure("confusion", confusion.plot, ("predictions",), function=confusion.confusion),
    *_list_swept(curves.each_batch_sweep, THROUGHPUT, LATENCY, MEMORY),
    *_list_swept(curves.each_sweep, THROUGHPUT, LATENCY, MEMORY, TOP1),
    *_list_swept(curves.each_size_sweep, MACS),
    *_list_swept(curves.each_argument, PARAMS),
    Figure("learning_curves", learning_curves.plot, ("training",), whole_run),
)


@dataclass(frozen=True, slots=True)
class Plots:
    """The figures that can be drawn, and sentences on those that cannot, by the reason."""

    drawn: tuple[Plot, ...]
    omitted: tuple[str, ...]


# Nobody looks through more, and each takes a tenth of a second and a tenth of a megabyte.
_MOST = 80
_MOST_NAMED = 3
_MOST_LEFT_OUT = 12  # titles in a sentence
# Neighbours of `FIGURES` that choose alike, and the parts of a run that each of them shows.
_Group: TypeAlias = tuple[list[Figure], Mapping[str, Sequence[str]]]


def plots(report: Report) -> Plots:
    """The figures of a report, about `_MOST` at most: all of a setting stand together."""
    groups = list(_groups(report))
    most = _fitting(groups)
    families = {model.family for model in report.run.models}
    drawn, omitted = [], defaultdict[str, list[str]](list)
    for figures, parts in groups:
        for selection in selections(report, dict(islice(parts.items(), most))):
            for figure in figures:
                try:
                    drawn.append(replace(figure.plot(selection), families=families))
                except NothingToDrawError as nothing:
                    omitted[nothing.reason].append(nothing.title)
    sentences = [
        str(NothingToDrawError(first_few(titles, _MOST_LEFT_OUT), reason))
        for reason, titles in omitted.items()
    ]
    beyond = [key.rstrip(":") for _, parts in groups for key in list(parts)[most:]]
    if keys := list(dict.fromkeys(key.rpartition(":")[2] for key in beyond)):
        sentences.append(
            f"Figures of {first_few(keys, _MOST_NAMED)} are left out, because a page of more than "
            f"{_MOST} is too long: cmx_bench.plot draws them, the explorer shows their points"
        )
    return Plots(tuple(drawn), tuple(sentences))


def _groups(report: Report) -> Iterator[_Group]:
    measures = {*report.run.measures, *(("training",) if report.run.trains else ())}
    measures |= {"predictions"} if report.votes.classes else set()
    figures = [figure for figure in FIGURES if measures >= set(figure.measures)]
    for choose, neighbours in groupby(figures, lambda figure: figure.choose):
        yield list(neighbours), choose(report.samples)


def _fitting(groups: Sequence[_Group]) -> int:
    """Of how many parts each group is drawn: of so many that all figures are `_MOST`, or of one."""
    fits = (
        most
        for most in range(max((len(parts) for _, parts in groups), default=1), 1, -1)
        if sum(len(figures) * min(len(parts), most) for figures, parts in groups) <= _MOST
    )
    return next(fits, 1)
