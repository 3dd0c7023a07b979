"""The report's tables, once: HTML, Markdown, CSV and the terminal only write them down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cmx_bench import published, units
from cmx_bench.cell import Model, Setting
from cmx_bench.environment import COMPARABLE
from cmx_bench.measures import conditions
from cmx_bench.metrics import METRICS, Metric
from cmx_bench.published import Published
from cmx_bench.report.summary import Process, Report, Result

Align: TypeAlias = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Note:
    """A footnote: its mark, as it stands beside the figure, and its text."""

    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `group` is a heading above several columns, `title` explains it in a sentence."""

    key: str
    heading: str
    align: Align = "left"
    title: str = ""
    group: str = ""

    @property
    def full_heading(self) -> str:
        """The heading for formats that have one line of headings only."""
        return f"{self.group}: {self.heading}" if self.group else self.heading


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in one place of a table.

    `detail` is secondary text (a spread, a tag); `sort` the value in base units; `title` a
    tooltip; `quiet` marks text that stands for the absence of a figure.
    """

    text: str
    detail: str = ""
    sort: float | None = None
    title: str = ""
    notes: tuple[Note, ...] = ()
    quiet: bool = False

    @property
    def marks(self) -> str:
        return ", ".join(note.mark for note in self.notes)

    @property
    def flat(self) -> str:
        """All that can be read here, on one line."""
        text = " ".join(part for part in (self.text, self.marks) if part)
        return f"{text} ({self.detail})" if self.detail else text


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `remarks` are sentences below it; `folded` ones are shown on demand."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    remarks: tuple[str, ...] = ()
    folded: bool = False

    @property
    def notes(self) -> tuple[Note, ...]:
        """The footnotes that the entries refer to, in the order of their marks."""
        found = {note: None for row in self.rows for entry in row for note in entry.notes}
        return tuple(sorted(found, key=lambda note: note.mark))


def tables(report: Report) -> list[Table]:
    """Every table that has something to say, the paper's Table 1 first."""
    made = [
        *(table_one(report, setting) for setting in report.run.settings),
        metrics(report),
        failures(report),
        left_out(report),
        gaps(report),
        samples(report),
        figures_cited(report),
        environments(report),
    ]
    return [table for table in made if table.rows]


# --- Table 1 --------------------------------------------------------------------------------------

_DASH = Entry("–", quiet=True)
_NOT_MEASURED = Entry("not measured", quiet=True)
_SOME_FAILED = Note("✗", "some processes of this cell failed; the failures are listed below")
_WIDE = "↔"
_EXTRA_TRAINING = Note(
    "‡", "weights that were pre-trained on more than ImageNet-1k, or distilled, as their tag says"
)


def table_one(report: Report, setting: Setting) -> Table:
    """The paper's Table 1 with this device's figures beside the published ones."""
    top1 = any(metric == "top1" for _, _, metric in report.results)
    top1_group = f"{_top1_of(report)} (%)" + ("" if top1 else ", published")
    columns = (
        Column("network", "Network", title="Its timm name and weights stand below the label"),
        Column("patch", "Patch", "right", "Side of the patches of the built model, in pixels"),
        Column("kernel", "Kernel", "right", "Side of its largest kernel behind the stem"),
        Column("params", "measured", "right", METRICS["params"].definition, "# Params (×10⁶)"),
        Column("params_paper", "paper", "right", "As the paper gives it", "# Params (×10⁶)"),
        Column("macs", "MACs (×10⁹)", "right", METRICS["macs"].definition),
        Column("throughput", "measured", "right", METRICS["throughput"].definition,
               "Throughput (images/s)"),
        Column("throughput_paper", "paper, RTX 8000", "right",
               "Another device than this one: one RTX 8000, batch 64, half precision",
               "Throughput (images/s)"),
        Column("memory", "Peak memory (MiB)", "right", METRICS["peak_memory"].definition),
        Column("activation", "Activation", title="The activation function of the built model"),
        Column("epochs", "Epochs, paper", "right", "Epochs of training, as the paper gives them"),
        *([Column("top1", "measured", "right", "Measured here", top1_group)] if top1 else []),
        Column("top1_paper", "paper", "right", "Published, not measured here", top1_group),
        Column("top1_timm", "timm", "right",
               "Published by timm for the weights named, at 224 × 224", top1_group),
    )  # fmt: skip
    rows = tuple(_row_one(report, setting, model, top1) for model in report.run.models)
    remarks = [
        f"{_described(setting)}. The value is the geometric mean over fresh processes, ± half its "
        "95 % interval (Student's t), n the number of processes.",
        "The paper's throughput is of another device (one RTX 8000, batch 64, half precision): "
        "it is no counterpart to the measured one.",
        "A value without ± is exact, or of one process.",
        "Below a network stand its name and the tag of the weights whose top-1 timm publishes. "
        "Speed and memory are those of the architecture with initial weights.",
    ]
    if report.run.precision is not None:
        remarks.append(
            f"Where ± was wider than {units.percent(report.run.precision)}, more than "
            f"{report.run.replicates} processes were taken, up to a limit of number and time."
        )
    if not top1:
        remarks.append("Top-1 was not measured in this run: both columns are published figures.")
    title = f"Table 1 · {setting.name} ({setting.key})"
    return Table(f"table1-{setting.key}", title, columns, rows, tuple(remarks))


def _row_one(report: Report, setting: Setting, model: Model, top1: bool) -> tuple[Entry, ...]:
    paper, timm = report.published[model.name].paper, report.published[model.name].timm

    def measured(metric: str, unit: float = 1.0) -> Entry:
        return _measured(report.result(model, setting.key, setting.image_size, metric), unit)

    return (
        _network(model),
        _number(model.patch_size),
        _number(model.kernel_size),
        measured("params", 1e6),
        _printed(paper.get("params")),
        measured("macs", 1e9),
        measured("throughput"),
        _printed(paper.get("throughput")),
        measured("peak_memory", 2.0**20),
        Entry(plain(model.activation)) if model.activation else _DASH,
        _printed(paper.get("epochs")),
        *([measured("top1", 0.01)] if top1 else []),
        _printed(paper.get("top1")),
        _printed(timm.get("top1"), known_tag=model.weights),
    )


def _top1_of(report: Report) -> str:
    """ "ImageNet-1k top-1": with the data sets that the published figures are of."""
    found = {
        figures["top1"].dataset
        for known in report.published.values()
        for figures in (known.paper, known.timm)
        if "top1" in figures
    }
    return f"{', '.join(sorted(found))} top-1" if found else "Top-1"


def _described(setting: Setting) -> str:
    compiled = "eager" if setting.compile == "none" else f"compiled ({setting.compile})"
    threads = f", {setting.threads} threads" if setting.threads else ""
    return (
        f"{setting.device}, {setting.precision}, {setting.layout}, {compiled}, "
        f"batch {setting.batch_size}, {setting.image_size} × {setting.image_size}{threads}"
    )


def _network(model: Model) -> Entry:
    """The label, and below it the timm name with the tag of the weights, as timm writes them."""
    weights = model.weights or ""
    between = "." if weights.replace("_", "").isalnum() else ", weights " if weights else ""
    return Entry(plain(model.label), plain(f"{model.name}{between}{weights}"))


def _number(value: int | None) -> Entry:
    return _DASH if value is None else Entry(str(value), sort=value)


def _printed(figure: Published | None, known_tag: str | None = None) -> Entry:
    """A published figure as it is printed, marked where nobody checked it against its source.

    The tag of its weights stands below it, unless it is the `known_tag` of the row.
    """
    if figure is None:
        return Entry("", quiet=True)
    conditions = ", ".join(part for part in (figure.dataset, figure.conditions) if part)
    title = f"{figure.source}; {conditions}" if conditions else figure.source
    tag = "" if figure.tag == known_tag else figure.tag
    return Entry(figure.printed, tag, figure.value, title, _grade_notes(figure))


def _grade_notes(figure: Published) -> tuple[Note, ...]:
    notes = []
    if figure.doubtful:
        notes.append(Note(f"†{figure.grade}", published.GRADES[figure.grade]))
    if published.extra_training(figure.tag):
        notes.append(_EXTRA_TRAINING)
    return tuple(notes)


# --- measured values ------------------------------------------------------------------------------


def _measured(result: Result | None, unit: float | None = None) -> Entry:
    """A measured value with its spread; in multiples of `unit`, or with a prefix where None."""
    if result is None:
        return _DASH
    if result.estimate is None:
        if result.status == "failed":
            return Entry("failed", title=plain(result.reason))
        return _NOT_MEASURED
    value = result.estimate.value
    digits = _digits(result)
    if unit is None:
        text = units.scaled(value, result.metric.unit, digits)
    else:
        text = units.significant(value / unit, digits)
    return Entry(text, _spread(result), value, _interval(result), tuple(_doubts(result)))


def _doubts(result: Result) -> Iterator[Note]:
    if result.status == "failed":
        yield _SOME_FAILED
    if result.wide and result.precision is not None:
        wanted = units.percent(result.precision)
        yield Note(_WIDE, f"the interval stayed wider than the ± {wanted} wanted")


def _digits(result: Result) -> int:
    estimate = result.estimate
    if estimate is None or estimate.low is None or estimate.high is None:
        return 3
    return units.digits_for(estimate.value, (estimate.high - estimate.low) / 2)


def _spread(result: Result) -> str:
    """`± 0.84 %, n = 5`: how far to trust a sampled value; nothing where one process is all."""
    estimate = result.estimate
    if estimate is None or result.metric.exact or estimate.n == result.planned == 1:
        return ""
    many = f"n = {estimate.n}"
    if estimate.n < result.planned:
        many += f" of {result.planned}"
    if estimate.low is None or estimate.high is None:
        return f"{many}, no interval"
    if (relative := estimate.relative_half_width) is not None:
        return f"± {units.percent(relative)}, {many}"
    half = units.scaled((estimate.high - estimate.low) / 2, result.metric.unit, 2)
    return f"± {half}, {many}"


def _interval(result: Result) -> str:
    estimate, unit = result.estimate, result.metric.unit
    if estimate is None:
        return ""
    if result.metric.exact:
        return f"exactly {units.exact(estimate.value)} {unit}".rstrip()
    if estimate.low is None or estimate.high is None:
        return "one process: no interval"
    low, high = (units.scaled(edge, unit, 5) for edge in (estimate.low, estimate.high))
    return f"95 % interval {low} to {high} over {estimate.n} processes"


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
            _network(model),
            Entry(setting.name, setting.key),
            *(
                _measured(report.result(model, setting.key, setting.image_size, one.name))
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
    kind = "exact" if metric.exact else "sampled"
    return f"{metric.definition}; {kind}, {metric.better} is better"


# --- where it comes from --------------------------------------------------------------------------


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
    return Table("samples", "Samples of each process", columns, rows, remarks, folded=True)


_DISCARDED = (
    f"A block of passes was discarded for its conditions ({', '.join(conditions.REASONS)}) and "
    "never for its own time. A process that stayed disturbed shows its least disturbed blocks."
)


def _with_unit(metric: Metric) -> str:
    return f"{metric.title} ({metric.unit})"


def _line(process: Process, result: Result) -> str:
    """At least four digits, so that neighbours can be told apart."""
    digits = max(4, _digits(result))
    values = " · ".join(units.significant(value, digits) for value in process.samples)
    return f"{process.replicate}: {values}{_conditions(process)}"


def _conditions(process: Process) -> str:
    """` (3 discarded)`: what there was beside the samples that count."""
    parts = [f"{len(process.discarded)} discarded"] if process.discarded else []
    parts += ["disturbed"] if process.disturbed else []
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
                  notes=_grade_notes(figure)),
            Entry(", ".join(part for part in (figure.dataset, figure.conditions) if part)),
            Entry(figure.source),
            Entry(figure.grade, title=published.GRADES[figure.grade]),
        )
        for model in report.run.models
        for group in (report.published[model.name].paper, report.published[model.name].timm)
        for figure in group.values()
    )  # fmt: skip
    remarks = tuple(f"Grade {grade}: {words}." for grade, words in published.GRADES.items())
    return Table("published", "Published figures and their sources", columns, rows, remarks, True)


def environments(report: Report) -> Table:
    """The fields of every environment side by side."""
    found = report.run.environments
    used: dict[str, list[str]] = {digest: [] for digest in found}
    for key, digest in report.environments.items():
        used.setdefault(digest, []).append(key)
    fields = dict.fromkeys((*COMPARABLE, *sorted({name for one in found.values() for name in one})))
    columns = (
        Column("field", "Field"),
        Column("must_match", "Must match", title="Where it differs, timings are not merged"),
        *(Column(digest, digest) for digest in found),
    )
    rows = [
        (
            Entry(plain(name)),
            Entry("yes" if name in COMPARABLE else ""),
            *(_value(one.get(name)) for one in found.values()),
        )
        for name in fields
        if any(one.get(name) is not None for one in found.values())
    ]
    if rows:
        rows.append((Entry("counted for settings"), Entry(""),
                     *(Entry(", ".join(used[digest])) for digest in found)))  # fmt: skip
    return Table("environments", "Environments", columns, tuple(rows), folded=len(found) > 3)


def _value(value: object) -> Entry:
    return Entry("unknown", quiet=True) if value is None else Entry(plain(str(value)))


# --- what is not there ----------------------------------------------------------------------------


def failures(report: Report) -> Table:
    """Every process that failed and every contradiction, with the reason."""
    columns = (Column("cell", "Cell"), Column("process", "Process", "right"),
               Column("reason", "Reason"))  # fmt: skip
    rows = tuple(
        (
            Entry(plain(one.cell)),
            Entry("all") if one.replicate is None else _number(one.replicate),
            Entry(plain(one.reason)),
        )
        for one in report.failures
    )
    return Table("failures", "Failures", columns, rows)


def left_out(report: Report) -> Table:
    """The records that count for nothing, and why."""
    columns = (Column("cell", "Cell"), Column("process", "Process", "right"),
               Column("environment", "Environment"), Column("reason", "Reason"),
               Column("differences", "Differs in"))  # fmt: skip
    rows = tuple(
        (
            Entry(plain(one.cell)),
            _number(one.replicate),
            Entry(one.environment),
            Entry(one.reason),
            Entry(plain("; ".join(_difference(*item) for item in one.differences.items()))),
        )
        for one in report.left_out
    )
    remark = "These records count for nothing: their values may not be compared with the rest."
    return Table("left-out", "Left out", columns, rows, (remark,))


def _difference(name: str, values: tuple[object, object]) -> str:
    return f"{name}: {values[0]} here, {values[1]} elsewhere"


_MANY = 12


def gaps(report: Report) -> Table:
    """What was not measured, and the command that measures it."""
    columns = (Column("what", "What"), Column("models", "Models"), Column("reason", "Reason"),
               Column("remedy", "How to measure it"))  # fmt: skip
    rows = tuple(
        (
            Entry(plain(gap.what)),
            _names(gap.models),
            Entry(gap.reason),
            Entry(plain(gap.remedy)),
        )
        for gap in report.gaps
    )
    return Table("not-measured", "Not measured", columns, rows)


def _names(names: Sequence[str]) -> Entry:
    shown = plain(", ".join(names[:_MANY]))
    if len(names) <= _MANY:
        return Entry(shown or "all")
    return Entry(f"{shown} and {len(names) - _MANY} more")


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def plain(text: str) -> str:
    """`text` without control characters and lone surrogates, which no format can carry."""
    return _CONTROL.sub("�", text)


def grouped(columns: Iterable[Column]) -> Iterator[tuple[str, int]]:
    """Runs of neighbouring columns with the same group heading, as (heading, columns)."""
    group, count = "", 0
    for column in columns:
        if count and (column.group != group or not column.group):
            yield group, count
            count = 0
        group, count = column.group, count + 1
    if count:
        yield group, count
