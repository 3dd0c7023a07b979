"""The folder that a run is measured into: a new one, or that of an unfinished run of its plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

from cmx_bench.accuracy import labels
from cmx_bench.datasets import source
from cmx_bench.errors import RecordsError
from cmx_bench.plan import Plan
from cmx_bench.results import environment, origins, predictions, records, runfolder
from cmx_bench.results.neighbours import Neighbours
from cmx_bench.results.predictions import Images
from cmx_bench.results.records import Run
from cmx_bench.spec import disk
from cmx_bench.spec.claims import Claim
from cmx_bench.spec.suite import SuiteFile
from cmx_bench.training import files
from cmx_bench.worker import local
from cmx_bench.worker.targets import Target

# What must stay, besides what timings are compared by, for two halves to be one run: two GPUs of
# one model differ by 8 % on average.
_SAME_RUN = ("device_uuid", "cmx_bench", "git_commit")
# Parts are measured on any machine of a kind, and so is what goes on with them; each record says
# on which.
_SAME_KIND = _SAME_RUN[1:]
# What a run makes, goes on with or replaces: without its run.json it is nobody's, or the user's.
_PARTS = (
    "records.jsonl", "predictions", "replicate-*", "trained", "report.*", "results.csv",
    "samples.csv.gz",
)  # fmt: skip


def open_run(
    plan: Plan, reports: Path, out: Path | None, fresh: bool, command: str,
    neighbours: Neighbours | None = None,
) -> Path:  # fmt: skip
    """The folder to measure into: that of an unfinished run of the same plan, or a new one.

    Args:
        reports: holds a folder for each suite, which holds one for each run.
        out: the folder asked for, instead.
        fresh: measure anew whatever lies there.
        neighbours: what others do to the machine.

    Raises:
        RecordsError: `out` holds another run, or nothing can be written.
    """
    now = datetime.now(UTC)
    if out is not None:
        run = refuse_other(plan.suite_file, plan.replicate, out, fresh)
        if run is None:
            return _new_run(plan, out, command, now, neighbours)
        _refuse_because(_differences(plan, run, out), out)
        return out
    suite = reports / plan.suite_file.suite.name
    if not fresh:
        for folder in sorted(suite.glob("*/"), reverse=True):
            if _is_unfinished(plan, folder) and not runfolder.is_locked(folder):
                return folder
    folder = _make_folder(suite / runfolder.name_of_new(plan.device_name, now))
    return _new_run(plan, folder, command, now, neighbours)


def _make_folder(folder: Path) -> Path:
    """Makes the folder, or one with a number at its end where another command of the same second
    has made it.

    Raises:
        RecordsError: none can be made.
    """
    others = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    for place in chain([folder], others):
        with disk.writing(place):
            try:
                place.mkdir(parents=True)
            except FileExistsError:
                place.lstat()  # or its parent is a link to nowhere
            else:
                break
    return place


def refuse_other(
    suite_file: SuiteFile, replicate: int | None, out: Path, fresh: bool
) -> Run | None:
    """The run in a folder, None where there is none; what only a plan can tell is not asked.

    Raises:
        RecordsError: it is of another suite or replicate, or holds files without a run that a new
            one would mix with its own, or replace.
    """
    if not (out / "run.json").exists():
        for part in chain.from_iterable(map(out.glob, _PARTS)):
            raise RecordsError(
                f"{part}: is of no run that goes on here: a run.json is missing; give another --out"
            )
        return None
    run = records.read_run(out)
    if fresh:
        raise RecordsError(f"{out}: already holds a run, which --fresh would mix with a new one; "
                           f"give another --out")  # fmt: skip
    _refuse_because(_other_suite(suite_file, replicate, run), out)
    return run


def _refuse_because(reasons: Iterable[str], out: Path) -> None:
    for reason in reasons:
        raise RecordsError(f"{out}: holds another run ({reason}); give another --out")


def _is_unfinished(plan: Plan, folder: Path) -> bool:
    if not (folder / "run.json").exists():
        return False
    try:
        run = records.read_run(folder)
        others = _other_suite(plan.suite_file, plan.replicate, run)
        return not run.finished and not any(chain(others, _differences(plan, run, folder)))
    except RecordsError:  # damaged, or of another version: it stays, and another is begun
        return False


def _other_suite(suite_file: SuiteFile, replicate: int | None, run: Run) -> Iterator[str]:
    if run.quick != suite_file.quick:
        yield "a quick one" if run.quick else "not a quick one"
    if run.suite_hash != suite_file.hash:
        yield f"of the suite {run.suite} with other models, settings or options"
    if run.replicate != replicate:
        yield "of all replicates" if run.replicate is None else f"of replicate {run.replicate}"


def _differences(plan: Plan, run: Run, folder: Path) -> Iterator[str]:
    """Why records of `run`, of the same suite, would not do for `plan`; what takes long to find
    comes last."""
    yield from _other_machine(plan, run)
    cells = _keys(plan)
    if run.cells != cells and not (run.parts and {*run.cells} <= {*cells}):
        yield "of other cells"
    yield from _other_models(plan, run, folder)
    yield from _requantised(plan, run)
    yield from _other_classes(plan, folder)
    yield from _other_images(plan, folder)


def _other_machine(plan: Plan, run: Run) -> Iterator[str]:
    """In what the machine is another now. A run of several kinds of device goes on with others of
    these kinds."""
    is_part = run.replicate is not None or run.parts
    same = _SAME_KIND if is_part or run.machines else _SAME_RUN
    pin = ": a job array needs one kind of node, by --partition or --constraint" if is_part else ""
    for name, was, is_now in environment.other_machines(run.kinds, plan.kinds, same):
        yield f"{name} was {was}, is {is_now}{pin}"


def _other_models(plan: Plan, run: Run, folder: Path) -> Iterator[str]:
    """Which models of the run are others now, trained or not, or built from another file."""
    with_weights = {model.name for model in run.with_weights} if run.trains else set()
    for model in plan.models if run.trains else ():
        if (model.name in with_weights) != (model.weights is not None):
            came = "came" if model.weights is None else "did not come"
            comes = "does not" if model.weights is None else "does"
            yield f"{model.name} {came} with weights, and {comes} now"
    before = origins.of(records.read(folder)) if plan.origins else {}
    for name, now in plan.origins.items():
        if then := origins.other_before(name, now, before):
            was, is_now = origins.describe(then), origins.describe(now)
            yield f"{name} was built from {was}, now from {is_now}"


def _requantised(plan: Plan, run: Run) -> Iterator[str]:
    """What int8 models were made of that is another now: their speed and accuracy are of one."""
    if all(setting.precision != "int8" for setting in plan.settings):
        return
    before = {model.name: model.weights for model in run.models}
    for model in plan.models:
        if before.get(model.name) != model.weights:
            yield f"int8 of {model.name} was made of other weights"
    then, now = (accuracy.get("path") for accuracy in (run.accuracy, _accuracy(plan)))
    if then != now:
        yield f"int8 was calibrated with images of {then}, not of {now}"


def _other_classes(plan: Plan, folder: Path) -> Iterator[str]:
    """Which model chose among other classes than it would now."""
    now = {} if plan.evaluation is None else labels.tell(plan.evaluation)
    for record in records.read(folder) if now else ():
        evaluated = record.status == "ok" and record.measure == "accuracy"
        if evaluated and any(record.details.get(key) != value for key, value in now.items()):
            yield f"{record.model} chose among other classes than valid_labels has now"


def _other_images(plan: Plan, folder: Path) -> Iterator[str]:
    """Which images on this machine's disks are others now than models were evaluated on, or have
    learned from."""
    task = plan.evaluation
    if task is None or task.path is None or source(task.asked.dataset).path != "needed":
        return
    classes = plan.models[0].num_classes  # a suite's models have the same
    homes = [folder, *sorted(folder.glob("replicate-*"))]
    listed = [
        predictions.read_images(home) for home in homes if predictions.images_path(home).exists()
    ]
    now = local.call(Target.LIST_EVALUATED, task, classes) if listed else Images((), ())
    for before in listed:
        if changed := before.changed(now):
            yield f"{changed} and what follows is not what models were evaluated on"
    learned = files.learned(folder)
    if learned.exists():
        digest = local.call(Target.DIGEST_LEARNED, task, classes)
        if disk.text_of(learned, RecordsError) != digest:
            yield "the images to learn from are others"


def _new_run(
    plan: Plan, folder: Path, command: str, now: datetime, neighbours: Neighbours | None
) -> Path:
    suite = plan.suite_file.suite
    run = Run(
        suite=suite.name,
        title=f"{suite.title or suite.name}{' (quick)' if plan.suite_file.quick else ''}",
        suite_hash=plan.suite_file.hash,
        suite_path=plan.suite_file.argument or "",
        device=str(plan.machine["device"]),
        models=plan.models,
        settings=plan.settings,
        measures=tuple(suite.measures),
        cells=_keys(plan),
        replicates=suite.replicates,
        only=plan.only,
        unavailable=plan.unavailable,
        command=command,
        created=now.isoformat(timespec="seconds"),
        machine=plan.machine,
        precision=suite.precision,
        accuracy=_accuracy(plan),
        claims=_claims(plan),
        neighbours=neighbours,
        added=plan.suite_file.added,
        quick=plan.suite_file.quick,
        replicate=plan.replicate,
        machines=plan.machines,
    )
    with disk.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with runfolder.locking(folder):
        if (folder / "run.json").exists():
            raise RecordsError(f"{folder}: another command has begun a run in it; give another "
                               f"--out")  # fmt: skip
        records.rewrite_run(folder, run)
    return folder


def continue_run(plan: Plan, run: Run, budget: float | None) -> Run:
    """The run with what may be given to one that lacked it: weights, images, claims, a budget, and
    the cells that are in none of its parts."""
    given = {name: value for name, value in _accuracy(plan).items() if value is not None}
    return replace(
        run,
        models=plan.models,
        cells=_keys(plan),
        only=plan.only,
        finished=run.finished if run.cells == _keys(plan) else "",
        accuracy={**run.accuracy, **given},
        claims=_claims(plan),
        budget=budget,
    )


def _keys(plan: Plan) -> tuple[str, ...]:
    return tuple(cell.key for cell in plan.cells)


def _accuracy(plan: Plan) -> dict[str, Any]:
    """What models are evaluated on, for run.json; empty where none is."""
    task = plan.evaluation
    if task is None or not plan.evaluated:
        return {}
    path = None if task.path is None else str(task.path)
    return {**task.asked.model_dump(), "path": path, "allow_missing": task.allow_missing}


def _claims(plan: Plan) -> tuple[Claim, ...]:
    return tuple(Claim(claim.say, claim.check) for claim in plan.suite_file.suite.claims)
