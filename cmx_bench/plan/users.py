"""Tries users' models for a plan, each in a process of its own, so that one that dies or hangs ends
nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Model
from cmx_bench.designs.search import Quantity
from cmx_bench.errors import CmxError, ModelError, RefusedModelError, SuiteError
from cmx_bench.plan import Cost
from cmx_bench.spec.model_entries import MatchEntry, ModelEntry
from cmx_bench.spec.settings import CpuSetting, CudaSetting
from cmx_bench.spec.suite import SuiteFile
from cmx_bench.worker import local
from cmx_bench.worker.local import Call, ProcessError
from cmx_bench.worker.targets import Target

_LONGEST = 300.0  # seconds for one model, where the suite's timeout gives more

# Of a model that another is to match: its name, what is matched, the size of images.
Amount: TypeAlias = tuple[str, Quantity, int]


@dataclass(frozen=True, slots=True)
class Tried:
    """What users' models cost by name and image size, and how large those are that others match, or
    why nobody knows."""

    costs: Mapping[tuple[str, int], Cost] = field(default_factory=dict)
    amounts: Mapping[Amount, int | CmxError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plan is made of besides a suite and a machine.

    `only` are globs over cell keys or model names, with `!` before it one of what is left out;
    empty for all. A suite is `trusted` where its `python:` models may be imported, its files may
    lie anywhere, and its data set may be downloaded. `evaluation` says on which images models are
    evaluated; `given` are files of weights by the model's name, which win over the suite's;
    `tried` is what is known of users' models, and others are tried by the process that makes the
    plan; `replicate` is the only one to measure, of the cells that have it.
    """

    only: Sequence[str] = ()
    trusted: bool = False
    evaluation: Evaluation | None = None
    given: Mapping[str, Path] = field(default_factory=dict)
    tried: Tried = field(default_factory=Tried)
    replicate: int | None = None


def try_models(suite_file: SuiteFile, device: str, call: Call = local.call) -> Tried:
    """Imports the functions that count operators, and builds and runs the users' models, of a
    trusted suite; without any it starts no process.

    Args:
        call: runs functions where the models are found.

    Raises:
        PlanError: there is no such device.
        SuiteError: a function cannot be imported, or a model names no callable or gives it other
            arguments than it takes; with its place in the file.
    """
    suite = suite_file.suite
    _refuse_rules(suite_file, call)
    models = {
        entry.name: replace(model_of(entry, suite.num_classes), counted_by=suite.macs.words)
        for entry in suite.models
        if isinstance(entry, ModelEntry) and entry.python is not None
    }
    if not models:
        return Tried()
    kind = str(call(Target.RESOLVE_DEVICE, device)).partition(":")[0]
    sizes = smallest_batches(getattr(suite.settings, kind))
    limit = min(suite.timeout, _LONGEST)
    costs: dict[tuple[str, int], Cost] = {}
    for index, entry in enumerate(suite.models):
        if (model := models.get(getattr(entry, "name", ""))) is None:
            continue
        try:
            known = _costs(model, sizes, limit, call)
        except ModelError as error:
            raise place_error(suite_file, index, error) from None
        costs |= {(model.name, size): cost for size, cost in known.items()}
    matched = {
        (str(entry.match), quantity, size): models[str(entry.match)]
        for entry in suite.models
        if isinstance(entry, MatchEntry) and str(entry.match) in models
        for quantity in entry.quantities
        for size in matched_sizes(suite_file, entry)
    }
    return Tried(costs, {key: _amount(key, model, limit, call) for key, model in matched.items()})


def place_error(suite_file: SuiteFile, index: int, error: CmxError) -> SuiteError:
    """The error of a model that cannot be built, with the place in its entry that is wrong."""
    key = error.key if isinstance(error, RefusedModelError) else ()
    return suite_file.document.error(("models", index, *key), str(error))


def _refuse_rules(suite_file: SuiteFile, call: Call) -> None:
    suite = suite_file.suite
    if not suite.macs.rules:
        return
    limit = min(suite.timeout, _LONGEST)
    try:
        refused = call(Target.REFUSED_RULES, suite.macs.rules, timeout=limit)
    except ProcessError as error:
        raise suite_file.document.error(
            ("macs", "rules"), f"rules: the process that imports them {error}"
        ) from None
    for name, why in refused.items():
        raise suite_file.document.error(("macs", "rules", name), f"rules: {why}")


def model_of(entry: ModelEntry, num_classes: int) -> Model:
    """The model that a `python:` entry stands for."""
    assert entry.python is not None
    label, family = entry.label or entry.name, entry.family or entry.name
    return Model(entry.name, label, family, "python", entry.python, entry.args, entry.weights,
                 num_classes)  # fmt: skip


def smallest_batches(entries: Sequence[CpuSetting | CudaSetting]) -> dict[int, int]:
    """The sizes of images, each with the smallest batch that a setting names for it."""
    batches: defaultdict[int, list[int]] = defaultdict(list)
    for entry in entries:
        batches[entry.image_size] += [] if entry.batch_size == "auto" else [entry.batch_size]
    return {size: min(batches[size], default=1) for size in sorted(batches)}


def matched_sizes(suite_file: SuiteFile, entry: MatchEntry) -> list[int]:
    """The size of images for which a `match:` entry counts; several where it must name one."""
    if entry.image_size is not None:
        return [entry.image_size]
    settings: list[CudaSetting | CpuSetting] = [
        *suite_file.suite.settings.cuda, *suite_file.suite.settings.cpu
    ]  # fmt: skip
    return sorted({setting.image_size for setting in settings})


def _costs(model: Model, sizes: Mapping[int, int], limit: float, call: Call) -> Mapping[int, Cost]:
    try:
        costs: Mapping[int, Cost] = call(Target.TRY, model, sizes, timeout=limit)
    except ProcessError as error:
        trouble = f"{model.name}: the process that builds and runs it once {error}"
        return dict.fromkeys(sizes, Cost(0, 0, 0, {}, trouble))
    return costs


def _amount(key: Amount, model: Model, limit: float, call: Call) -> int | CmxError:
    _, quantity, image_size = key
    try:
        amount: int = call(Target.COUNT_USERS, quantity, model, image_size, timeout=limit)
    except ProcessError as error:
        return ProcessError(f"{model.name}: the process that counts its {quantity} {error}")
    except CmxError as error:
        return error
    return amount
