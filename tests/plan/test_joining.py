"""One plan for several kinds of device: what stands once, what once a kind, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.errors import PlanError
from cmx_bench.plan import Plan, making
from cmx_bench.plan.joining import join
from cmx_bench.spec import suite

from ..conftest import TINY

Write = Callable[[str], Path]
TWO = TINY.replace("  cpu: [{name: cpu, batch_size: 2, image_size: 56}]", """\
  cuda:
    - {name: paper, precision: fp16, batch_size: 4, image_size: 56}
    - {name: full, precision: fp32, batch_size: 2, image_size: 56}""")  # fmt: skip
SLUGS = {"A GPU": "a_gpu", "B GPU": "b_gpu"}


@pytest.fixture
def plan_for(write_suite: Write, gpu: dict[str, Any]) -> Callable[..., Plan]:
    """The plan of a suite for a GPU of this name."""
    suite_file = suite.load(str(write_suite(TWO)))

    def plan(name: str, **facts: object) -> Plan:
        return making.make(suite_file, gpu | {"device_name": name} | facts)

    return plan


def test_devices_of_one_kind_need_one_plan(plan_for: Callable[..., Plan]) -> None:
    plan = plan_for("A GPU")
    assert join([plan]) is plan
    assert join([plan, plan_for("A GPU", device_uuid="other", device="cuda:1")]) is plan


def test_each_setting_stands_once_for_each_kind(plan_for: Callable[..., Plan]) -> None:
    joined = join([plan_for("B GPU"), plan_for("A GPU"), plan_for("B GPU", device_uuid="x")])
    assert [(setting.name, setting.hardware) for setting in joined.settings] == [
        ("paper", "A GPU"), ("paper", "B GPU"), ("full", "A GPU"), ("full", "B GPU")]  # fmt: skip
    assert [cell.key for cell in joined.cells] == [
        *(f"{model}/params/r56" for model in ("mixer", "net")),
        *(f"{model}/throughput/cuda-{precision}-nchw-eager-b{batch}-r56-{kind}"
          for precision, batch in (("fp16", 4), ("fp32", 2))
          for kind in ("a_gpu", "b_gpu")
          for model in ("mixer", "net")),
    ]  # fmt: skip
    assert joined.estimates.keys() == {cell.key for cell in joined.cells}
    assert joined.machine["device_name"] == "A GPU"
    assert list(joined.machines) == ["A GPU", "B GPU"]
    assert joined.device_name == "A GPU and B GPU"
    assert join([plan_for("A GPU"), plan_for("B GPU")]).cells == joined.cells


def test_gpus_stand_before_cpus_and_each_has_its_own_settings(
    write_suite: Write, gpu: dict[str, Any], cpu: dict[str, Any]
) -> None:
    text = TWO + "\n  cpu: [{name: slow, batch_size: auto, image_size: 224}]\n"
    suite_file = suite.load(str(write_suite(text)))
    machines = [cpu | {"cores": 64, "threads": 64}, cpu, gpu | {"cuda": "13.0", "cudnn": 9}]
    joined = join([making.make(suite_file, machine) for machine in machines])
    assert [(setting.name, setting.hardware) for setting in joined.settings] == [
        ("paper", "A GPU"), ("full", "A GPU"),
        ("slow", "A CPU, cores 2"), ("slow", "A CPU, cores 64")]  # fmt: skip
    assert joined.unavailable == {}
    few, many = (setting.batch_size for setting in joined.settings[2:])
    assert few < many  # `auto` is resolved on each machine


def test_what_is_unavailable_to_all_stays_so(plan_for: Callable[..., Plan]) -> None:
    here, there = plan_for("A GPU"), plan_for("B GPU")
    lacking = {"cpu/slow": "use another", "cuda/both": "use another"}
    joined = join([replace(here, unavailable=lacking),
                   replace(there, unavailable={"cpu/slow": "use another"})])  # fmt: skip
    assert list(joined.unavailable) == ["cpu/slow"]


def test_troubles_and_what_cells_lack_are_those_of_every_node(
    plan_for: Callable[..., Plan],
) -> None:
    here, there = plan_for("A GPU"), plan_for("B GPU")
    timed = here.cells[-1].key
    joined = join([
        replace(here, troubles=("net fails",), skipped={timed: "no weights"}),
        replace(there, troubles=("net fails", "mixer fails")),
    ])  # fmt: skip
    assert joined.troubles == ("net fails", "mixer fails")
    assert joined.skipped == {f"{timed}-a_gpu": "no weights"}


@pytest.mark.parametrize(
    ("facts", "difference"),
    [
        ({"torch": "2.14"}, "torch is 2.15 on left, and 2.14 on right: "),
        ({"cmx_bench": "0.1"}, "cmx_bench is missing on left, and 0.1 on right: "),
        ({"git_commit": "abc"}, "git_commit is missing on left, and abc on right: "),
        ({"OMP_PROC_BIND": "true"}, "OMP_PROC_BIND is missing on left, and true on right: "),
    ],
)
@pytest.mark.parametrize("name", SLUGS)
def test_all_nodes_need_the_same_software(
    plan_for: Callable[..., Plan], name: str, facts: dict[str, str], difference: str
) -> None:
    with pytest.raises(PlanError) as caught:
        join([plan_for("A GPU"), plan_for(name, **facts)], ["left", "right"])
    assert str(caught.value).startswith(difference)


def test_all_nodes_need_the_same_models_and_images(plan_for: Callable[..., Plan]) -> None:
    here, there = plan_for("A GPU"), plan_for("B GPU")
    mixer, net = there.models
    pairs: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"origins": {"net": {"file": "net.py", "sha256": "1" * 64}}},
         {"origins": {"net": {"file": "net.py", "sha256": "2" * 64}}},
         r"net would be built from net\.py \(1{12}\) on node 1 \(A GPU\), and from "
         r"net\.py \(2{12}\) on node 2 \(B GPU\); "),
        ({}, {"models": (mixer, replace(net, kernel_size=9))},
         r"net would be another model on node 2 \(B GPU\) than on node 1 \(A GPU\); "),
        ({"opened": {"validation": "10 images"}}, {"opened": {"validation": "9 images"}},
         r"validation images: node 1 \(A GPU\) has 10 images, node 2 \(B GPU\) 9 images; "),
    ]  # fmt: skip
    for changes, other, message in pairs:
        with pytest.raises(PlanError, match=message):
            join([replace(here, **changes), replace(there, **other)])
