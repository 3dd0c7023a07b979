"""Arguments over which models were swept, each in a column: `arg_kernel_size`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from pandas import DataFrame, Series

from cmx_bench.cell import Argument, Model, spell
from cmx_bench.results.grouping import group

PREFIX = "arg_"
_Arguments: TypeAlias = Mapping[str, Argument]


def columns_in(frame: DataFrame) -> list[str]:
    """The columns of a frame that hold arguments."""
    return [str(name) for name in frame.columns if str(name).startswith(PREFIX)]


def find(models: Sequence[Model]) -> DataFrame:
    """A row for each model, in their order, and a column for each argument in which models of a
    kind differ. A kind was swept where two of its models differ in one argument alone; others have
    no columns.

    A column holds numbers, missing where the argument was not swept, or text, empty there.
    """
    kinds = group(models, _kind)
    varying = {kind: _varying([model.args for model in alike]) for kind, alike in kinds.items()}
    columns = {
        f"{PREFIX}{name}": _type(
            [model.args.get(name) if name in varying[_kind(model)] else None for model in models]
        )
        for name in dict.fromkeys(name for names in varying.values() for name in names)
    }
    return DataFrame(columns, index=range(len(models)))


def _kind(model: Model) -> tuple[str, str]:
    """What all variants of a sweep have in common. A family is described by its arguments alone,
    whatever a published member is called."""
    return model.source, model.target if model.source in ("timm", "python") else ""


def _varying(of_kind: Sequence[_Arguments]) -> list[str]:
    """The arguments in which models differ, if any two of them differ in one alone."""
    names = dict.fromkeys(name for arguments in of_kind for name in arguments)
    varying = [
        name for name in names if len({arguments.get(name) for arguments in of_kind}) > 1
    ]  # fmt: skip
    variants = {tuple(map(arguments.get, varying)) for arguments in of_kind}
    for place in range(len(varying)):
        others = {variant[:place] + variant[place + 1 :] for variant in variants}
        if len(others) < len(variants):
            return varying
    return []


def _type(values: Sequence[Argument | None]) -> Series[Any]:
    numbers = [
        np.nan if value is None else float(value)
        for value in values
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    ]
    if len(numbers) == len(values):
        return Series(numbers)
    return Series(["" if value is None else spell(value) for value in values])
