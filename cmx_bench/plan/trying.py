"""Runs in a fresh process: tries a user's model, or a user's rules, for a plan."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping

from cmx_bench.cell import Model
from cmx_bench.designs.search import Quantity
from cmx_bench.errors import CountError
from cmx_bench.measures.counting import given
from cmx_bench.plan import Cost, estimates, resolving


def costs(model: Model, sizes: Mapping[int, int]) -> dict[int, Cost]:
    """What it costs at each image size, which are given with the batches to try."""
    _print_nothing()
    return {size: estimates.cost(model, size, batch) for size, batch in sizes.items()}


def refused_rules(rules: Mapping[str, str]) -> dict[str, str]:
    """Why functions cannot count operators, by the names of these; empty where all can.

    Args:
        rules: the `module:function` of each operator.
    """
    _print_nothing()
    refused: dict[str, str] = {}
    for name, target in rules.items():
        try:
            given.words({name: target})
        except CountError as error:
            refused[name] = str(error)
    return refused


def amount(quantity: Quantity, model: Model, image_size: int) -> int:
    """Its parameters, or its MACs for one image.

    Raises:
        CmxError: it cannot be built or counted.
    """
    _print_nothing()
    return resolving.amount_of(quantity, model, image_size)


def _print_nothing() -> None:
    """What its code prints stands in the log of a run, when it is measured."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    warnings.simplefilter("ignore")
