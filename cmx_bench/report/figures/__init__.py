"""What each figure shows, as plain data: which figures there are, and in which order they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cmx_bench.present.plot import Plot
from cmx_bench.report.figures import batch_sizes, cost, curves, figure_one, front, roofs, samples
from cmx_bench.results.nouns import Report


@dataclass(frozen=True, slots=True)
class Plots:
    """The figures that can be drawn, and a sentence on each that cannot."""

    drawn: tuple[Plot, ...]
    omitted: tuple[str, ...]


def plots(report: Report) -> Plots:
    """Figure 1 of the paper, what each setting gave, what batch sizes did, how models learned."""
    every = [figure_one.plot(report), *_per_setting(report), *batch_sizes.plots(report)]
    if report.run.trains:
        every.append(curves.plot(report))
    drawn = tuple(plot for plot in every if not plot.shape.empty)
    omitted = tuple(
        f"{plot.title}: left out, for no model has the figures for it"
        for plot in every
        if plot.shape.empty
    )
    return Plots(drawn, omitted)


def _per_setting(report: Report) -> Iterator[Plot]:
    measures = report.run.measures
    for setting in report.run.settings:
        if "throughput" in measures:
            yield front.plot(report, setting)
            yield cost.plot(report, setting, cost.THROUGHPUT, cost.PARAMS)
        if {"throughput", "macs"} <= set(measures):
            yield cost.plot(report, setting, cost.THROUGHPUT, cost.MACS)
        if "roofline" in measures:
            yield roofs.roofline(report, setting)
            yield roofs.shares(report, setting)
        if "memory" in measures:
            yield cost.plot(report, setting, cost.MEMORY, cost.PARAMS)
        if "throughput" in measures:
            yield samples.plot(report, setting, "throughput")
