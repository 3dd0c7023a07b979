"""A plan as everybody reads it: replicates of cells, trainings side by side, several devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell
from cmx_bench.plan import Plan, at_once, making, on_several, replicates_of
from cmx_bench.plan.users import Asked
from cmx_bench.spec import suite
from cmx_bench.spec.suite import SuiteFile
from cmx_bench.worker.job import Place

from ..conftest import TRAINED


@pytest.fixture
def plan(tiny: SuiteFile, cpu: dict[str, Any]) -> Plan:
    return making.make(tiny, cpu)


def by_measure(plan: Plan) -> Mapping[str, Cell]:
    return {cell.measure: cell for cell in plan.cells}


@pytest.mark.parametrize(
    ("device", "cores", "models", "processes", "number"),
    [
        ("cpu", 8, 3, 1, 3), ("cpu", 8, 5, 2, 4), ("cpu", 3, 2, 2, 1), ("cpu", 2, 5, 4, 1),
        ("cpu", 1, 2, 1, 1), ("cuda:0", 8, 5, 1, 1),
    ],
)  # fmt: skip
def test_as_many_models_are_trained_at_once_as_cores_allow(
    device: str, cores: int, models: int, processes: int, number: int
) -> None:
    assert at_once({"device": device, "cores": cores}, models, processes) == number


def test_a_timing_is_repeated_and_what_is_exact_is_not(plan: Plan) -> None:
    cells = by_measure(plan)
    assert {name: plan.replicates(cell) for name, cell in cells.items()} == {
        "params": 1, "throughput": 3,
    }  # fmt: skip
    assert {cell.measure for cell in plan.repeated} == {"throughput"}
    alone = replace(plan, replicate=2)
    assert alone.replicates(cells["throughput"]) == 1
    assert [alone.asks_for(number) for number in range(4)] == [False, False, True, False]
    assert plan.asks_for(7)


def test_what_is_exact_does_not_depend_on_the_load(tiny: SuiteFile, cpu: dict[str, Any]) -> None:
    assert making.make(tiny, cpu).is_timed
    assert not making.make(tiny, cpu, Asked(only=("*/params/*",))).is_timed


def test_a_model_is_evaluated_once_for_each_seed(
    write_suite: Callable[[str], Path], cpu: dict[str, Any]
) -> None:
    trained = making.make(suite.load(str(write_suite(TRAINED))), cpu)
    cell = trained.evaluated[0]
    assert len(trained.evaluated) == 2
    asked = trained.suite_file.suite.accuracy
    assert replicates_of(cell, 9, Evaluation(asked, Path())) == 2
    assert replicates_of(cell, 9, None) == 1


PLACES = (Place("cuda:2", "b", (0, 1)), Place("cuda:3", "a", (2, 3)))


def test_devices_of_one_kind_are_one_machine(plan: Plan) -> None:
    several = on_several(plan, PLACES)
    assert (several.machine["device"], several.machine["device_uuid"]) == ("cuda:2,3", "a, b")
    assert (plan.devices, several.devices) == (1, 2)
    assert several.kinds == {"": several.machine}


def test_devices_of_several_kinds_keep_the_machine_of_each(plan: Plan) -> None:
    machines = {"One": plan.machine, "Other": plan.machine}
    several = on_several(replace(plan, machines=machines), PLACES)
    assert several.machine == plan.machine
    assert several.kinds == machines
    assert (several.device_name, plan.device_name) == ("One and Other", "A CPU")
