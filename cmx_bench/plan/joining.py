"""Joins plans that were made on one device of each kind into one plan for all of them."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeVar

from cmx_bench.errors import PlanError
from cmx_bench.plan import Plan
from cmx_bench.results import environment, origins

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def join(plans: Sequence[Plan], nodes: Sequence[str] = ()) -> Plan:
    """One plan out of those that were made for one suite, on one device of each kind at least.

    Where all devices are of one kind it is the first plan, unchanged. Otherwise each setting stands
    once for each kind that offers it, and names it as its `hardware`; cells that are the same on
    every machine stand once. Kinds stand in the order of their names, GPUs first, whatever the
    order of the plans is: a run goes on when nodes answer in another order.

    Args:
        nodes: what messages call the machines of the plans.

    Raises:
        PlanError: machines have other software, or would build other models, or see other images.
    """
    names = nodes or [
        f"node {number} ({plan.machine['device_name']})" for number, plan in enumerate(plans, 1)
    ]
    for plan, name in zip(plans[1:], names[1:], strict=True):
        if problem := next(_contradictions(plans[0], plan, names[0], name), None):
            raise PlanError(problem)
    kinds: dict[str, Plan] = {}
    hardware = environment.hardware([plan.machine for plan in plans])
    for kind, plan in zip(hardware, plans, strict=True):
        kinds.setdefault(kind, plan)
    if len(kinds) == 1:
        return plans[0]
    ordered = sorted(kinds, key=lambda kind: (kinds[kind].machine["device"] == "cpu", kind))
    return _join({kind: _of_kind(kinds[kind], kind) for kind in ordered})


def _contradictions(one: Plan, other: Plan, here: str, there: str) -> Iterator[str]:
    for name, values in environment.other_software(one.machine, other.machine).items():
        mine, others = ("missing" if value is None else value for value in values)
        yield (f"{name} is {mine} on {here}, and {others} on {there}: a run is measured with the "
               "same software everywhere; make them alike")  # fmt: skip
    known = dict(one.origins)
    for model, origin in other.origins.items():
        if first := origins.other_before(model, origin, known):
            yield (f"{model} would be built from {origins.describe(first)} on {here}, and from "
                   f"{origins.describe(origin)} on {there}; copy one of them")  # fmt: skip
    for mine, theirs in zip(one.models, other.models, strict=True):
        if mine != theirs:
            yield f"{mine.name} would be another model on {there} than on {here}; copy its files"
    for split in one.opened.keys() & other.opened.keys():
        if one.opened[split] != other.opened[split]:
            yield (f"{split} images: {here} has {one.opened[split]}, {there} "
                   f"{other.opened[split]}; copy them")  # fmt: skip


def _of_kind(plan: Plan, hardware: str) -> Plan:
    """The plan with a kind of device named in all of its settings."""
    settings = {each.key: replace(each, hardware=hardware) for each in plan.settings}
    cells = {each.key: replace(each, setting=settings[each.setting.key]) for each in plan.cells}
    return replace(
        plan,
        settings=tuple(settings.values()),
        cells=tuple(cells.values()),
        estimates={cells[key].key: seconds for key, seconds in plan.estimates.items()},
        skipped={cells[key].key: lack for key, lack in plan.skipped.items()},
    )


def _join(kinds: Mapping[str, Plan]) -> Plan:
    """The plans of the kinds in one, in the order that a suite's settings and measures have."""
    plans = list(kinds.values())
    every = [setting for plan in plans for setting in plan.settings]
    suites = list(dict.fromkeys((each.kind, each.name) for each in every))
    settings = sorted(every, key=lambda each: suites.index((each.kind, each.name)))
    place = {setting.key: number for number, setting in enumerate(settings)}
    measures = plans[0].suite_file.suite.measures
    cells = _merge({cell.key: cell for cell in plan.cells} for plan in plans).values()
    ordered = sorted(cells, key=lambda cell: place[cell.setting.key])
    return replace(
        plans[0],
        settings=tuple(settings),
        cells=tuple(sorted(ordered, key=lambda cell: measures.index(cell.measure))),
        estimates=_merge(plan.estimates for plan in plans),
        unavailable={name: advice for name, advice in plans[0].unavailable.items()
                     if all(name in plan.unavailable for plan in plans)},
        skipped=_merge(plan.skipped for plan in plans),
        opened=_merge(plan.opened for plan in plans),
        troubles=tuple(dict.fromkeys(chain.from_iterable(plan.troubles for plan in plans))),
        cautions=tuple(dict.fromkeys(chain.from_iterable(plan.cautions for plan in plans))),
        origins=_merge(plan.origins for plan in plans),
        machines={hardware: plan.machine for hardware, plan in kinds.items()},
    )  # fmt: skip


def _merge(parts: Iterable[Mapping[_Key, _Value]]) -> dict[_Key, _Value]:
    """All entries; of a key that several have, that of the first."""
    return dict(ChainMap(*map(dict, parts)))
