"""Batch sizes by arithmetic, and what planning learns of models without their weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from cmx_bench.accuracy import Evaluation
from cmx_bench.plan import Cost, Plan, estimates, making
from cmx_bench.plan.users import Asked
from cmx_bench.spec import suite
from cmx_bench.spec.suite import SuiteFile

from ..conftest import TINY, TRAINED
from .test_making import Write, make_plan

LARGE = """\
name: large
models: [{name: convmixer_768_32}]
measures: [throughput]
settings:
  cpu: [{name: cpu, batch_size: 1, image_size: 224}]
"""


@pytest.mark.parametrize(
    ("macs", "threads", "batch"),
    [(100_230_739_968, 2, 1), (16_000_000_000, 2, 2), (15_999_999_999, 1, 1), (4_000_000_000, 2, 8),
     (1_000, 64, 64), (100_230_739_968, 64, 8)],
)  # fmt: skip
def test_auto_batch_by_arithmetic(macs: int, threads: int, batch: int) -> None:
    assert estimates.auto_batch(macs, threads) == batch


@pytest.mark.parametrize(("computed", "starting"), [(2.5, 2.5), (600.0, 8.0)])
def test_an_interpreter_loads_torch_as_long_as_this_one_did(
    computed: float, starting: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has done more than that says nothing of it."""
    monkeypatch.setattr("time.process_time", lambda: computed)
    assert making.make_plan(suite.load("ci"), "cpu").starting == starting


def test_auto_is_one_batch_for_all_models(cpu: dict[str, Any]) -> None:
    settings = making.make(suite.load("paper"), cpu).settings
    assert [setting.batch_size for setting in settings] == [1]


def test_a_process_takes_so_many_passes_and_no_less_than_a_time(
    write_suite: Write, cpu: dict[str, Any]
) -> None:
    """ConvMixer-768/32 has 20.7 GMACs and 21 million parameters: a second and a bit a pass at
    10 GMACs a second and core; a small one's passes are over before its blocks are."""
    file = suite.load(str(write_suite(LARGE)))
    plan = making.make(file, cpu, core_rate=1e10)
    [key] = plan.estimates
    layers, one_pass = 197, 20.7e9 / 2e10
    expected = 0.3 + 21.1e6 * 1.5e-8 + 12 * (one_pass + layers * 3e-5)
    assert plan.estimates[key] == pytest.approx(expected, rel=0.01)
    plan = making.make(file, cpu, core_rate=1e15)
    assert plan.estimates[key] == pytest.approx(0.3 + 21.1e6 * 1.5e-8 + 2.0, rel=0.01)
    assert estimates.core_rate() > 1e8


@pytest.mark.parametrize(
    ("precision", "how", "times"), [("bf16", "emulated", 16), ("fp16", "emulated", 16),
                                    ("bf16", "AMX", 1)],
)  # fmt: skip
def test_what_is_emulated_takes_longer(
    write_suite: Write, cpu: dict[str, Any], precision: str, how: str, times: int
) -> None:
    """Passes of a network that lasts for longer than it has layers."""
    wide = TINY.replace("dim: 8", "dim: 512").replace("batch_size: 2", "batch_size: 64")
    seconds = []
    for computed in ("fp32", precision):
        path = write_suite(wide.replace("name: cpu", f"name: cpu, precision: {computed}"))
        plan = making.make(suite.load(str(path)), cpu | {precision: how}, core_rate=1e10)
        seconds.append(max(plan.estimates.values()))
    assert seconds[1] / seconds[0] == pytest.approx(times, rel=0.2)


def test_a_training_takes_its_steps(write_suite: Write, cpu: dict[str, Any]) -> None:
    """Two models side by side, each on a core, with one of the seeds: an epoch of 1,437 digits in
    batches of 16, and an evaluation of 360 in batches of 64."""
    file = suite.load(str(write_suite(TRAINED)))
    plan = making.make(
        file, cpu, Asked(evaluation=Evaluation(file.suite.accuracy, Path())), core_rate=1e9
    )
    first, _ = plan.cells
    cost = estimates.cost(plan.models[0], 16)
    assert cost.layers > 8

    def passed(images: int) -> float:
        return images * cost.macs / 1e9 + cost.layers * 3e-5

    an_epoch = 1437 / 16 * 3 * passed(16) + 360 / 64 * passed(64) + 1437 * 0.0007
    once = 0.5 + 360 / 64 * (64 * cost.macs / 2e9 + cost.layers * 3e-5) + 360 * 0.0007 / 2 / 2
    assert plan.estimates[first.key] == pytest.approx(once + an_epoch / 2, rel=0.001)


MODELS = """\
import torch
from torch import nn

class Reads(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 10)

    def forward(self, x):
        scale = torch.arange(3).sum().item() + 1
        return self.head(x.mean((2, 3)) * scale)

def typo():
    return nn.Linaer(3, 3)

class Wrong(Reads):
    def forward(self, x):
        return self.haed(x)
"""


def test_models_that_meta_tensors_cannot_run(
    write_suite: Write, cpu: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "user_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)

    def planned(name: str) -> Plan:
        text = TINY.replace("timm: resnet10t", f"python: 'user_models:{name}'")
        return make_plan(write_suite(text), cpu, trusted=True)

    plan = planned("Reads")
    assert (plan.models[1].source, plan.troubles) == ("python", ())
    [trouble] = planned("typo").troubles
    assert re.search(r"suite.yaml:4:5: net: cannot be built: AttributeError: .*Linaer", trouble)
    [trouble] = planned("Wrong").troubles
    assert re.search("net: does not run on 56 px images: .*haed", trouble)


@pytest.mark.parametrize(
    ("classes", "measures", "cautions"),
    [
        (10, "[accuracy]", []),
        (7, "[accuracy]", [
            "accuracy will fail: other: gives (1, 7) for 1 image, expected (1, 10); give "
            "few_models:few the number under args, or set num_classes"
        ]),
        (7, "[params]", [
            "not like for like: other: gives (1, 7) for 1 image, expected (1, 10); give "
            "few_models:few the number under args, or set num_classes"
        ]),
    ],
)  # fmt: skip
def test_a_model_with_other_classes_than_the_images_is_known_beforehand(
    classes: int, measures: str, cautions: list[str],
    write_suite: Write, cpu: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    text = "from torch import nn\ndef few(classes):\n    return nn.Sequential("
    text += "nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, classes))\n"
    (tmp_path / "few_models.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    own = f"{{name: other, python: 'few_models:few', args: {{classes: {classes}}}}}"
    text = re.sub("{name: other.*}", own, TRAINED).replace("[accuracy]", measures)
    path = write_suite(text)
    task = Evaluation(suite.load(str(path), trusted=True).suite.accuracy, Path())
    assert list(make_plan(path, cpu, trusted=True, evaluation=task).cautions) == cautions


def test_a_model_of_one_batch_size_is_tried_with_that_of_the_suite(
    write_suite: Write, cpu: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a setting with images of its size; with no such batch it is said that it will fail."""
    (tmp_path / "fixed_models.py").write_text(
        "from torch import nn\n\n"
        "class Fixed(nn.Conv2d):\n"
        "    def forward(self, x):\n"
        "        return super().forward(x).view(4, 10)\n\n"
        "def build():\n    return Fixed(3, 10, 56)\n"
    )
    monkeypatch.chdir(tmp_path)
    text = TINY.replace("timm: resnet10t", "python: 'fixed_models:build'")
    for batch, troubles in ((4, 0), (2, 1)):
        suite_of = write_suite(text.replace("batch_size: 2", f"batch_size: {batch}"))
        plan = make_plan(suite_of, cpu, trusted=True)
        assert len(plan.troubles) == troubles
        assert len(plan.cells) == 4
    assert (
        "net: does not run on 56 px images: RuntimeError: shape '[4, 10]' is invalid"
        in plan.troubles[0]
    )


def test_a_gpus_blocks_and_context_take_time(gpu: dict[str, Any], write_suite: Write) -> None:
    """Eight blocks of half a second, two seconds for the context, and three until it is warm; of
    energy ten seconds of passes and three of none."""
    text = TINY.replace("params,", "memory, energy,").replace("cpu: [{name: cpu", "cuda: [{name: x")
    plan = make_plan(write_suite(text), gpu)
    longest = {"throughput": (9.0, 11.0), "memory": (2.0, 3.5), "energy": (18.0, 20.0)}
    for cell in plan.cells:
        least, most = longest[cell.measure]
        assert least < plan.estimates[cell.key] < most, cell.key
    text = text.replace("energy, ", "")
    searching = make_plan(
        write_suite(text.replace("name: x", "name: x, compile: max-autotune")), gpu
    )
    assert min(searching.estimates.values()) > 300


def test_planning_allocates_no_weights(
    tiny: SuiteFile, cpu: dict[str, Any], tried_once: dict[str, Cost]
) -> None:
    known = dict(tried_once)
    tried_once.clear()
    before = torch.get_default_device()
    making.make(tiny, cpu)
    assert torch.get_default_device() == before and tried_once
    tried_once |= known


def test_the_heaviest_model_is_planned_to_take_longest(cpu: dict[str, Any]) -> None:
    estimates = making.make(suite.load("paper"), cpu).estimates
    throughput = {key: value for key, value in estimates.items() if "/throughput/" in key}
    assert max(throughput, key=throughput.__getitem__).startswith("resmlp_big_24_224/")
