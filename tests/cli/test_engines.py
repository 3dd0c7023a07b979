"""Where a plan is executed: what is refused, and paths that mean the same on every node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cmx_bench.cli import engines
from cmx_bench.cli.requests import plan_of
from cmx_bench.errors import CmxError
from cmx_bench.execute.cluster import Node
from cmx_bench.execute.on_node import Facts


def node(name: str, gpus: int) -> Node:
    facts = Facts({}, "", {"cpu": "", "cuda": ""}, {})
    return Node(name, name, 4, gpus, None, facts, facts.devices)


def test_this_machine_is_where_plans_are_made_unless_told_otherwise() -> None:
    with engines.choosing("local", None) as engine:
        assert engine.is_here
        assert engine.plan_of is plan_of


@pytest.mark.parametrize(
    ("executor", "address", "line"),
    [
        ("cloud", None, "--executor cloud: unknown executor"),
        ("local", "auto", "--address: needs a Ray cluster; add --executor ray"),
    ],
)
def test_what_names_no_engine_is_refused(executor: str, address: str | None, line: str) -> None:
    with pytest.raises(CmxError, match=line), engines.choosing(executor, address):
        pytest.fail("no engine was refused")


@pytest.mark.parametrize(
    ("device", "gpus", "kind"),
    [
        ("auto", (0, 2), "cuda"), ("auto", (0, 0), "cpu"), ("cpu", (2,), "cpu"),
        ("cuda", (0,), "cuda"),
    ],
)  # fmt: skip
def test_the_kind_of_device_is_that_of_any_node(
    device: str, gpus: Sequence[int], kind: str
) -> None:
    nodes = [node(f"n{place}", count) for place, count in enumerate(gpus)]
    assert engines._kind(device, nodes) == kind


def test_a_single_gpu_is_for_ray_to_choose() -> None:
    with pytest.raises(CmxError, match="--device cuda:0: Ray chooses the device of each cell"):
        engines._kind("cuda:0", [node("n", 1)])


def test_paths_of_a_request_are_absolute_for_other_nodes() -> None:
    here = Path.cwd()
    absolute = {"val=images": f"val={here / 'images'}", "folder": str(here / "folder")}
    assert {path: engines._absolute(path) for path in absolute} == absolute


def test_a_node_is_told_with_what_it_has() -> None:
    opened: Any = SimpleNamespace(nodes=SimpleNamespace(living=lambda: [node("n", 1)]))
    plan: Any = SimpleNamespace(settings=[SimpleNamespace(kind="cpu")])
    assert engines._resources(opened, plan)[0] == ("node n", "4 cores, 1 GPU")
