"""Runs of one suite side by side: a column for each run and setting, nothing merged."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from cmx_bench import units
from cmx_bench.cell import Model
from cmx_bench.errors import RecordsError
from cmx_bench.metrics import METRICS, Metric
from cmx_bench.present.content import Column, Entry, Fact, Table
from cmx_bench.report import entries
from cmx_bench.report.headline import code, quick
from cmx_bench.report.tables import best, caveats, explain, provenance
from cmx_bench.results.nouns import Report
from cmx_bench.results.records import Environment


@dataclass(frozen=True, slots=True)
class Side:
    """A run, its number from 1, and the words that tell it from the others."""

    number: int
    label: str
    path: Path
    report: Report


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that there is to show of several runs."""

    sides: tuple[Side, ...]
    title: str
    facts: tuple[Fact, ...]
    tables: tuple[Table, ...]

    @property
    def content_hash(self) -> str:
        """SHA-256 of the hashes of the runs, in their order."""
        hashes = "".join(side.report.content_hash for side in self.sides)
        return hashlib.sha256(hashes.encode()).hexdigest()


def compare(paths: Sequence[Path], reports: Sequence[Report]) -> Comparison:
    """Runs side by side, in their order.

    Raises:
        RecordsError: one is there twice, they are of several suites, or share no model.
    """
    _refuse_strangers(paths, reports)
    sides = tuple(map(Side, count(1), _labels(reports), _shorten(paths), reports))
    unlike, otherwise = differences(sides), list_evaluations(sides)
    present = {metric.name for report in reports for metric in report.metrics()}
    metrics = [metric for name, metric in METRICS.items() if name in present]
    values = [_values(sides, metric) for metric in sorted(metrics, key=lambda metric: metric.exact)]
    shown = tuple(table for table in (*values, runs(sides), otherwise, unlike) if table.rows)
    return Comparison(sides, reports[0].run.title, tuple(_facts(sides, unlike, otherwise)), shown)


def _refuse_strangers(paths: Sequence[Path], reports: Sequence[Report]) -> None:
    suite = reports[0].run.suite
    for place, (path, report) in enumerate(zip(paths, reports, strict=True)):
        if path in paths[:place]:
            raise RecordsError(f"{path}: is given twice")
        if report.run.suite != suite:
            raise RecordsError(
                f"{path}: is of the suite {report.run.suite!r}, {paths[0]} of {suite!r}; "
                "only runs of one suite stand side by side"
            )
    if not set.intersection(*(set(report.models) for report in reports)):
        raise RecordsError(f"{', '.join(map(str, paths))}: these runs have no model in common")


def _shorten(paths: Sequence[Path]) -> list[Path]:
    """The paths as a page shows them: of absolute ones no more than tells them apart."""
    parents = [path.parent for path in paths if path.is_absolute()]
    shared = os.path.commonpath(parents) if parents else ""
    return [Path("…", path.relative_to(shared)) if path.is_absolute() else path for path in paths]


def _labels(reports: Sequence[Report]) -> list[str]:
    """As short as tells them apart: devices, else with dates, else with times and numbers."""
    devices = [report.run.device_name + " (quick)" * report.run.quick for report in reports]
    named = list(zip(devices, [_moment(report.run.created) for report in reports], strict=True))
    dated = [f"{device}, {time[:10]}" for device, time in named]
    timed = [f"{device}, {time}" for device, time in named]
    numbered = [f"{number}: {label}" for number, label in enumerate(timed, 1)]
    every = (devices, dated, timed, numbered)
    return next(labels for labels in every if len(set(labels)) == len(reports))


def _moment(iso: str) -> str:
    """`2026-01-01 10:00:00`, of a time in UTC."""
    return iso.replace("T", " ")[:19]


def _facts(sides: Sequence[Side], unlike: Table, otherwise: Table) -> Iterator[Fact]:
    yield Fact("Suite", sides[0].report.run.suite)
    for side in sides:
        yield Fact("Run", f"{side.label}: {side.path}")
    for side in sides:
        if beware := quick(side.report):
            yield Fact("Beware", f"{side.label}: {beware}", warning=True)
    if fields := ", ".join(row[0].text for row in unlike.rows if row[1].text):
        text = f"environments differ in {fields}; values may differ for this reason alone"
        yield Fact("Beware", text, warning=True)
    if parts := ", ".join(row[0].text for row in otherwise.rows):
        yield Fact("Beware", f"accuracy was measured in different ways: {parts}", warning=True)
    if len({side.report.run.suite_hash for side in sides}) > 1:
        yield Fact("Beware", "the suite was changed between the runs: its hash differs", True)


# --- values ---------------------------------------------------------------------------------------


def _values(sides: Sequence[Side], metric: Metric) -> Table:
    """One metric: a row for each network; the runs' columns of one setting stand together."""
    keys = [dict.fromkeys(key for _, key, name in side.report.results if name == metric.name)
            for side in sides]  # fmt: skip
    networks: dict[object, Model] = {}
    for model in chain.from_iterable(side.report.run.models for side in sides):
        networks.setdefault(built(model), model)
    cells: dict[Column, Iterable[object]] = {Column("network", "Network"): networks.values()}
    for key in dict.fromkeys(chain.from_iterable(keys)):
        for side, measured in zip(sides, keys, strict=True):
            if key in measured:
                heading, values = _measure(side, key, metric)
                column = Column(f"{key}-{side.number}", side.label, "right", group=heading)
                cells[column] = [values.get(built) for built in networks]
    rows: list[tuple[object, ...]] = list(zip(*cells.values(), strict=True))
    if metric.exact:
        rows = [(model, *_tell_apart(values, metric)) for model, *values in rows]
    remarks = [f"{metric.title}: {explain(metric)}.", *best.remarks(rows)]
    weights = dict.fromkeys(
        (result.model, result.details["weights_sha256"])
        for side in sides
        for result in side.report.results.values()
        if result.metric == metric.name and "weights_sha256" in result.details
    )
    counts = Counter(name for name, _ in weights)
    if names := ", ".join(name for name, number in counts.items() if number > 1):
        remarks.append(f"The runs used different weights of {names}.")
    return entries.table(f"runs-{metric.name}", metric.title, cells, rows, remarks, metric.exact)


def _tell_apart(values: Sequence[object], metric: Metric) -> Iterator[object]:
    """The values of a network in an exact metric: unrounded where runs differ in them."""
    differ = len({value.sort for value in values if isinstance(value, Entry) and value.origin}) > 1
    for value in values:
        if differ and isinstance(value, Entry) and value.origin and value.sort is not None:
            yield replace(value, text=f"{units.exact(value.sort)} {metric.unit}".rstrip())
        else:
            yield value


def _measure(side: Side, key: str, metric: Metric) -> tuple[str, dict[object, Entry]]:
    """A run's values in the setting of a key, by what each network is built of, and a heading:
    `paper (cuda-fp16-nchw-eager-b64-r224)`, or the size for what the image size alone decides."""
    run = side.report.run
    setting = next(each for each in run.settings if key in (each.key, f"r{each.image_size}"))
    size = f"{setting.image_size} × {setting.image_size}"
    heading = f"{setting.title} ({key})" if setting.key == key else size
    values: dict[object, Entry] = {}
    for model, entry in zip(
        run.models, best.column(side.report, setting, metric.name), strict=True
    ):
        origin = entry.origin and replace(entry.origin, run=side.number)
        values[built(model)] = replace(entry, origin=origin)
    return heading, values


def built(model: Model) -> object:
    """What a network is made of: another one may have the same name; its label and weights say
    nothing of that."""
    arguments = tuple(sorted(model.args.items()))
    source = (model.name, model.source, model.target, arguments)
    return (*source, model.optimised, model.num_classes)


# --- runs -----------------------------------------------------------------------------------------


def runs(sides: Sequence[Side]) -> Table:
    """What each run is: when, with which code, of which suite, and the hash of its content."""
    columns = (
        Column("run", "Run"),
        Column("begun", "Begun (UTC)"),
        Column("finished", "Finished (UTC)"),
        Column("code", "Code"),
        Column("suite_hash", "Suite's hash"),
        Column("cells", "Cells measured", "right"),
        Column("images", "Images", title="Accuracy was measured on these"),
        Column("content", "Content, SHA-256", title="`verify` prints the same for the run's page"),
    )
    return entries.table("runs", "Runs", columns, map(_run, sides))


def _run(side: Side) -> tuple[object, ...]:
    run, report = side.report.run, side.report
    return (
        Entry(side.label, str(side.path)),
        _moment(run.created),
        _moment(run.finished) if run.finished else Entry("not finished", quiet=True),
        code(report),
        run.suite_hash,
        Entry(f"{report.progress.ok} of {len(run.cells)}", sort=report.progress.ok),
        run.accuracy["dataset"] if run.accuracy else None,
        report.content_hash,
    )


def list_evaluations(sides: Sequence[Side]) -> Table:
    """The parts in which the runs differ of how accuracy was measured: the images, how they were
    prepared, the recipe by which models were trained."""
    columns = (Column("part", "Part"), *(Column(str(side.number), side.label) for side in sides))
    asked = list(map(_describe_evaluation, sides))
    measured = [parts for parts in asked if parts]
    rows = (
        (name, *(parts.get(name, "") for parts in asked))
        for name in dict.fromkeys(chain.from_iterable(measured))
        if len({parts.get(name) for parts in measured}) > 1
    )
    return entries.table("evaluated", "Differences in how accuracy was measured", columns, rows)


def _describe_evaluation(side: Side) -> dict[str, str]:
    """How accuracy was measured in a run, part by part."""
    results = side.report.results.values()
    parts = dict(_parts(side.report.run.accuracy))
    counts = {result.details["images"] for result in results if "images" in result.details}
    if counts:
        parts["images"] = ", ".join(f"{number:,}" for number in sorted(counts))
    sizes = {f"weights of {result.model}": caveats.tell_resampled(result) for result in results}
    return parts | {name: text for name, text in sizes.items() if text}


def _parts(asked: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """`train.optimizer.lr` and what it is; without what is not given, and the images' path."""
    for key, value in asked.items():
        if isinstance(value, Mapping):
            yield from _parts(value, f"{before}{key}.")
        elif value is not None and key != "path":
            yield f"{before}{key}", str(value)


def differences(sides: Sequence[Side]) -> Table:
    """The fields in which the environments differ that the runs' values were measured in."""
    headed = [environment for side in sides for environment in _environments(side)]
    columns = (
        *provenance.FIELD,
        *(Column(str(number), heading) for number, (heading, _) in enumerate(headed, 1)),
    )
    fields = provenance.fields([environment for _, environment in headed])
    rows = (row for row in fields if len({entries.entry(value).text for value in row[2:]}) > 1)
    return entries.table("differences", "Differences between the environments", columns, rows)


def _environments(side: Side) -> Iterator[tuple[str, Environment]]:
    run, used = side.report.run, side.report.environments
    digests = dict.fromkeys(used.values())
    if len(digests) < 2:
        yield side.label, run.environments.get(next(iter(digests), ""), run.machine)
        return
    for digest in digests:
        names = ", ".join(
            setting.title for setting in run.settings if used.get(setting.key) == digest
        )
        yield f"{side.label}: {names}", run.environments.get(digest, {})
