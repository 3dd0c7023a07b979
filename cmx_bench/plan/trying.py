"""What a fresh process does to try one user's model for a plan."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping

from cmx_bench.cell import Model
from cmx_bench.designs.search import Quantity
from cmx_bench.plan import Cost, estimates, resolving


def costs(model: Model, sizes: Mapping[int, int]) -> dict[int, Cost]:
    """What it costs at each image size, which are given with the batches to try."""
    _print_nothing()
    return {size: estimates.cost(model, size, batch) for size, batch in sizes.items()}


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
