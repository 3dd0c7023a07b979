"""What can be said of a cluster without Ray; tests/execute/test_on_ray.py runs on one."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from cmx_bench.execute import cluster
from cmx_bench.execute.cluster import ClusterError
from cmx_bench.execute.on_node import Facts

DEVICES = {"cpu": "a chip", "cuda": "a driver"}
OURS = Facts({"cmx-bench": "1.0", "torch": "2.15.0+cpu", "timm": "1.0"}, "a", DEVICES, {})


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    refused = pytest.raises(ClusterError, match=r"run: pip install 'cmx-bench\[ray\]'")
    with refused, cluster.joining("auto"):
        pytest.fail("nothing was joined")


def test_a_node_has_whole_cores_and_the_gpus_that_ray_knows() -> None:
    described = {
        "NodeID": "1f", "Resources": {"CPU": 3.7, "accelerator_type:B": 1, "accelerator_type:A": 1},
    }  # fmt: skip
    node = cluster._node(described, "left", None, OURS)
    assert (node.cores, node.gpus) == (3, 0)
    assert node.devices == {
        "cpu": "a chip []", "cuda": "a driver ['accelerator_type:A', 'accelerator_type:B']",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"), [("one\n two \n\n", "two"), ("", "no message"), ("  \n", "no message")]
)
def test_an_error_of_rays_is_its_last_line(text: str, line: str) -> None:
    assert cluster._last_line(text) == line


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (OURS, ""),
        (replace(OURS, versions={**OURS.versions, "torch": "2.15.0+cu130"}), ""),
        (replace(OURS, versions={**OURS.versions, "torch": "2.14.0"}),
         "node n: has torch 2.14.0, and this command has 2.15.0+cpu; run there: pip install "
         "'torch==2.15.0'"),
        (replace(OURS, versions={"cmx-bench": "1.0", "torch": "2.15.0"}),
         "node n: lacks timm, and this"),
        (replace(OURS, code="b"),
         "node n: its files of cmx-bench 1.0 are not those of this command"),
    ],
)  # fmt: skip
def test_software_of_nodes(theirs: Facts, expected: str) -> None:
    said = ""
    try:
        cluster._refuse_other("n", theirs, OURS)
    except ClusterError as error:
        said = str(error)
    assert said.startswith(expected)
    assert bool(said) == bool(expected)
