"""Where a report's numbers come from: samples, figures, models, environments; what is absent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cmx_bench import published, units
from cmx_bench.cell import ZERO
from cmx_bench.measures import conditions
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.results.environment import comparable, must_match
from cmx_bench.results.frame import Process
from cmx_bench.results.nouns import Report
from cmx_bench.results.origins import of as origins_of
from cmx_bench.results.records import Environment

_DISCARDED = (
    f"A block of passes was discarded where there was a cause ({', '.join(conditions.REASONS)}) "
    f"and it was more than {100 * conditions.MOST_SLOWDOWN - 100:.0f} % slower than blocks without "
    "one. A process that stayed disturbed shows its least disturbed blocks."
)


def samples(report: Report) -> Table:
    """The raw samples, model by model: a line for each fresh process."""
    columns = (
        Column("network", "Network"),
        Column("setting", "Setting"),
        Column("metric", "Metric"),
        Column("samples", "Samples, one line per process", title="In the order of measurement"),
        Column("environment", "Environment"),
    )
    order = {name: place for place, name in enumerate(report.models)}
    sampled = {
        key: result
        for key, result in report.results.items()
        if result.medians and not result.about.exact
    }
    rows = (
        (result.label, result.setting, f"{result.about.title} ({result.unit})",
         "\n".join(_line(process, max(4, entries.digits_of(result))) for process in processes),
         ", ".join(dict.fromkeys(process.environment for process in processes)))
        for key, result in sorted(sampled.items(), key=lambda item: order[item[1].model])
        for processes in [report.processes[key]]
    )  # fmt: skip
    remarks = (_DISCARDED,) if report.blocks.taken else ()
    return entries.table(
        "samples", "Samples of each process", columns, rows, remarks, True, naming=3
    )


def _line(process: Process, digits: int) -> str:
    """`1: 98.80 · 98.90 (3 discarded)`: its samples, and what else there was. At least four digits
    tell neighbours apart."""
    discarded = len(process.discarded)
    asides = [f"{discarded} discarded"] * (discarded > 0)
    asides += ["disturbed"] * process.disturbed + ["does not count"] * (not process.counts)
    samples = " · ".join(units.significant(value, digits) for value in process.samples)
    return f"{process.replicate}: {samples}" + f" ({', '.join(asides)})" * bool(asides)


def cite_figures(report: Report) -> Table:
    """Each published figure that this report shows, with its source and grade."""
    grades = [f"{grade}: {words}" for grade, words in published.GRADES.items()]
    columns = (
        Column("network", "Network"),
        Column("quantity", "Quantity"),
        Column("printed", "As printed", "right"),
        Column("conditions", "Conditions"),
        Column("source", "Source"),
        Column("grade", "Grade", title="; ".join(grades)),
    )
    rows = (
        (
            Entry(model.label, figure.tag and f"{figure.model}.{figure.tag}"),
            figure.quantity,
            Entry(f"{figure.printed} {figure.printed_unit}".rstrip(), sort=figure.value,
                  notes=entries.grade_notes(figure)),
            ", ".join(filter(None, (figure.dataset, figure.conditions, figure.variant))),
            figure.source,
            Entry(figure.grade, title=published.GRADES[figure.grade]),
        )
        for model in report.run.models
        for figure in report.published[model.name].figures
    )  # fmt: skip
    title, remarks = "Published figures and their sources", [f"Grade {grade}." for grade in grades]
    return entries.table("published", title, columns, rows, remarks, True, naming=2)


def list_matched(report: Report) -> Table:
    """One row a model that a `match:` of the suite stands for."""
    columns = (
        Column("network", "Network"),
        Column("target", "Matched to"),
        Column("residual", "Difference", "right", "Share of the target; of two targets the larger"),
        Column("departure", "Changed from the published design"),
        Column("nearest", "Nearest published model", title="Below it: its difference"),
    )
    rows = (
        (
            model,
            Entry(str(order["target"]), str(order["amounts"])),
            _difference(order["residual"]),
            order["departure"],
            Entry(str(order["nearest"]), _difference(order["nearest_residual"]).text),
        )
        for model in report.run.models
        if (order := model.matched)
    )
    return entries.table("matched", "Models made to order", columns, rows)


def _difference(residual: str | float) -> Entry:
    share = float(residual)
    return Entry(units.signed_percent(share), sort=share)


def origins(report: Report) -> Table:
    """The file that each of the user's own models was built from."""
    columns = (
        Column("network", "Network"),
        Column("built_by", "Built by"),
        Column("file", "File"),
        Column("sha256", "SHA-256", title="Of the file and of what it imports from its folder"),
    )
    built_from = origins_of(report.records)
    rows = (
        (model, model.target, origin["file"], Entry(origin["sha256"][:12], title=origin["sha256"]))
        for model in report.run.models
        if (origin := built_from.get(model.name))
    )
    return entries.table("origins", "Files of own models", columns, rows)


def words(report: Report) -> Table:
    """The operators that are counted by the user's word, and what each adds to a network's MACs."""
    columns = (
        Column("network", "Network"),
        Column("image_size", "Image size", "right", "Side of the images, in pixels"),
        Column("operator", "Operator"),
        Column("counted_by", "Counted by"),
        Column("macs", "MACs", "right", "Of all its calls, for one image"),
        Column("sha256", "SHA-256", title="Of the file that counts, and of what it imports"),
    )
    rows = (
        (
            report.models[result.model],
            result.setting.removeprefix("r"),
            operator,
            "zero" if word["by"] == ZERO else word["by"],
            Entry(f"{word['macs']:,}", sort=word["macs"]),
            word.get("origin", {}).get("sha256", "")[:12],
        )
        for result in report.results.values()
        if result.metric == "macs"
        for operator, word in result.details.get("given", {}).items()
    )
    return entries.table("words", "Operators counted by the user's word", columns, rows)


def environments(report: Report) -> Table:
    """The fields of every environment side by side."""
    digests = list(report.run.environments)
    columns = (*FIELD, *(Column(digest, digest) for digest in digests))
    rows = list(fields([report.run.environments[digest] for digest in digests]))
    if rows:
        used = [[key for key, of_key in report.environments.items() if of_key == digest]
                for digest in digests]  # fmt: skip
        rows.append(("used for settings", "", *map(", ".join, used)))
    folded = len(digests) > 3
    return entries.table("environments", "Environments", columns, rows, folded=folded)


# What stands before the values of an environment's field.
FIELD = (
    Column("field", "Field"),
    Column("must_match", "Must match", title="Timings are not merged where this field differs"),
)


def fields(environments: Sequence[Environment]) -> Iterator[tuple[object, ...]]:
    """A row for each field that one of them has: its name, whether it must match, its values."""
    every = {name: value for environment in environments for name, value in environment.items()}
    for name in dict.fromkeys((*comparable(every), *sorted(every))):
        values = [environment.get(name) for environment in environments]
        if any(value is not None for value in values):
            absent = Entry("not set" if name.isupper() else "unknown", quiet=True)
            shown = (absent if value is None else str(value) for value in values)
            yield name, "yes" if must_match(name) else "", *shown


# --- what is absent -------------------------------------------------------------------------------

_MANY = 12  # models that a row names


def failures(report: Report) -> Table:
    """Every process that failed and every contradiction, with the reason."""
    columns = (Column("cell", "Cell"), Column("process", "Process", "right"),
               Column("reason", "Reason"))  # fmt: skip
    rows = (
        (failure.cell, "all" if failure.replicate is None else failure.replicate, failure.reason)
        for failure in report.failures
    )
    return entries.table("failures", "Failures", columns, rows, naming=2)


def left_out(report: Report) -> Table:
    """The records that count for nothing, and why."""
    columns = (Column("cell", "Cell"), Column("process", "Process", "right"),
               Column("environment", "Environment"), Column("reason", "Reason"),
               Column("differences", "Differs in"))  # fmt: skip
    rows = (
        (record.cell, record.replicate, record.environment, record.reason, "; ".join(differences))
        for record in report.left_out
        for differences in [[f"{name}: {here} here, {there} elsewhere"
                             for name, (here, there) in record.differences.items()]]
    )  # fmt: skip
    remark = "These records are not used. Their values cannot be compared with the others."
    return entries.table("left-out", "Left out", columns, rows, [remark], naming=2)


def gaps(report: Report) -> Table:
    """What was not measured, and the command that measures it."""
    columns = (Column("what", "What"), Column("models", "Models"), Column("reason", "Reason"),
               Column("remedy", "How to measure it"))  # fmt: skip
    rows = (
        (gap.what, units.first_few(gap.models, _MANY) or "all", gap.reason, gap.remedy)
        for gap in report.gaps
    )
    return entries.table("not-measured", "Not measured", columns, rows)
