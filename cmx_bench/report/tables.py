"""The report's tables, once: which there are, and in which order they stand."""

from __future__ import annotations

from cmx_bench.metrics import Metric
from cmx_bench.report import absences, accuracy, entries, provenance
from cmx_bench.report.summary import Report
from cmx_bench.report.table import Column, Entry, Table
from cmx_bench.report.table_one import table_one


def tables(report: Report) -> list[Table]:
    """Every table that has something to say, the paper's Table 1 first."""
    made = [
        *(table_one(report, setting) for setting in report.run.settings),
        *accuracy.tables(report),
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
    rows = tuple(
        (
            entries.network(model),
            Entry(setting.name, setting.key),
            *(
                entries.measured(report.result(model, setting.key, setting.image_size, one.name))
                for one in found
            ),
        )
        for setting in report.run.settings
        for model in report.run.models
        if found
    )
    remarks = tuple(f"{one.title}: {_explained(one)}." for one in found)
    return Table("metrics", "All metrics", columns, rows, remarks)


def _explained(metric: Metric) -> str:
    return f"{metric.definition}; {metric.kind}, {metric.better} is better"
