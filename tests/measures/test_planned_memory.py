"""Memory that is planned on shapes."""

from __future__ import annotations

import pytest

from cmx_bench.errors import SkipError

from .test_measures import MODEL, OPTIMISED, measure


def test_an_optimised_model_plans_and_loads_the_folded_one_and_does_not_train() -> None:
    planned, less = (measure("planned_memory", model)["planned_memory"] for model in
                     (MODEL, OPTIMISED))  # fmt: skip
    assert less[0] < planned[0]
    assert measure("load_time", OPTIMISED)["load_time"][0] > 0
    for name in ("train_throughput", "train_memory"):
        with pytest.raises(SkipError, match="trained as the plain one"):
            measure(name, OPTIMISED)
