"""The runs of a folder made into series: one for each metric of a model, on each machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cmx_bench.cell import Model
from cmx_bench.errors import RecordsError
from cmx_bench.gate.check import refuse_part
from cmx_bench.gate.history import History, PastRun, Point, Series
from cmx_bench.gate.outputs.sentences import one_line
from cmx_bench.metrics import METRICS
from cmx_bench.results import environment, frame, public, records, runfolder, summary
from cmx_bench.results.executions import Execution, executions, majorities
from cmx_bench.results.records import Environment, Run
from cmx_bench.results.summary import Result

# What an exact metric may depend on besides the model.
_SOFTWARE = ("python", "torch", "timm", "cmx_bench")
# What an accuracy depends on: the name of the images, and their number.
_IMAGES = ("dataset", "images")


@dataclass(frozen=True, slots=True)
class _Measured:
    """A run as it was read; `environments` are those that its counted records share, by setting.
    `facts` is what of these a value may depend on, by setting, and under "" that of the machine."""

    folder: Path
    run: Run
    tries: Sequence[Execution]
    environments: Mapping[str, Environment]
    facts: Mapping[str, Environment]

    def model(self, name: str) -> Model:
        return next(model for model in self.run.models if model.name == name)

    def facts_of(self, setting: str) -> Environment:
        return self.facts.get(setting, self.facts[""])


def read(folder: Path, like: Run | None = None) -> History:
    """The runs below `folder`, at any depth.

    Args:
        like: takes only those of its suite and its machine.

    Raises:
        RecordsError: there is no such folder.
    """
    below = runfolder.runs_below(folder)
    past = gather({place: place for place in below.runs}, folder, like)
    refused = (shorten(reason, folder) for reason in below.left_out)
    return replace(past, left_out=(*past.left_out, *refused))


def gather(
    places: Mapping[Path, Path],
    folder: Path,
    like: Run | None = None,
    among: Sequence[Environment] = (),
) -> History:
    """The runs in the folders `places`, which all lie below `folder`.

    Args:
        places: each with the folder by which it is shown, and whose report.html is linked.
        like: takes only those of its suite and its machine.
        among: more machines, unlike which those of the runs are named.
    """
    measured: list[_Measured] = []
    left_out: list[str] = []
    elsewhere = 0
    for place in places:
        try:
            run = records.read_run(place)
            if like is not None and _identity(run) != _identity(like):
                elsewhere += 1
                continue
            refuse_part(place, run)
            another = _read(place, run)
            _refuse_copy(another, measured)
            measured.append(another)
        except RecordsError as error:
            left_out.append(shorten(str(error), folder))
    measured.sort(key=lambda each: each.run.created)
    names = machine_names([machine_of(each.run) for each in measured], among)
    # By numbers: a folder's name may be no text, which pyarrow's strings do not take.
    by_name = {str(number): each for number, each in enumerate(measured)}
    runs = {
        number: _past(each, name, places[each.folder])
        for (number, each), name in zip(by_name.items(), names, strict=True)
    }
    series = tuple(_series(by_name, runs))
    return History(tuple(runs.values()), series, tuple(left_out), elsewhere)


def shorten(reason: str, folder: Path) -> str:
    """Why a run below `folder` is left out: a page that others read names no folder above."""
    return public.without_folders(reason.replace(f"{folder}{os.sep}", ""))


def _refuse_copy(measured: _Measured, others: Iterable[_Measured]) -> None:
    """Machines of one kind may begin in the same second; but none measures the same."""
    for other in others:
        if measured.run.created != other.run.created:  # of most: seen at once
            continue
        if (measured.run, measured.tries) == (other.run, other.tries):
            raise RecordsError(f"{measured.folder}: is the same run as {other.folder}")


def _identity(run: Run) -> tuple[str, str]:
    return run.suite, environment.digest(machine_of(run))


def _read(folder: Path, run: Run) -> _Measured:
    tries = executions(run, records.read(folder))
    shared = majorities(run, [execution.record for execution in tries if not execution.why])
    environments = {key: run.environments[digest] for key, digest in shared.items()}
    facts = {
        key: environment.comparable(each) | {"cmx_bench": each.get("cmx_bench")}
        for key, each in {"": run.machine, **environments}.items()
    }
    return _Measured(folder, run, tries, environments, facts)


def machine_of(run: Run) -> Environment:
    """What tells the machine of a run from others. A run of several kinds of device has all of
    them, and goes on with other devices of these kinds."""
    described = [environment.machine(machine) for machine in run.kinds.values()]
    if len(described) == 1:
        return described[0]
    together = {name: " and ".join(str(each[name]) for each in described) for name in described[0]}
    return together | {"device_name": run.device_name, "device_uuid": None}


def machine_names(machines: Iterable[Environment], among: Iterable[Environment] = ()) -> list[str]:
    """A name for each machine: its device's, with that in which it is unlike others of the name.

    Args:
        among: more of these others.
    """
    described = list(map(environment.machine, machines))
    others = {environment.digest(each): each for each in (*described, *among)}
    return [one_line(", ".join(_name(each, list(others.values())))) for each in described]


def _name(machine: Environment, others: Sequence[Environment]) -> Iterator[str]:
    yield str(machine["device_name"] or "unknown device")
    alike = [other for other in others if other["device_name"] == machine["device_name"]]
    for fact, value in machine.items():
        if any(other[fact] != value for other in alike):
            yield f"{fact} {'unknown' if value is None else value}"


def _past(measured: _Measured, machine: str, shown: Path) -> PastRun:
    run, page = measured.run, shown / "report.html"
    failed = dict.fromkeys(
        execution.record.cell
        for execution in measured.tries
        if not execution.why and execution.record.status == "failed"
    )
    shared = next(iter(measured.environments.values()), run.machine)
    return PastRun(
        folder=shown,
        suite=one_line(run.suite),
        machine=machine,
        created=run.created,
        commit=one_line(environment.commit(run.machine)),
        versions=versions(shared),
        cells=len(run.cells),
        failed=tuple(failed),
        page=page if page.is_file() else None,
    )


def versions(shared: Environment) -> tuple[str, ...]:
    """Those that timings depend on most, as "torch 2.15"."""
    return tuple(one_line(f"{name} {shared[name]}") for name in _SOFTWARE if name in shared)


# --- series ---------------------------------------------------------------------------------------


def _series(measured: Mapping[str, _Measured], runs: Mapping[str, PastRun]) -> Iterator[Series]:
    """By suite, then by metric in the order of `METRICS`, throughput first; then as the runs have
    them.

    Args:
        measured: by the same names as `runs`, the oldest first.
    """
    if not measured:
        return
    groups: dict[tuple[str, str, str, str, str], list[Result]] = {}
    # Those of all runs together: of 200 one by one it takes ten times as long.
    samples = frame.samples({name: (each.run, each.tries) for name, each in measured.items()})
    for result in summary.results(samples):
        if result.value is not None:
            suite = runs[result.run].suite
            machine = "" if result.about.exact else runs[result.run].machine
            key = (suite, result.metric, machine, result.model, result.setting)
            groups.setdefault(key, []).append(result)
    suites, order = list(dict.fromkeys(key[0] for key in groups)), ["throughput", *METRICS]
    for key in sorted(groups, key=lambda key: (suites.index(key[0]), order.index(key[1]))):
        suite, metric, machine, model, setting = key
        latest = measured[groups[key][-1].run].model(model)
        points = tuple(_points(groups[key], measured, runs))
        yield Series(suite, machine, latest, setting, METRICS[metric], points)


def _points(
    results: Iterable[Result], measured: Mapping[str, _Measured], runs: Mapping[str, PastRun]
) -> Iterator[Point]:
    before: tuple[Environment, Model] | None = None
    for result in results:
        assert result.value is not None
        origin = measured[result.run]
        images = {name: result.details[name] for name in _IMAGES if name in result.details}
        now = {**origin.facts_of(result.setting), **images}, origin.model(result.model)
        changed = "" if before is None else "; ".join(_changes(before, now, result.about.exact))
        yield Point(runs[result.run], result.value, result.low, result.high, changed)
        before = now


def _changes(
    before: tuple[Environment, Model], after: tuple[Environment, Model], exact: bool
) -> Iterator[str]:
    if before[0] != after[0]:
        unlike = environment.differences(before[0], after[0], ("cmx_bench", *_IMAGES))
        for name, (old, new) in unlike.items():
            if not exact or name in _SOFTWARE:
                yield one_line(f"{name} {old} → {new}")
    if _description(before[1]) != _description(after[1]):
        yield "another model of this name"


def _description(model: Model) -> tuple[object, ...]:
    built = (model.source, model.target, dict(model.args), model.optimised)
    return (*built, model.weights, model.num_classes)
