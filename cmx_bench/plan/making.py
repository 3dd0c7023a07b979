"""A suite turned into cells for one machine.

`resolving` entries → models · `estimates` models → MACs and seconds · here what comes of both.
"""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from cmx_bench import datasets
from cmx_bench.accuracy import Evaluation, calibrating, images
from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.datasets import Dataset, Split
from cmx_bench.errors import ModelError, PlanError
from cmx_bench.measures import MEASURES, instructions, runtimes
from cmx_bench.plan import Cost, Plan, estimates, impossible, replicates_of, resolving
from cmx_bench.plan.users import Asked, place_error, smallest_batches
from cmx_bench.results import checkouts
from cmx_bench.results.records import Environment
from cmx_bench.spec.document import Location
from cmx_bench.spec.settings import CpuSetting, CudaSetting
from cmx_bench.spec.suite import SuiteFile
from cmx_bench.worker.machine import capture, git_commit, resolve_device, unused_gpu

ALL = Asked()


def make_plan(suite_file: SuiteFile, device: str, asked: Asked = ALL) -> Plan:
    """The plan of a suite for "auto", "cpu", "cuda" or "cuda:N" of this machine.

    Raises:
        DataError: the images given are none.
        PlanError: there is no such device, or nothing to measure.
        SuiteError: the suite asks for what cannot be done.
    """
    starting = estimates.starting_seconds()
    machine = capture(resolve_device(device))
    # Of the run, not of each process: cmx-bench's own commit, and that of the user's checkout.
    machine |= {"git_commit": git_commit(), "project_commit": checkouts.commit_of(Path.cwd())}
    machine |= {**instructions.of_cpu(), **runtimes.versions()}
    if device == "auto" and (why := unused_gpu()):
        machine |= {"unused_gpu": why}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's about operators that models use
        rate = estimates.core_rate()
        return replace(make(suite_file, machine, asked, rate), starting=starting)


def make(
    suite_file: SuiteFile, machine: Environment, asked: Asked = ALL,
    core_rate: float = estimates.CPU_RATE,
) -> Plan:  # fmt: skip
    """The plan for `machine`, which `worker.machine.capture` describes.

    Args:
        core_rate: multiply-accumulates a second of one core, for the estimate.

    Raises:
        SuiteError: a model or setting of the suite cannot be measured, with its place in the file.
        DataError: the images given are none.
        PlanError: there is nothing to measure, or so many processes cannot train together.
    """
    if machine.get("CUDA_LAUNCH_BLOCKING", "0") != "0":
        raise PlanError("CUDA_LAUNCH_BLOCKING is set: the host waits for every kernel, and that "
                        "would be measured; unset it")  # fmt: skip
    suite, evaluation = suite_file.suite, asked.evaluation
    models, settings, costs = _resolve(suite_file, machine, asked)
    cells, repeats = _cells(models, suite.measures, settings, asked.only), suite.replicates
    if asked.replicate is not None:
        cells, repeats = _with_replicate(asked.replicate, cells, repeats, evaluation), 1
    keys = {cell.setting_key for cell in cells}
    chosen = [setting for setting in settings if setting.key in keys]
    _refuse_impossible(suite_file, settings, chosen, machine, evaluation)
    lacks = {cell.key: _lack(cell, evaluation, asked.trusted, suite_file.quick) for cell in cells}
    skipped = {key: why for key, why in lacks.items() if why}
    executed = [cell for cell in cells if cell.key not in skipped]
    pairs = {(cell.model.name, cell.measure) for cell in executed}
    opened = _open(evaluation, executed)
    seconds = estimates.estimates(executed, costs, machine, repeats, evaluation, opened, core_rate)
    return Plan(
        suite_file, machine, models, settings, cells, seconds | dict.fromkeys(skipped, 0.0),
        _unavailable(suite_file, _kind(machine)), tuple(asked.only),
        evaluation=evaluation, skipped=skipped,
        opened={split: dataset.about for split, dataset in opened.items()},
        troubles=tuple(dict.fromkeys(cost.trouble for cost in costs.values() if cost.trouble)),
        origins={name: cost.origin for (name, _), cost in costs.items() if cost.origin},
        replicate=asked.replicate,
        cautions=(
            *impossible.cautions(chosen, machine),
            *impossible.lacking(skipped, len(cells)),
            *impossible.undecided(suite_file, pairs),
            *_misfits(executed, costs),
        ),
    )  # fmt: skip


def _misfits(executed: Sequence[Cell], costs: Mapping[tuple[str, int], Cost]) -> dict[str, None]:
    """The models whose logits do not fit the suite's classes: those that are evaluated, and all of
    them where another model fits."""
    measured = {cell.model.name for cell in executed}
    evaluated = {cell.model.name for cell in executed if MEASURES[cell.measure].together}
    misfits = {name: cost.misfit for (name, _), cost in costs.items() if cost.misfit}
    compared = measured if measured - misfits.keys() else evaluated
    return dict.fromkeys(
        f"{'accuracy will fail' if name in evaluated else 'not like for like'}: {misfit}"
        for name, misfit in misfits.items()
        if name in compared
    )


def _kind(machine: Environment) -> str:
    return str(machine["device"]).partition(":")[0]


def _resolve(
    suite_file: SuiteFile, machine: Environment, asked: Asked
) -> tuple[tuple[Model, ...], tuple[Setting, ...], dict[tuple[str, int], Cost]]:
    """The models and settings of a suite on this machine, and the cost of each model at each image
    size, by its name and the size."""
    kind = _kind(machine)
    entries = _entries(suite_file, kind)
    batches = smallest_batches(entries)
    placed = resolving.models(suite_file, asked)
    costs = {
        (model.name, size): _cost(suite_file, index, model, size, batch, asked)
        for index, model in placed
        for size, batch in batches.items()
    }
    least = min(batches)
    models = tuple(replace(m, **costs[m.name, least].traits) for _, m in placed)  # type: ignore[arg-type]
    settings = tuple(_setting(entry, machine, costs) for entry in entries)
    _refuse_repeats(suite_file, kind, settings)
    return models, settings, costs


def _entries(suite_file: SuiteFile, kind: str) -> Sequence[CpuSetting | CudaSetting]:
    entries: Sequence[CpuSetting | CudaSetting] = getattr(suite_file.suite.settings, kind)
    if not entries:
        raise suite_file.document.error(
            ("settings", "<key>"), f"no settings for {kind}; add one under {kind}: or use --device"
        )
    return entries


def _cost(
    suite_file: SuiteFile, index: int, model: Model, image_size: int, batch: int, asked: Asked
) -> Cost:
    """The cost, whose trouble, if it has any, says where in the file the model is."""
    try:
        known = asked.tried.costs.get((model.name, image_size))
        cost = known or estimates.cost(model, image_size, batch)
    except ModelError as error:
        raise place_error(suite_file, index, error) from None
    placed = suite_file.document.error(("models", index), cost.trouble)
    return replace(cost, trouble=str(placed)) if cost.trouble else cost


def _setting(
    entry: CpuSetting | CudaSetting, machine: Environment, costs: Mapping[tuple[str, int], Cost]
) -> Setting:
    batch = entry.batch_size
    if batch == "auto":
        threads = getattr(entry, "threads", None) or machine["threads"]
        heaviest = max(cost.macs for (_, size), cost in costs.items() if size == entry.image_size)
        batch = estimates.auto_batch(heaviest, threads)
    rest = entry.model_dump(exclude={"batch_size"})
    return Setting(device=str(machine["device"]), batch_size=batch, **rest)


def _refuse_repeats(suite_file: SuiteFile, kind: str, settings: Sequence[Setting]) -> None:
    keys = [setting.key for setting in settings]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            raise suite_file.document.error(
                ("settings", kind, index), f"equals another setting ({key}); keep one"
            )


def _refuse_impossible(
    suite_file: SuiteFile, settings: Sequence[Setting], chosen: Sequence[Setting],
    machine: Environment, evaluation: Evaluation | None,
) -> None:  # fmt: skip
    if evaluation is not None:
        _refuse_training(suite_file, evaluation, machine)
    kind = _kind(machine)
    entries = enumerate(zip(_entries(suite_file, kind), settings, strict=True))
    asked: dict[Location, impossible.Entry] = {
        ("settings", kind, index): entry for index, (entry, setting) in entries if setting in chosen
    }
    impossible.refuse_impossible(suite_file, asked, machine)


def _refuse_training(suite_file: SuiteFile, evaluation: Evaluation, machine: Environment) -> None:
    recipe, count = evaluation.asked.train, evaluation.processes
    if recipe is not None and (old := impossible.too_old(recipe.amp, machine)):
        raise suite_file.document.error(("accuracy", "train"), old)
    if count == 1:
        return
    if recipe is None:
        raise PlanError(f"--processes {count}: the suite trains no models; leave it out")
    if recipe.batch_size % (2 * count):  # mixup pairs two images
        raise PlanError(f"--processes {count}: the recipe's batch_size of {recipe.batch_size} "
                        f"cannot be shared equally, in pairs; use fewer")  # fmt: skip
    kind, _, index = str(machine["device"]).partition(":")
    if kind == "cpu":
        most, each = machine["cores"], f"core of its own, and {machine['cores']} are usable"
    else:
        most = machine["device_count"] - int(index)
        each = f"CUDA device of its own, and this machine has {most} from {kind}:{index} on"
    if count > most:
        raise PlanError(f"--processes {count}: each needs a {each}; use no more")


def _open(evaluation: Evaluation | None, cells: Sequence[Cell]) -> dict[Split, Dataset]:
    """The images, where opening them takes no download: what is wrong with them is told before
    anything is measured."""
    evaluated = [cell for cell in cells if MEASURES[cell.measure].together]
    if evaluation is None:
        return {}
    if datasets.is_remote(evaluation.asked.dataset) and evaluation.path is None:
        return {}
    if any(cell.is_quantised for cell in cells):
        calibrating.images_of(evaluation)
    if not evaluated:
        return {}
    trained = any(evaluation.trains(cell.model) for cell in evaluated)
    splits: tuple[Split, ...] = ("train", "validation") if trained else ("validation",)
    num_classes = evaluated[0].model.num_classes
    return {split: images(evaluation, num_classes, split) for split in splits}


def _lack(cell: Cell, evaluation: Evaluation | None, trusted: bool, quick: bool) -> str | None:
    """What a cell that evaluates, or is calibrated on images, lacks, with the option that gives it;
    None for any other."""
    if evaluation is None or not (MEASURES[cell.measure].together or cell.is_quantised):
        return None
    if quick and evaluation.trains(cell.model):
        return "a quick run trains no models: run without --quick"
    if cell.model.weights is None and evaluation.asked.train is None:
        return (f"no weights, and an untrained model guesses: name some under weights, or add "
                f"--weights {cell.model.name}=FILE")  # fmt: skip
    paths = {} if evaluation.path is None else {evaluation.asked.dataset: evaluation.path}
    return datasets.missing(evaluation.asked.dataset, paths, trusted)


def _cells(
    models: Sequence[Model], measures: Sequence[str], settings: Sequence[Setting],
    only: Sequence[str],
) -> tuple[Cell, ...]:  # fmt: skip
    """Every combination once: settings of one image size share the cells of exact measures."""
    cells = {
        cell.key: cell
        for measure in measures
        for setting in settings
        for model in models
        if (cell := Cell(model, measure, setting, MEASURES[measure].scope))
    }
    chosen = tuple(cell for cell in cells.values() if _is_chosen(cell, only))
    if not chosen:
        raise PlanError(
            f"--only {' '.join(only)}: no cell matches; cells look like {next(iter(cells))}"
        )
    return chosen


def _with_replicate(
    replicate: int, cells: Sequence[Cell], repeats: int, evaluation: Evaluation | None
) -> tuple[Cell, ...]:
    """The cells that have this replicate: those measured once have number 0 alone."""
    counts = [replicates_of(cell, repeats, evaluation) for cell in cells]
    chosen = tuple(cell for cell, count in zip(cells, counts, strict=True) if replicate < count)
    if not chosen:
        last = max(counts) - 1
        raise PlanError(f"--replicate {replicate}: no cell has it; the last is {last}")
    return chosen


def _is_chosen(cell: Cell, only: Sequence[str]) -> bool:
    """By its key or its model: of several globs one must match, and none that begins with `!`."""
    names = (cell.key, cell.model.name)
    matches = {glob: any(fnmatchcase(name, glob.lstrip("!")) for name in names) for glob in only}
    wanted = [glob for glob in only if not glob.startswith("!")]
    left_out = [glob for glob in only if glob.startswith("!")]
    return (not wanted or any(map(matches.get, wanted))) and not any(map(matches.get, left_out))


def _unavailable(suite_file: SuiteFile, kind: str) -> dict[str, str]:
    other = {"cpu": "cuda", "cuda": "cpu"}[kind]
    command = shlex.join(["python", "-m", "cmx_bench", "run", *suite_file.words])
    return {
        f"{other}/{setting.name}": f"measured on a {other.upper()} device by: "
        f"{command} --device {other}"
        for setting in getattr(suite_file.suite.settings, other)
    }
