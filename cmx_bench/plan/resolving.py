"""The models that a suite's entries stand for: names that timm knows, members matched, weights."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import timm

from cmx_bench.cell import Model
from cmx_bench.designs import matches, search
from cmx_bench.designs.depthwise import PUBLISHED
from cmx_bench.errors import (
    CmxError,
    MatchError,
    ModelError,
    PlanError,
    SuiteError,
    nearest,
    quote,
)
from cmx_bench.measures.counting import twice
from cmx_bench.models import arguments, families, weights
from cmx_bench.models.building import build, build_on_meta
from cmx_bench.plan.users import Amount, Asked, matched_sizes, model_of, place_error
from cmx_bench.spec import trust
from cmx_bench.spec.model_entries import MatchEntry, ModelEntry
from cmx_bench.spec.schema import NAME
from cmx_bench.spec.suite import SuiteFile


def models(suite_file: SuiteFile, asked: Asked) -> list[tuple[int, Model]]:
    """All models in the suite's order, each with the number of the entry that it comes from.

    Raises:
        SuiteError: an entry stands for no model, with its place in the file.
        PlanError: files are given, and none is called like a model.
    """
    given, counted_by = asked.given, _counted_by(suite_file, asked.trusted)
    named: dict[int, Model] = {}
    matches: dict[int, MatchEntry] = {}
    for index, entry in enumerate(suite_file.suite.models):
        if isinstance(entry, MatchEntry):
            matches[index] = entry
        else:
            model = _resolve(suite_file, index, entry, asked)
            named[index] = replace(model, counted_by=counted_by)
    known = {model.name: model for model in named.values()}
    placed = list(named.items())
    for index, entry in matches.items():
        for model in _match(suite_file, index, entry, known, asked.tried.amounts):
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
    return sorted(placed, key=lambda pair: pair[0])


def _counted_by(suite_file: SuiteFile, allow_import: bool) -> Mapping[str, str]:
    """The user's words on operators that no rule counts: see `cell.Model`."""
    error, macs = suite_file.document.error, suite_file.suite.macs
    for place, name in enumerate(macs.zero):
        if why := twice.objection(name):
            raise error(("macs", "zero", place), f"zero: {why}")
    for name, target in macs.rules.items():
        if why := twice.objection(name):
            raise error(("macs", "rules", name, "<key>"), f"rules: {why}")
        if not allow_import:
            raise error(
                ("macs", "rules", name),
                f"rules: {target!r} would run code; add --allow-import if you trust this suite",
            )
    return macs.words


def _match(
    suite_file: SuiteFile,
    index: int,
    entry: MatchEntry,
    known: Mapping[str, Model],
    counted: Mapping[Amount, int | CmxError],
) -> Iterator[Model]:
    """The members of other families that a `match:` entry stands for.

    Args:
        known: the suite's other models, by name.
        counted: what is known of them already.
    """
    suite, error, location = suite_file.suite, suite_file.document.error, ("models", index)
    sizes = matched_sizes(suite_file, entry)
    if len(sizes) > 1:
        listed = " and ".join(map(str, sizes))
        raise error(location, f"image_size is missing: the settings have images of {listed} px")
    size = sizes[0]

    def wanted(quantity: search.Quantity) -> int:
        name = str(entry.match)
        answer = counted.get((name, quantity, size))
        if isinstance(answer, CmxError):
            raise answer
        return answer or amount(quantity, name, known, suite.num_classes, size)

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
        model = _source(ModelEntry(**matches.entry(match)), suite.num_classes, allow_import=False)
        yield replace(model, matched=matches.tell(match, str(entry.match)))


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
        raise ModelError(f"{quote(name)}: expected a model or a number such as 21.1M")
    try:
        model = known.get(name) or _source(ModelEntry(name=name), num_classes, allow_import=False)
    except ModelError:
        if hint := nearest(name, known):
            raise ModelError(f"unknown model {quote(name)}{hint} of this suite") from None
        raise
    return amount_of(quantity, model, image_size)


def amount_of(quantity: search.Quantity, model: Model, image_size: int) -> int:
    """Parameters, or MACs for one image.

    Raises:
        CmxError: it cannot be built or counted.
    """
    if quantity == "macs":
        counts = twice.count(
            lambda: build(model, image_size), image_size, counted_by=model.counted_by
        )
        return counts.macs
    module = build_on_meta(lambda: build(model, image_size))
    return sum(parameter.numel() for parameter in module.parameters())


def _resolve(suite_file: SuiteFile, index: int, entry: ModelEntry, asked: Asked) -> Model:
    suite, location = suite_file.suite, ("models", index)
    try:
        model = _source(entry, suite.num_classes, asked.trusted)
        folder = suite_file.document.path.parent
        named = asked.given.get(model.name) or _weights(model, folder, asked.trusted)
        weights_named = None if named is None else str(named)
        optimised = entry.is_optimised
        return replace(model, weights=weights_named, resample=entry.resample, optimised=optimised)
    except SuiteError as error:
        raise suite_file.document.error(location, f"{entry.name}: {error}") from None
    except (ModelError, PlanError) as error:
        raise place_error(suite_file, index, error) from None


def _source(entry: ModelEntry, num_classes: int, allow_import: bool) -> Model:
    if entry.python is not None:
        if not allow_import:
            raise PlanError(
                f"{entry.name}: python: {entry.python!r} would run code; "
                f"add --allow-import if you trust this suite"
            )
        return model_of(entry, num_classes)
    label = entry.label or (f"{entry.name}, optimised" if entry.is_optimised else entry.name)
    if entry.design is not None:
        family, described = entry.design
        return Model(entry.name, label, entry.family or family, family, "",
                     described, entry.weights, num_classes)  # fmt: skip
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
    if entry.is_optimised and families.family(architecture) != "convmixer":
        raise ModelError(f"{entry.name}: {architecture} is no ConvMixer, and nothing else is "
                         f"optimised; leave optimised out")  # fmt: skip
    arguments.refuse(architecture, entry.args)
    return Model(entry.name, label, entry.family or families.family(architecture), "timm",
                 architecture, entry.args, weights_named, num_classes, recipe=recipe)  # fmt: skip


def _weights(model: Model, folder: Path, trusted: bool) -> str | None:
    """A tag that timm knows, or the path of a file that is there; paths start at the suite."""
    if model.weights is None:
        return None
    if not weights.is_file(model.weights):
        tags = weights.tags(model)
        if model.weights not in tags:
            raise ModelError(
                f"{model.name}: timm has no weights {quote(model.weights)} for it"
                f"{nearest(model.weights, tags)} (known: {', '.join(tags) or 'none'})"
            )
        return model.weights
    elsewhere = shlex.quote(os.path.normpath(folder.absolute() / model.weights))
    option = f"--weights {model.name}={elsewhere if len(elsewhere) <= 200 else 'FILE'}"
    path = trust.locate(model.weights, folder, trusted, option)
    if not trust.is_file(path):
        raise ModelError(f"{model.name}: no weights at {path}; give the path of a checkpoint")
    return str(path)
