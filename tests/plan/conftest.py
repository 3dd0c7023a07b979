"""What models cost, worked out once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cmx_bench.cell import Model
from cmx_bench.plan import Cost, estimates

_COSTS: dict[str, Cost] = {}
_cost = estimates.cost


@pytest.fixture(scope="session", autouse=True)
def tried_once() -> Iterator[dict[str, Cost]]:
    """What a model costs is the same in each plan, and takes most of its time: it is tried once,
    but for models of users, whose code a test may change."""

    def once(model: Model, image_size: int, batch: int = 1) -> Cost:
        if model.source == "python":
            return _cost(model, image_size, batch)
        key = f"{model} {image_size}"
        if key not in _COSTS:
            _COSTS[key] = _cost(model, image_size, batch)
        return _COSTS[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(estimates, "cost", once)
        yield _COSTS
