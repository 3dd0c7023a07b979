"""Plans: which cells, which batch, what is refused on which machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cmx_bench import planning, suite
from cmx_bench.errors import PlanError, SuiteError
from cmx_bench.plan import Plan
from cmx_bench.suite import SuiteFile

from .conftest import TINY

Write = Callable[[str], Path]


def made(path: Path, machine: dict[str, Any], **options: Any) -> Plan:
    return planning.make(suite.load(str(path)), machine, **options)


def test_every_combination_once(tiny: SuiteFile, cpu: dict[str, Any]) -> None:
    keys = [cell.key for cell in planning.make(tiny, cpu).cells]
    assert keys == [
        "mixer/params/r56",
        "net/params/r56",
        "mixer/throughput/cpu-fp32-nchw-eager-b2-r56",
        "net/throughput/cpu-fp32-nchw-eager-b2-r56",
    ]


def test_settings_of_one_size_share_exact_cells(write_suite: Write, cpu: dict[str, Any]) -> None:
    text = TINY.replace(
        "image_size: 56}", "image_size: 56}, {name: b, layout: nhwc, image_size: 56}"
    )
    cells = made(write_suite(text), cpu).cells
    assert [cell.measure for cell in cells].count("params") == 2
    assert [cell.measure for cell in cells].count("throughput") == 4


def test_what_is_read_off_the_models(tiny: SuiteFile, cpu: dict[str, Any]) -> None:
    mixer, net = planning.make(tiny, cpu).models
    assert (mixer.family, mixer.patch_size, mixer.kernel_size, mixer.activation) == (
        "convmixer",
        7,
        3,
        "GELU",
    )
    assert (net.family, net.patch_size, net.kernel_size, net.activation) == (
        "resnet",
        None,
        3,
        "ReLU",
    )


def test_only(tiny: SuiteFile, cpu: dict[str, Any]) -> None:
    assert len(planning.make(tiny, cpu, only=["net"]).cells) == 2
    assert len(planning.make(tiny, cpu, only=["*/params/*", "net"]).cells) == 3
    with pytest.raises(PlanError, match="--only nothing: no cell matches; cells look like mixer/"):
        planning.make(tiny, cpu, only=["nothing"])


@pytest.mark.parametrize(
    ("macs", "threads", "batch"),
    [(100_230_739_968, 2, 1), (16_000_000_000, 2, 2), (15_999_999_999, 1, 1), (4_000_000_000, 2, 8),
     (1_000, 64, 64), (100_230_739_968, 64, 8)],
)  # fmt: skip
def test_auto_batch_by_arithmetic(macs: int, threads: int, batch: int) -> None:
    assert planning.auto_batch(macs, threads) == batch


def test_auto_is_one_batch_for_all_models(cpu: dict[str, Any]) -> None:
    settings = planning.make(suite.load("paper"), cpu).settings
    assert [setting.batch_size for setting in settings] == [1]


def test_names_with_tags_and_published_convmixers(write_suite: Write, cpu: dict[str, Any]) -> None:
    text = TINY.replace(
        "{name: net, timm: resnet10t}", "resnet18.a1_in1k\n  - convmixer_768_32.in1k"
    )
    _, resnet, mixer = made(write_suite(text), cpu).models
    assert (resnet.source, resnet.target, resnet.weights) == ("timm", "resnet18", "a1_in1k")
    assert (mixer.source, mixer.activation, mixer.weights) == ("convmixer", "ReLU", "in1k")


MATCH = TINY.replace(
    "{name: net, timm: resnet10t}", "{match: X, families: [deit, resnet], within: 2%}"
)


@pytest.mark.parametrize("target", ["mixer", "resnet18", "convmixer_512_12_ks8_p7", "5M"])
def test_a_match_becomes_models(write_suite: Write, cpu: dict[str, Any], target: str) -> None:
    text = MATCH.replace("match: X", f"match: {target}") + "num_classes: 10\n"
    text = text.replace("dim: 8, depth: 2", "dim: 256, depth: 4")
    plan = made(write_suite(text), cpu)
    mixer, *matched = plan.models
    assert [model.family for model in matched] == ["deit", "resnet"]
    assert [model.patch_size for model in matched] == [16, None]
    known = {model.name: model for model in plan.models}
    wanted = 5_000_000 if target == "5M" else planning.amount("params", target, known, 10, 56)
    for model in matched:
        params = planning.amount("params", model.name, known, 10, 56)
        assert abs(params / wanted - 1) <= 0.02
    assert mixer.label == "Small ConvMixer"


def test_matches_keep_the_suites_order(write_suite: Write, cpu: dict[str, Any]) -> None:
    entry = "  - {match: net, families: [resnet], by: macs}\n  - {name: mixer"
    models = made(write_suite(TINY.replace("  - {name: mixer", entry)), cpu).models
    assert [model.family for model in models] == ["resnet", "convmixer", "resnet"]
    known = {model.name: model for model in models}
    first, last = (planning.amount("macs", m.name, known, 1000, 56) for m in (models[0], models[2]))
    assert abs(first / last - 1) <= 0.01


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("match: X", "match: resnet51", "4:13: unknown model 'resnet51', did you mean"),
        ("match: X", "match: a b", "4:13: 'a b': expected a model or a number such as 21.1M"),
        ("match: X", "match: 900", "4:29: deit: no member is within 2.0 % of 900 parameters"),
        ("match: X", "match: 900G", "4:30: deit: no member is within 2.0 % of 900,000,000,000"),
        (
            "56}]",
            "56}, {name: b, image_size: 64}]",
            "4:5: image_size is missing: the settings have images of 56 and 64 px",
        ),
        ("[deit, resnet]", "[deit, deit]", "is there already; keep one of the two"),
    ],
)
def test_what_cannot_be_matched(
    write_suite: Write, cpu: dict[str, Any], old: str, new: str, message: str
) -> None:
    assert old in MATCH
    path = write_suite(MATCH.replace(old, new).replace("match: X", "match: 5M"))
    with pytest.raises(SuiteError) as error:
        made(path, cpu)
    assert str(error.value).startswith(f"{path}:4:")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_other_settings_are_said_to_be_missing(write_suite: Write, cpu: dict[str, Any]) -> None:
    path = write_suite(TINY + "  cuda: [{name: big}]\n")
    assert made(path, cpu).unavailable == {
        "cuda/big": f"measured on a CUDA device by: python -m cmx_bench run {path} --device cuda"
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("timm: resnet10t", "timm: resnet51", "4:5: unknown model 'resnet51', did you mean"),
        ("timm: resnet10t", "python: 'os:mkdir'", "add --allow-import if you trust this suite"),
        (
            "timm: resnet10t",
            "timm: resnet10t, args: {widht: 3}",
            "4:5: net: cannot be built: TypeError",
        ),
        (
            "timm: resnet10t",
            "timm: resnet10t, weights: c4_in1k",
            "no weights 'c4_in1k' for it, did",
        ),
        ("timm: resnet10t", "timm: resnet10t, weights: w.pth", "4:5: net: no weights at "),
        ("batch_size: 2", "threads: 3", "8:30: 3 threads, but 2 cores are usable"),
        ("image_size: 56", "image_size: 3", "3:5: mixer: does not run on 3 px images"),
    ],
)
def test_what_is_refused_on_a_cpu(
    write_suite: Write, cpu: dict[str, Any], old: str, new: str, message: str
) -> None:
    assert old in TINY
    path = write_suite(TINY.replace(old, new))
    with pytest.raises(SuiteError) as error:
        made(path, cpu)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}:")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("setting", "change", "message"),
    [
        (
            "precision: bf16",
            {"compute_capability": "7.5"},
            "bf16 needs a GPU of compute capability 8.0, A GPU has 7.5",
        ),
        ("precision: tf32", {"compute_capability": "7.5"}, "tf32 needs"),
        ("compile: default", {"cxx": False}, "needs a C++ compiler"),
    ],
)
def test_what_is_refused_on_a_gpu(
    write_suite: Write, gpu: dict[str, Any], setting: str, change: dict[str, Any], message: str
) -> None:
    path = write_suite(
        TINY.replace("cpu: [{name: cpu, batch_size: 2", "cuda: [{name: x, " + setting)
    )
    assert made(path, gpu).settings[0].device == "cuda:0"
    with pytest.raises(SuiteError, match="8:") as error:
        made(path, gpu | change)
    assert message in str(error.value)


def test_settings_that_come_to_the_same(write_suite: Write, cpu: dict[str, Any]) -> None:
    text = TINY.replace("image_size: 56}", "image_size: 56}, {name: b, image_size: 56}")
    path = write_suite(text.replace("batch_size: 2", "batch_size: 64"))
    with pytest.raises(SuiteError, match=r"8:\d+: comes to the same as another setting"):
        made(path, cpu)


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
        return made(write_suite(text), cpu, allow_import=True)

    assert planned("Reads").models[1].source == "python"
    with pytest.raises(SuiteError, match="4:5: net: cannot be built: AttributeError: .*Linaer"):
        planned("typo")
    with pytest.raises(SuiteError, match="4:5: net: does not run on 56 px images: .*haed"):
        planned("Wrong")


def test_no_setting_for_this_device(tiny: SuiteFile, gpu: dict[str, Any]) -> None:
    with pytest.raises(
        SuiteError, match="no settings for cuda; add one under cuda: or use --device"
    ):
        planning.make(tiny, gpu)


def test_a_python_model_with_leave(
    write_suite: Write, cpu: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_model.py").write_text(
        "from torch import nn\n\ndef build(width):\n"
        "    return nn.Sequential(nn.Conv2d(3, width, 2, 2), nn.Flatten())\n"
    )
    monkeypatch.chdir(tmp_path)
    text = TINY.replace("timm: resnet10t", "python: 'own_model:build', args: {width: 4}")
    model = made(write_suite(text), cpu, allow_import=True).models[1]
    assert (model.source, model.family, model.patch_size) == ("python", "net", 2)


def test_planning_allocates_no_weights(cpu: dict[str, Any]) -> None:
    before = torch.get_default_device()
    estimates = planning.make(suite.load("paper"), cpu).estimates
    assert torch.get_default_device() == before
    # The heaviest model is planned to take longest.
    throughput = {key: value for key, value in estimates.items() if "/throughput/" in key}
    assert max(throughput, key=throughput.__getitem__).startswith("resmlp_big_24_224/")


TAGGED = """\
name: tagged
models:
  - {name: resnet50, weights: gluon_in1k}
  - {name: tv, timm: resnet50.tv_in1k, weights: own/tv.pth}
  - {match: 1M, families: [mixer], image_size: 64}
measures: [accuracy]
accuracy: {dataset: imagenet-val}
settings: {cpu: [{name: cpu, image_size: 64}]}
"""


def test_files_of_weights_keep_the_recipe_of_their_tag(
    write_suite: Write, cpu: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "tv.pth").touch()
    given = {"resnet50": tmp_path / "mine.pth"}
    plan = made(write_suite(TAGGED), cpu, given=given)
    found = {model.name: (model.weights, model.recipe) for model in plan.models}
    assert found["resnet50"] == (str(tmp_path / "mine.pth"), "gluon_in1k")
    assert found["tv"] == (str(tmp_path / "own" / "tv.pth"), "tv_in1k")
    [matched] = [name for name in found if name.startswith("mixer")]
    assert found[matched][0] is None
    plan = made(write_suite(TAGGED), cpu, given={matched: tmp_path / "mixer.pth"})
    assert plan.models[-1].weights == str(tmp_path / "mixer.pth")


def test_weights_of_no_model_are_refused(write_suite: Write, cpu: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="no file is called like a model of the suite"):
        made(write_suite(TAGGED.replace("own/tv.pth", "tv_in1k")), cpu, given={"x": Path("x.pth")})
