"""Runs of one suite side by side: a column for each run and setting, nothing merged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import RecordsError
from cmx_bench.metrics import METRICS, Metric
from cmx_bench.present.content import Column, Entry, Fact, Table
from cmx_bench.report import entries
from cmx_bench.report.headline import code
from cmx_bench.report.tables import best, provenance
from cmx_bench.results import records
from cmx_bench.results.nouns import Report
from cmx_bench.results.records import Environment
from cmx_bench.units import plain


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


def compare(paths: Sequence[Path], found: Sequence[Report]) -> Comparison:
    """Runs side by side, in their order.

    Raises:
        RecordsError: one is there twice, they are of several suites, or share no model.
    """
    _refuse_strangers(paths, found)
    sides = tuple(map(Side, count(1), _labels(found), paths, found))
    unlike, otherwise = differences(sides), evaluated(sides)
    values = [_values(sides, metric) for metric in _metrics(sides)]
    shown = tuple(table for table in (*values, runs(sides), otherwise, unlike) if table.rows)
    return Comparison(sides, found[0].run.title, tuple(_facts(sides, unlike, otherwise)), shown)


def _refuse_strangers(paths: Sequence[Path], found: Sequence[Report]) -> None:
    first = found[0].run
    for place, (path, report) in enumerate(zip(paths, found, strict=True)):
        if path in paths[:place]:
            raise RecordsError(f"{path}: is given twice")
        if report.run.suite != first.suite:
            raise RecordsError(
                f"{path}: is of the suite {report.run.suite!r}, {paths[0]} of {first.suite!r}; "
                "only runs of one suite stand side by side"
            )
    if not set.intersection(*({model.name for model in report.run.models} for report in found)):
        raise RecordsError(f"{', '.join(map(str, paths))}: these runs have no model in common")


def _labels(found: Sequence[Report]) -> list[str]:
    """As short as tells them apart: devices, else with dates, else with times and numbers."""
    devices = [plain(str(one.run.machine.get("device_name", one.run.device))) for one in found]
    times = [_moment(one.run.created) for one in found]
    named = list(zip(devices, times, strict=True))
    dated = [f"{device}, {time[:10]}" for device, time in named]
    timed = [f"{device}, {time}" for device, time in named]
    numbered = [f"{number}: {label}" for number, label in enumerate(timed, 1)]
    return next(
        labels for labels in (devices, dated, timed, numbered) if len(set(labels)) == len(found)
    )


def _moment(iso: str) -> str:
    """`2026-01-01 10:00:00`, of a time in UTC."""
    return plain(iso.replace("T", " ")[:19])


def _facts(sides: Sequence[Side], unlike: Table, otherwise: Table) -> Iterator[Fact]:
    run = sides[0].report.run
    yield Fact("Suite", plain(run.suite))
    for side in sides:
        yield Fact("Run", plain(f"{side.label}: {side.path}"))
    matter = [row[0].text for row in unlike.rows if row[1].text]
    if matter:
        text = f"environments differ in {', '.join(matter)}; values may differ for that alone"
        yield Fact("Beware", text, warning=True)
    if otherwise.rows:
        parts = ", ".join(row[0].text for row in otherwise.rows)
        yield Fact("Beware", f"accuracies were come by in different ways: {parts}", warning=True)
    if len({side.report.run.suite_hash for side in sides}) > 1:
        yield Fact("Beware", "the suite was changed between the runs: its hash differs", True)


def _metrics(sides: Sequence[Side]) -> list[Metric]:
    """What depends on the run first, what is exact behind it."""
    there = {metric.name for side in sides for metric in side.report.metrics()}
    found = [metric for name, metric in METRICS.items() if name in there]
    return sorted(found, key=lambda metric: metric.exact)


# --- values ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """A column of values: a run's, in the setting of this key."""

    side: Side
    key: str

    @property
    def setting(self) -> Setting:
        """The setting, or the first of those that share what the image size alone decides."""
        known = self.side.report.run.settings
        return next(one for one in known if self.key in (one.key, f"r{one.image_size}"))

    @property
    def heading(self) -> str:
        """`paper (cuda-fp16-nchw-eager-b64-r224)`, or the image size."""
        setting = self.setting
        shared = f"{setting.image_size} × {setting.image_size}"
        return f"{setting.name} ({setting.key})" if setting.key == self.key else shared


def _values(sides: Sequence[Side], metric: Metric) -> Table:
    """One metric: a row for each network; the runs' columns of one setting stand together."""
    keys = [_keys(side, metric) for side in sides]
    places = [
        _Place(side, key)
        for key in dict.fromkeys(chain.from_iterable(keys))
        for side, known in zip(sides, keys, strict=True)
        if key in known
    ]
    columns = (
        Column("network", "Network"),
        *(
            Column(f"{one.key}-{one.side.number}", one.side.label, "right",
                   group=one.heading)
            for one in places
        ),
    )  # fmt: skip
    leaders = [best.leaders(one.side.report, one.setting, metric.name) for one in places]
    rows = tuple(
        (
            entries.network(model),
            *(
                _value(place, model, metric, model.name in names)
                for place, names in zip(places, leaders, strict=True)
            ),
        )
        for model in _models(sides)
    )
    remarks = (
        f"{metric.title}: {metric.definition}; {metric.kind}, {metric.better} is better.",
        *([best.REMARK] if any(leaders) else []),
        *_unlike_weights(sides, metric),
    )
    key = f"runs-{metric.name}"
    return Table(key, metric.title, columns, rows, remarks, folded=metric.exact)


def _keys(side: Side, metric: Metric) -> dict[str, None]:
    """The keys of the settings that a run has results of a metric in."""
    return dict.fromkeys(key for _, key, name in side.report.results if name == metric.name)


def _value(place: _Place, model: Model, metric: Metric, leads: bool) -> Entry:
    report = place.side.report
    built_alike = any(_built(one) == _built(model) for one in report.run.models)
    result = report.results.get((model.name, place.key, metric.name)) if built_alike else None
    entry = entries.measured(result, best=leads)
    if entry.origin is None:
        return entry
    return replace(entry, origin=replace(entry.origin, run=place.side.number))


def _models(sides: Sequence[Side]) -> list[Model]:
    """Every network of any run; another one that has the same name has a row of its own."""
    found: list[Model] = []
    for model in chain.from_iterable(side.report.run.models for side in sides):
        if all(_built(model) != _built(other) for other in found):
            found.append(model)
    return found


def _built(model: Model) -> tuple[object, ...]:
    """What a network is made of; its label and weights say nothing of that."""
    return model.name, model.source, model.target, dict(model.args), model.num_classes


def _unlike_weights(sides: Sequence[Side], metric: Metric) -> list[str]:
    """A word on networks whose accuracy is that of other weights in another run."""
    digests: dict[str, set[str]] = {}
    for side in sides:
        for (name, _, measured), result in side.report.results.items():
            if measured == metric.name and "weights_sha256" in result.details:
                digests.setdefault(name, set()).add(result.details["weights_sha256"])
    names = [name for name, found in digests.items() if len(found) > 1]
    return [f"The runs have other weights of {', '.join(names)}."] if names else []


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
        Column("images", "Images", title="On which accuracy was measured"),
        Column("content", "Content, SHA-256", title="`verify` prints it for the run's own page"),
    )
    return Table("runs", "Runs", columns, tuple(map(_run, sides)))


def _run(side: Side) -> tuple[Entry, ...]:
    run, report = side.report.run, side.report
    return (
        Entry(plain(side.label), plain(str(side.path))),
        Entry(_moment(run.created)),
        Entry(_moment(run.finished)) if run.finished else Entry("not finished", quiet=True),
        Entry(plain(code(report))),
        Entry(run.suite_hash),
        Entry(f"{report.progress.ok} of {len(run.cells)}", sort=report.progress.ok),
        Entry(plain(str(run.accuracy["dataset"]))) if run.accuracy else entries.DASH,
        Entry(records.content_hash(run, report.records)),
    )


def evaluated(sides: Sequence[Side]) -> Table:
    """The parts in which the runs differ of how accuracy was come by: the images, how they were
    prepared, the recipe by which models were trained."""
    columns = (
        Column("part", "Part"),
        *(Column(str(side.number), side.label) for side in sides),
    )
    found = [dict(_parts(side.report.run.accuracy)) | _images(side) for side in sides]
    told = [one for one in found if one]
    rows = tuple(
        (Entry(plain(part)), *(Entry(plain(one.get(part, ""))) for one in found))
        for part in dict.fromkeys(chain.from_iterable(told))
        if len({one.get(part) for one in told}) > 1
    )
    return Table("evaluated", "In what the accuracies differ", columns, rows)


def _parts(told: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """`train.optimizer.lr` and what it is; without what is not given, and the images' path."""
    for key, value in told.items():
        if key == "path":
            continue
        if isinstance(value, Mapping):
            yield from _parts(value, f"{before}{key}.")
        elif value is not None:
            yield f"{before}{key}", str(value)


def _images(side: Side) -> dict[str, str]:
    """How many images top-1 rests on; several numbers where settings or models differ."""
    counts = sorted(
        {one.details["images"] for one in side.report.results.values() if "images" in one.details}
    )
    return {"images": ", ".join(f"{number:,}" for number in counts)} if counts else {}


def differences(sides: Sequence[Side]) -> Table:
    """The fields in which the environments differ that the runs' values were measured in."""
    found = [one for side in sides for one in _environments(side)]
    columns = (
        Column("field", "Field"),
        Column("must_match", "Must match", title="Where it differs, timings are not merged"),
        *(Column(str(number), heading) for number, (heading, _) in enumerate(found, 1)),
    )
    rows = tuple(
        row
        for row in provenance.fields([values for _, values in found])
        if len({entry.text for entry in row[2:]}) > 1
    )
    return Table("differences", "In what the environments differ", columns, rows)


def _environments(side: Side) -> Iterator[tuple[str, Environment]]:
    """A run's environment; where its settings have several, each with their names."""
    run, used = side.report.run, side.report.environments
    digests = dict.fromkeys(used.values())
    if len(digests) < 2:
        yield side.label, run.environments.get(next(iter(digests), ""), run.machine)
        return
    for digest in digests:
        names = ", ".join(one.name for one in run.settings if used.get(one.key) == digest)
        yield plain(f"{side.label}: {names}"), run.environments.get(digest, {})
