"""A suite turned into cells for one machine: names resolved, batch size chosen, time estimated."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import timm
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cmx_bench import datasets
from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.designs.convmixer import PUBLISHED
from cmx_bench.document import Location
from cmx_bench.errors import CmxError, MatchError, ModelError, PlanError, nearest
from cmx_bench.matching import formats, search
from cmx_bench.measures import MEASURES, counting
from cmx_bench.models import families, weights
from cmx_bench.models.building import build, build_on_meta
from cmx_bench.plan import Plan
from cmx_bench.records import Environment
from cmx_bench.schema import NAME
from cmx_bench.suite import CpuSetting, CudaSetting, MatchEntry, ModelEntry, SuiteFile

# Multiply-accumulates a second, for estimates only. CPU: one core, between what ConvMixer and the
# token models reach; CUDA: a third of what a data-centre GPU of 2020 reaches, by input type.
_CPU_RATE = 2.0e10
_CUDA_RATE = {"fp32": 3e12, "tf32": 1e13, "fp16": 3e13, "bf16": 3e13, "autocast": 2e13}
_COMPILE_SECONDS = 60.0
# An image of 500 × 375 pixels, read, decoded and resized by one core; one of 32 × 32, in memory.
_PHOTOGRAPH_SECONDS, _SMALL_SECONDS = 0.01, 0.001
_TRAINING_PASSES = 3  # a step takes about as long as three forward passes
_SOME_IMAGES = 50_000  # where nobody says how many there are
_SECONDS_A_PARAMETER = 1.5e-8  # drawing initial weights

# `batch_size: auto`: the heaviest model's batch is at most this many MACs a core, so that one
# forward pass lasts about a second.
_AUTO_MACS = 1.6e10
_AUTO_LARGEST = 64


def make(
    suite_file: SuiteFile,
    machine: Environment,
    only: Sequence[str] = (),
    allow_import: bool = False,
    evaluation: Evaluation | None = None,
    given: Mapping[str, Path] | None = None,
) -> Plan:
    """The plan for `machine`, which `machine.capture` describes.

    Args:
        only: globs over cell keys or model names; empty for all.
        allow_import: whether `python:` models may be imported.
        evaluation: on which images models are evaluated.
        given: files of weights by the model's name, which win over the suite's.

    Raises:
        SuiteError: a model or setting of the suite cannot be measured, with its place in the file.
        DataError: the images given are none.
        PlanError: there is nothing to measure.
    """
    suite = suite_file.suite
    kind = str(machine["device"]).partition(":")[0]
    entries: Sequence[CpuSetting | CudaSetting] = getattr(suite.settings, kind)
    if not entries:
        raise suite_file.document.error(
            ("settings", "<key>"), f"no settings for {kind}; add one under {kind}: or use --device"
        )
    placed = _models(suite_file, allow_import, given or {})
    for index, entry in enumerate(entries):
        _refuse_impossible(suite_file, ("settings", kind, index), entry, machine)
    sizes = sorted({entry.image_size for entry in entries})
    costs = {
        (model.name, size): _cost(suite_file, index, size, model)
        for index, model in placed
        for size in sizes
    }
    models = tuple(replace(m, **costs[m.name, sizes[0]].traits) for _, m in placed)  # type: ignore[arg-type]
    settings = tuple(
        _setting(entry, machine, max(costs[m.name, entry.image_size].macs for m in models))
        for entry in entries
    )
    keys = [setting.key for setting in settings]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            raise suite_file.document.error(
                ("settings", kind, index), f"comes to the same as another setting ({key}); keep one"
            )
    cells = _cells(models, suite.measures, settings, only)
    skipped = {cell.key: why for cell in cells if (why := _lack(cell, evaluation))}
    if evaluation is not None and evaluation.asked.train is not None:
        _refuse_weights(suite_file, models)
    images = _images(evaluation, cells, skipped)
    small = evaluation is not None and datasets.is_small(evaluation.asked.dataset)
    reading = images * (_SMALL_SECONDS if small else _PHOTOGRAPH_SECONDS) / machine["cores"]
    return Plan(
        suite_file,
        machine,
        models,
        settings,
        cells,
        {
            cell.key: 0.0
            if cell.key in skipped
            else _estimate(
                cell, costs[cell.model.name, cell.setting.image_size], machine, images, reading
            )
            for cell in cells
        },
        _unavailable(suite_file, kind),
        tuple(only),
        evaluation,
        skipped,
    )


def _refuse_weights(suite_file: SuiteFile, models: Sequence[Model]) -> None:
    for model in models:
        if model.weights is not None:
            raise suite_file.document.error(
                ("accuracy", "train"),
                f"train: {model.name} has weights ({model.weights}), and models are trained from "
                f"initial ones; leave either out",
            )


def _lack(cell: Cell, evaluation: Evaluation | None) -> str | None:
    """What a cell that evaluates lacks, with the option that gives it; None for any other."""
    if not MEASURES[cell.measure].together or evaluation is None:
        return None
    if cell.model.weights is None and evaluation.asked.train is None:
        return (f"no weights, and an untrained model guesses: name some under weights, or add "
                f"--weights {cell.model.name}=FILE")  # fmt: skip
    paths = {} if evaluation.path is None else {evaluation.asked.dataset: evaluation.path}
    return datasets.missing(evaluation.asked.dataset, paths)


def _images(
    evaluation: Evaluation | None, cells: Sequence[Cell], skipped: Mapping[str, str]
) -> int:
    """How many images a model sees, for estimates: those that it is evaluated on and, three times
    as long, those that it is trained on. Counted where that takes no download."""
    evaluated = any(MEASURES[one.measure].together and one.key not in skipped for one in cells)
    if evaluation is None or not evaluated:
        return 0
    name = evaluation.asked.dataset
    if datasets.is_remote(name) and evaluation.path is None:
        return _SOME_IMAGES
    images = datasets.open_dataset(name, evaluation.path).size or _SOME_IMAGES
    if (recipe := evaluation.asked.train) is None:
        return images
    learned = datasets.open_dataset(name, evaluation.path, "train").size or _SOME_IMAGES
    each = recipe.epochs * (images + _TRAINING_PASSES * learned)
    return len(evaluation.seeds) * each


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
    chosen = tuple(
        cell
        for cell in cells.values()
        if not only or any(_chosen(cell, pattern) for pattern in only)
    )
    if not chosen:
        raise PlanError(
            f"--only {' '.join(only)}: no cell matches; cells look like {next(iter(cells))}"
        )
    return chosen


def _chosen(cell: Cell, pattern: str) -> bool:
    return fnmatchcase(cell.key, pattern) or fnmatchcase(cell.model.name, pattern)


def _models(
    suite_file: SuiteFile, allow_import: bool, given: Mapping[str, Path]
) -> list[tuple[int, Model]]:
    """All models in the suite's order, each with the number of the entry that it comes from."""
    named: dict[int, Model] = {}
    matches: dict[int, MatchEntry] = {}
    for index, entry in enumerate(suite_file.suite.models):
        if isinstance(entry, MatchEntry):
            matches[index] = entry
        else:
            named[index] = _resolve(suite_file, index, entry, allow_import, given)
    known = {model.name: model for model in named.values()}
    placed = list(named.items())
    for index, entry in matches.items():
        for model in _matched(suite_file, index, entry, known):
            if any(model.name == other.name for _, other in placed):
                raise suite_file.document.error(
                    ("models", index), f"{model.name!r} is there already; keep one of the two"
                )
            own = given.get(model.name)
            placed.append((index, replace(model, weights=None if own is None else str(own))))
    if given and not given.keys() & {model.name for _, model in placed}:
        raise PlanError(
            f"--weights: no file is called like a model of the suite, such as {placed[0][1].name}"
        )
    return sorted(placed, key=lambda one: one[0])


def _matched(
    suite_file: SuiteFile, index: int, entry: MatchEntry, known: Mapping[str, Model]
) -> Iterator[Model]:
    """The members of other families that a `match:` entry stands for.

    Args:
        known: the suite's other models, by name.
    """
    suite, error, location = suite_file.suite, suite_file.document.error, ("models", index)
    settings: list[CudaSetting | CpuSetting] = [*suite.settings.cuda, *suite.settings.cpu]
    sizes = sorted({setting.image_size for setting in settings})
    if entry.image_size is None and len(sizes) > 1:
        listed = " and ".join(map(str, sizes))
        raise error(location, f"image_size is missing: the settings have images of {listed} px")
    size = entry.image_size or sizes[0]

    def wanted(quantity: search.Quantity) -> int:
        return amount(quantity, str(entry.match), known, suite.num_classes, size)

    try:
        amounts = {quantity: entry.number or wanted(quantity) for quantity in entry.quantities}
    except CmxError as problem:
        raise error((*location, "match"), str(problem)) from None
    target = search.Target(amounts, suite.num_classes, size)
    for place, family in enumerate(entry.families):
        try:
            match = search.find(family, target, entry.within, entry.patch_size)
        except MatchError as problem:
            raise error((*location, "families", place), str(problem)) from None
        yield _source(ModelEntry(**formats.entry(match)), suite.num_classes, allow_import=False)


def amount(
    quantity: search.Quantity,
    name: str,
    known: Mapping[str, Model],
    num_classes: int,
    image_size: int,
) -> int:
    """Parameters, or MACs for one image, of one of the `known` models or of another by its name.

    Raises:
        CmxError: nobody knows a model of that name, or it cannot be built or counted.
    """
    if name not in known and not re.fullmatch(NAME, name):
        raise ModelError(f"{name!r}: expected a model or a number such as 21.1M")
    model = known.get(name) or _source(ModelEntry(name=name), num_classes, allow_import=False)
    if quantity == "macs":
        return counting.count(lambda: build(model, image_size), image_size).macs
    module = build_on_meta(lambda: build(model, image_size))
    return sum(parameter.numel() for parameter in module.parameters())


def _resolve(
    suite_file: SuiteFile,
    index: int,
    entry: ModelEntry,
    allow_import: bool,
    given: Mapping[str, Path],
) -> Model:
    """The model of one entry, its name known to timm, its weights there."""
    suite, location = suite_file.suite, ("models", index)
    try:
        model = _source(entry, suite.num_classes, allow_import)
        named = given.get(model.name) or _weights(model, suite_file.document.path.parent)
        return replace(model, weights=None if named is None else str(named))
    except (ModelError, PlanError) as error:
        raise suite_file.document.error(location, str(error)) from None


def _source(entry: ModelEntry, num_classes: int, allow_import: bool) -> Model:
    label = entry.label or entry.name
    if entry.python is not None:
        if not allow_import:
            raise PlanError(
                f"{entry.name}: python: {entry.python!r} would run code; "
                f"add --allow-import if you trust this suite"
            )
        return Model(entry.name, label, entry.family or entry.name, "python", entry.python,
                     entry.args, entry.weights, num_classes)  # fmt: skip
    if entry.design is not None:
        family, arguments = entry.design
        return Model(entry.name, label, entry.family or family, family, "",
                     arguments, entry.weights, num_classes)  # fmt: skip
    architecture, _, tag = (entry.timm or entry.name).partition(".")
    weights_named = entry.weights or tag or None
    recipe = tag or ("" if weights.is_file(entry.weights or "") else entry.weights or "")
    if entry.timm is None and architecture in PUBLISHED and not entry.args:
        return Model(entry.name, label, entry.family or "convmixer", "convmixer", architecture,
                     PUBLISHED[architecture].arguments, weights_named, num_classes,
                     recipe=recipe)  # fmt: skip
    if not timm.is_model(architecture):
        raise ModelError(
            f"unknown model {architecture!r}{nearest(architecture, timm.list_models())} "
            f"(see: cmx-bench list models)"
        )
    return Model(entry.name, label, entry.family or families.family(architecture), "timm",
                 architecture, entry.args, weights_named, num_classes, recipe=recipe)  # fmt: skip


def _weights(model: Model, folder: Path) -> str | None:
    """A tag that timm knows, or the path of a file that is there; paths start at the suite."""
    if model.weights is None:
        return None
    if not weights.is_file(model.weights):
        tags = weights.tags(model)
        if model.weights not in tags:
            raise ModelError(
                f"{model.name}: timm has no weights {model.weights!r} for it"
                f"{nearest(model.weights, tags)} (known: {', '.join(tags) or 'none'})"
            )
        return model.weights
    path = folder / model.weights
    if not path.is_file():
        raise ModelError(f"{model.name}: no weights at {path}; give the path of a checkpoint")
    return str(path)


def _refuse_impossible(
    suite_file: SuiteFile, location: Location, entry: CpuSetting | CudaSetting,
    machine: Environment,
) -> None:  # fmt: skip
    """What the types allow and this device cannot do."""
    capability = float(machine.get("compute_capability", "inf"))
    if entry.precision in ("bf16", "tf32") and capability < 8:
        raise suite_file.document.error(
            (*location, "precision"),
            f"{entry.precision} needs a GPU of compute capability 8.0, "
            f"{machine['device_name']} has {capability}; use fp16",
        )
    if entry.compile != "none" and not machine["cxx"]:
        raise suite_file.document.error(
            (*location, "compile"),
            "compiling needs a C++ compiler; install g++, or set compile: none",
        )
    threads = getattr(entry, "threads", None)
    if threads is not None and threads > machine["cores"]:
        raise suite_file.document.error(
            (*location, "threads"), f"{threads} threads, but {machine['cores']} cores are usable"
        )


@dataclass(frozen=True, slots=True)
class _Cost:
    """What estimates and the batch size need of one model at one image size."""

    macs: int
    params: int
    traits: Mapping[str, int | str | None]


def _cost(suite_file: SuiteFile, index: int, image_size: int, model: Model) -> _Cost:
    """Builds the model without weights, which also shows that its arguments are right."""
    try:
        module = build_on_meta(lambda: build(model, image_size))
        macs = _macs(module, image_size, "meta")
    except ModelError as error:
        raise suite_file.document.error(("models", index), str(error)) from None
    except Exception:  # some forwards read a value, which meta tensors lack; others are wrong
        macs = _macs_on_cpu(suite_file, index, image_size, model)
    return _Cost(
        macs,
        sum(parameter.numel() for parameter in module.parameters()),
        {
            "patch_size": families.patch_size(module),
            "kernel_size": families.kernel_size(module),
            "activation": families.activation(module),
        },
    )


def _macs_on_cpu(suite_file: SuiteFile, index: int, image_size: int, model: Model) -> int:
    try:
        return _macs(build(model, image_size), image_size, "cpu")
    except Exception as error:  # whatever the model's own code raises
        first_line = str(error).partition("\n")[0]
        raise suite_file.document.error(
            ("models", index),
            f"{model.name}: does not run on {image_size} px images: {first_line}",
        ) from error


def _macs(module: nn.Module, image_size: int, device: str) -> int:
    """A count for estimates and for the batch size: what torch's counter knows of."""
    module.requires_grad_(False)
    with torch.device(device), FlopCounterMode(display=False) as counter:
        module(torch.empty(1, 3, image_size, image_size))
    return int(counter.get_total_flops()) // 2


def _setting(entry: CpuSetting | CudaSetting, machine: Environment, most_macs: int) -> Setting:
    batch = entry.batch_size
    if batch == "auto":
        threads = getattr(entry, "threads", None) or machine["threads"]
        batch = auto_batch(most_macs, threads)
    rest = entry.model_dump(exclude={"batch_size"})
    return Setting(device=str(machine["device"]), batch_size=batch, **rest)


def auto_batch(most_macs: int, threads: int) -> int:
    """The batch size of a whole suite on a CPU: a power of two up to `_AUTO_LARGEST`.

    By arithmetic alone (the heaviest model's MACs for one image, the number of threads), so that
    every run on a machine chooses the same, and every model of a table gets the same.
    """
    batch = 1
    while batch < _AUTO_LARGEST and 2 * batch * most_macs <= _AUTO_MACS * threads:
        batch *= 2
    return batch


def _estimate(cell: Cell, cost: _Cost, machine: Environment, images: int, reading: float) -> float:
    """Seconds of one execution; a cell that evaluates sees so many images, read in that time."""
    info, setting = MEASURES[cell.measure], cell.setting
    if info.scope == "resolution":
        return info.seconds
    threads = setting.threads or machine["threads"]
    rate = _CPU_RATE * threads if setting.kind == "cpu" else _CUDA_RATE[setting.precision]
    compiles = setting.compile != "none" and info.forwards > 0
    compiling = _COMPILE_SECONDS if compiles else 0.0
    passes = images if info.together else info.forwards * setting.batch_size
    forwards = passes * cost.macs / rate
    forwards += reading if info.together else 0.0
    building = cost.params * _SECONDS_A_PARAMETER
    return info.seconds + building + forwards + compiling


def _unavailable(suite_file: SuiteFile, kind: str) -> dict[str, str]:
    other = {"cpu": "cuda", "cuda": "cpu"}[kind]
    command = f"python -m cmx_bench run {shlex.quote(suite_file.argument)}"
    return {
        f"{other}/{setting.name}": f"measured on a {other.upper()} device by: "
        f"{command} --device {other}"
        for setting in getattr(suite_file.suite.settings, other)
    }
