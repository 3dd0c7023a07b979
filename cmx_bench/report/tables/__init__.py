"""The report's tables, once: which there are, and in which order they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cmx_bench.cell import Setting
from cmx_bench.metrics import Metric
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.report.tables import (
    absences,
    best,
    caveats,
    fairness,
    fidelity,
    judgements,
    kinds,
    matched,
    provenance,
    rankings,
    table_one,
    trained,
)
from cmx_bench.results.nouns import Report


def tables(report: Report) -> list[Table]:
    """Every table that has something to say, the paper's Table 1 first."""
    made = [
        *table_one.tables(report),
        judgements.table(report),
        *fairness.tables(report),
        fidelity.table(report),
        fidelity.order(report),
        *rankings.tables(report),
        matched.table(report),
        trained.table(report),
        *(kinds.table(report, setting) for setting in report.run.settings),
        metrics(report),
        absences.failures(report),
        absences.left_out(report),
        absences.gaps(report),
        provenance.samples(report),
        provenance.figures_cited(report),
        provenance.environments(report),
    ]
    return [table for table in made if table.rows]


def metrics(report: Report) -> Table:
    """Every metric that the run has, whatever measure it comes from."""
    found = report.metrics()
    columns = (
        Column("network", "Network"),
        Column("setting", "Setting"),
        *(Column(one.name, one.title, "right", _explained(one)) for one in found),
    )
    rows = tuple(row for setting in report.run.settings for row in _rows(report, setting, found))
    remarks = tuple(f"{one.title}: {_explained(one)}." for one in found)
    if any(entry.best for row in rows for entry in row):
        remarks = (best.REMARK, *remarks)
    table = Table("metrics", "All metrics", columns, rows, remarks, naming=2)
    accuracies = {
        one.name: [
            report.results.get((model.name, setting.key, one.name))
            for setting in report.run.settings
            for model in report.run.models
        ]
        for one in found
        if one.noise == "image"
    }
    return caveats.by_preprocessing(caveats.by_setting(report, table), accuracies)


def _rows(report: Report, setting: Setting, found: Sequence[Metric]) -> Iterator[tuple[Entry, ...]]:
    leaders = {one.name: best.leaders(report, setting, one.name) for one in found}
    for model in report.run.models if found else ():
        results = {
            one.name: report.result(model, setting.key, setting.image_size, one.name)
            for one in found
        }
        yield (
            entries.network(model),
            Entry(setting.name, setting.key),
            *(
                entries.measured(result, best=model.name in leaders[name])
                for name, result in results.items()
            ),
        )


def _explained(metric: Metric) -> str:
    return f"{metric.definition}; {metric.kind}, {metric.better} is better"
