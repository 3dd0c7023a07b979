"""Where a report's numbers come from: raw samples, published figures, environments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pandas import DataFrame

from cmx_bench import published, units
from cmx_bench.measures import conditions
from cmx_bench.metrics import Metric
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.results.environment import COMPARABLE
from cmx_bench.results.nouns import Report
from cmx_bench.results.records import Environment
from cmx_bench.results.summary import Result
from cmx_bench.units import plain


def samples(report: Report) -> Table:
    """The raw samples, model by model: a line for each fresh process."""
    columns = (
        Column("network", "Network"),
        Column("setting", "Setting"),
        Column("metric", "Metric"),
        Column("samples", "Samples, a line for each process",
               title="In the order in which they were taken"),
        Column("environment", "Environment"),
    )  # fmt: skip
    sampled = [row for row in report.results.values() if row.medians and not row.about.exact]
    order = list(report.models)
    rows = tuple(
        _sampled(result, report.samples_of(result))
        for result in sorted(sampled, key=lambda row: order.index(row.model))
    )
    remarks = (_DISCARDED,) if report.blocks.taken else ()
    return Table("samples", "Samples of each process", columns, rows, remarks, True, naming=3)


_DISCARDED = (
    f"A block of passes was discarded for its conditions ({', '.join(conditions.REASONS)}) and "
    "never for its own time. A process that stayed disturbed shows its least disturbed blocks."
)


def _with_unit(metric: Metric) -> str:
    return f"{metric.title} ({metric.unit})"


def _sampled(result: Result, samples: DataFrame) -> tuple[Entry, ...]:
    """A row with a line for each process."""
    ended = samples[samples["status"] == "ok"]
    lines = [_line(process, result) for _, process in ended.groupby("record", sort=False)]
    return (
        Entry(plain(result.label)),
        Entry(result.setting),
        Entry(_with_unit(result.about)),
        Entry("\n".join(lines)),
        Entry(", ".join(ended["environment"].unique())),
    )


def _line(process: DataFrame, result: Result) -> str:
    """At least four digits, so that neighbours can be told apart."""
    digits = max(4, entries.digits_of(result))
    kept = process.loc[~process["discarded"], "value"]
    values = " · ".join(units.significant(value, digits) for value in kept)
    return f"{process['replicate'].iloc[0]}: {values}{_conditions(process)}"


def _conditions(process: DataFrame) -> str:
    """` (3 discarded)`: what there was besides the samples that count."""
    discarded = int(process["discarded"].sum())
    parts = [f"{discarded} discarded"] if discarded else []
    parts += ["disturbed"] if process["disturbed"].any() else []
    parts += [] if process["counts"].any() else ["does not count"]
    return f" ({', '.join(parts)})" if parts else ""


def figures_cited(report: Report) -> Table:
    """Each published figure that this report shows, with its source and grade."""
    columns = (
        Column("network", "Network"),
        Column("quantity", "Quantity"),
        Column("printed", "As printed", "right"),
        Column("conditions", "Conditions"),
        Column("source", "Source"),
        Column("grade", "Grade", title="; ".join(f"{k}: {v}" for k, v in published.GRADES.items())),
    )
    rows = tuple(
        (
            Entry(plain(model.label), figure.tag and f"{figure.model}.{figure.tag}"),
            Entry(figure.quantity),
            Entry(f"{figure.printed} {figure.printed_unit}".rstrip(), sort=figure.value,
                  notes=entries.grade_notes(figure)),
            Entry(", ".join(filter(None, (figure.dataset, figure.conditions, figure.variant)))),
            Entry(figure.source),
            Entry(figure.grade, title=published.GRADES[figure.grade]),
        )
        for model in report.run.models
        for figure in report.published[model.name].figures
    )  # fmt: skip
    remarks = tuple(f"Grade {grade}: {words}." for grade, words in published.GRADES.items())
    return Table(
        "published", "Published figures and their sources", columns, rows, remarks, True, naming=2
    )


def environments(report: Report) -> Table:
    """The fields of every environment side by side."""
    found = report.run.environments
    used: dict[str, list[str]] = {digest: [] for digest in found}
    for key, digest in report.environments.items():
        used.setdefault(digest, []).append(key)
    columns = (
        Column("field", "Field"),
        Column("must_match", "Must match", title="Where it differs, timings are not merged"),
        *(Column(digest, digest) for digest in found),
    )
    rows = list(fields(list(found.values())))
    if rows:
        rows.append((Entry("counted for settings"), Entry(""),
                     *(Entry(", ".join(used[digest])) for digest in found)))  # fmt: skip
    return Table("environments", "Environments", columns, tuple(rows), folded=len(found) > 3)


def fields(found: Sequence[Environment]) -> Iterator[tuple[Entry, ...]]:
    """A row for each field that one of them has: its name, whether it must match, its values."""
    names = dict.fromkeys((*COMPARABLE, *sorted({name for one in found for name in one})))
    for name in names:
        if any(one.get(name) is not None for one in found):
            must_match = "yes" if name in COMPARABLE else ""
            yield Entry(plain(name)), Entry(must_match), *(_value(one.get(name)) for one in found)


def _value(value: object) -> Entry:
    return Entry("unknown", quiet=True) if value is None else Entry(plain(str(value)))
