"""Where a report's numbers come from: raw samples, published figures, environments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cmx_bench import published, units
from cmx_bench.measures import conditions
from cmx_bench.metrics import Metric
from cmx_bench.present.content import Column, Entry, Table, plain
from cmx_bench.report import entries
from cmx_bench.report.nouns import Process, Report, Result
from cmx_bench.results.environment import COMPARABLE
from cmx_bench.results.records import Environment


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
    sampled = [one for one in report.results.values() if one.processes and not one.metric.exact]
    order = {model.name: place for place, model in enumerate(report.run.models)}
    rows = tuple(
        (
            Entry(plain(result.model.label)),
            Entry(result.setting),
            Entry(_with_unit(result.metric)),
            Entry("\n".join(_line(process, result) for process in result.processes)),
            Entry(", ".join(dict.fromkeys(one.environment for one in result.processes))),
        )
        for result in sorted(sampled, key=lambda one: order[one.model.name])
    )
    remarks = (_DISCARDED,) if report.blocks.taken else ()
    return Table("samples", "Samples of each process", columns, rows, remarks, True, naming=3)


_DISCARDED = (
    f"A block of passes was discarded for its conditions ({', '.join(conditions.REASONS)}) and "
    "never for its own time. A process that stayed disturbed shows its least disturbed blocks."
)


def _with_unit(metric: Metric) -> str:
    return f"{metric.title} ({metric.unit})"


def _line(process: Process, result: Result) -> str:
    """At least four digits, so that neighbours can be told apart."""
    digits = max(4, entries.digits_of(result))
    values = " · ".join(units.significant(value, digits) for value in process.samples)
    return f"{process.replicate}: {values}{_conditions(process)}"


def _conditions(process: Process) -> str:
    """` (3 discarded)`: what there was beside the samples that count."""
    parts = [f"{len(process.discarded)} discarded"] if process.discarded else []
    parts += ["disturbed"] if process.disturbed else []
    parts += ["does not count"] if not process.counts else []
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
