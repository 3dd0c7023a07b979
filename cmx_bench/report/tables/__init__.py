"""The report's tables, once: which there are, and in which order they stand."""

from __future__ import annotations

from cmx_bench.metrics import Metric
from cmx_bench.present.content import Column, Table
from cmx_bench.report import entries
from cmx_bench.report.tables import (
    best,
    by_class,
    caveats,
    deviations,
    fairness,
    fidelity,
    judgements,
    kinds,
    provenance,
    rankings,
    table_one,
    trained,
)
from cmx_bench.results.nouns import Report


def tables(report: Report) -> list[Table]:
    """Every table that has something to say, the paper's Table 1 first."""
    every = [
        *table_one.tables(report),
        judgements.table(report),
        *fairness.tables(report),
        deviations.table(report),
        fidelity.table(report),
        fidelity.order(report),
        *rankings.tables(report),
        *(table for setting in report.run.settings for table in by_class.tables(report, setting)),
        provenance.list_matched(report),
        trained.table(report),
        *(kinds.table(report, setting) for setting in report.run.settings),
        *(entries.on(hardware, metrics(report, hardware)) for hardware in report.run.kinds),
        provenance.failures(report),
        provenance.left_out(report),
        provenance.gaps(report),
        provenance.samples(report),
        provenance.cite_figures(report),
        provenance.origins(report),
        provenance.words(report),
        provenance.environments(report),
    ]
    return [table for table in every if table.rows]


def metrics(report: Report, hardware: str = "") -> Table:
    """Every metric that the run has on one kind of device, whatever measure it comes from."""
    metrics = report.metrics()
    settings = [each for each in report.run.settings if metrics and each.hardware == hardware]
    places = [(model, setting) for setting in settings for model in report.run.models]
    columns = (
        Column("network", "Network"),
        Column("setting", "Setting"),
        *(Column(metric.name, metric.title, "right", explain(metric)) for metric in metrics),
    )
    values = [
        [entry for setting in settings for entry in best.column(report, setting, metric.name)]
        for metric in metrics
    ]
    rows = [(*place, *row) for place, *row in zip(places, *values, strict=True)]
    remarks = [
        *best.remarks(rows),
        *(f"{metric.title}: {explain(metric)}." for metric in metrics),
    ]
    table = entries.table("metrics", "All metrics", columns, rows, remarks, naming=2)
    accuracies = {
        metric.name: [report.result(*place, metric.name) for place in places]
        for metric in metrics
        if metric.noise == "image"
    }
    prepared = {name: map(caveats.preprocessing, column) for name, column in accuracies.items()}
    table = caveats.tell_apart(caveats.by_setting(report, table), "evaluated", prepared)
    return caveats.letter(table, {
        name: [caveats.of_accuracy(report, *place, each)
               for place, each in zip(places, column, strict=True)]
        for name, column in accuracies.items()
    })  # fmt: skip


def explain(metric: Metric) -> str:
    """What a metric is, its noise and its better direction."""
    return f"{metric.definition}; {metric.kind}, {metric.direction}"
