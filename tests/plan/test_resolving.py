"""The models that entries stand for: tags, members matched, user code, weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.errors import PlanError, SuiteError
from cmx_bench.plan import making, resolving
from cmx_bench.spec.suite import SuiteFile

from ..conftest import TINY
from .test_making import Write, make_plan


def test_what_is_read_off_the_models(tiny: SuiteFile, cpu: dict[str, Any]) -> None:
    mixer, net = making.make(tiny, cpu).models
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


def test_names_with_tags_and_published_convmixers(write_suite: Write, cpu: dict[str, Any]) -> None:
    text = TINY.replace(
        "{name: net, timm: resnet10t}", "resnet18.a1_in1k\n  - convmixer_768_32.in1k"
    )
    _, resnet, mixer = make_plan(write_suite(text), cpu).models
    assert (resnet.source, resnet.target, resnet.weights) == ("timm", "resnet18", "a1_in1k")
    assert (mixer.source, mixer.activation, mixer.weights) == ("convmixer", "ReLU", "in1k")


OPTIMISED = TINY.replace(
    "{name: net, timm: resnet10t}",
    "{name: convmixer_768_32, optimised: true}\n"
    "  - {name: t, label: T, timm: convmixer_768_32, optimised: true}\n"
    "  - {name: own, convmixer: {dim: 8, depth: [1, 2], optimised: true}}",
)


def test_convmixers_are_optimised_by_their_names_or_by_their_keys(
    write_suite: Write, cpu: dict[str, Any]
) -> None:
    plain, *models = make_plan(write_suite(OPTIMISED), cpu).models
    assert not plain.optimised
    assert all(model.optimised for model in models)
    assert [model.source for model in models] == ["convmixer", "timm", "convmixer", "convmixer"]
    assert [model.label for model in models] == [
        "convmixer_768_32, optimised", "T", "own-depth1, optimised", "own-depth2, optimised",
    ]  # fmt: skip
    assert not any("optimised" in model.args for model in models)


def test_nothing_else_is_optimised(write_suite: Write, cpu: dict[str, Any]) -> None:
    text = TINY.replace("timm: resnet10t", "timm: resnet10t, optimised: true")
    with pytest.raises(SuiteError, match="net: resnet10t is no ConvMixer, and nothing else is opt"):
        make_plan(write_suite(text), cpu)


MATCH = TINY.replace(
    "{name: net, timm: resnet10t}", "{match: X, families: [deit, resnet], within: 2%}"
)


@pytest.mark.parametrize("target", ["mixer", "resnet18", "convmixer_512_12_ks8_p7", "5M"])
def test_a_match_becomes_models(write_suite: Write, cpu: dict[str, Any], target: str) -> None:
    text = MATCH.replace("match: X", f"match: {target}") + "num_classes: 10\n"
    text = text.replace("dim: 8, depth: 2", "dim: 256, depth: 4")
    plan = make_plan(write_suite(text), cpu)
    mixer, *matched = plan.models
    assert [model.family for model in matched] == ["deit", "resnet"]
    assert [model.patch_size for model in matched] == [16, None]
    known = {model.name: model for model in plan.models}
    wanted = 5_000_000 if target == "5M" else resolving.amount("params", target, known, 10, 56)
    assert not mixer.matched
    for model in matched:
        assert model.matched["target"] == target and abs(model.matched["residual"]) <= 0.02  # type: ignore[arg-type]
        params = resolving.amount("params", model.name, known, 10, 56)
        assert abs(params / wanted - 1) <= 0.02
    assert mixer.label == "Small ConvMixer"


def test_matches_keep_the_suites_order(write_suite: Write, cpu: dict[str, Any]) -> None:
    entry = "  - {match: net, families: [resnet], by: macs}\n  - {name: mixer"
    models = make_plan(write_suite(TINY.replace("  - {name: mixer", entry)), cpu).models
    assert [model.family for model in models] == ["resnet", "convmixer", "resnet"]
    known = {model.name: model for model in models}
    first, last = (
        resolving.amount("macs", m.name, known, 1000, 56) for m in (models[0], models[2])
    )
    assert abs(first / last - 1) <= 0.01


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("match: X", "match: resnet51", "4:13: unknown model 'resnet51', did you mean"),
        ("match: X", "match: mixr", "4:13: unknown model 'mixr', did you mean 'mixer'? of this su"),
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
        make_plan(path, cpu)
    assert str(error.value).startswith(f"{path}:4:")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_python_model_with_leave(
    write_suite: Write, cpu: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_model.py").write_text(
        "from torch import nn\n\ndef build(width):\n"
        "    return nn.Sequential(nn.Conv2d(3, width, 2, 2), nn.Flatten())\n"
    )
    monkeypatch.chdir(tmp_path)
    text = TINY.replace("timm: resnet10t", "python: 'own_model:build', args: {width: 4}")
    model = make_plan(write_suite(text), cpu, trusted=True).models[1]
    assert (model.source, model.family, model.patch_size) == ("python", "net", 2)


WORDS = TINY + "macs: {zero: [aten::asin], rules: {own::gram: 'own_rules:gram'}}\n"


def test_words_on_operators_go_with_every_model(write_suite: Write, cpu: dict[str, Any]) -> None:
    models = make_plan(write_suite(WORDS), cpu, trusted=True).models
    words = {"aten::asin": "zero", "own::gram": "own_rules:gram"}
    assert [model.counted_by for model in models] == [words, words]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("aten::asin", "aten::asn", "9:15: zero: torch has no operator aten::asn, did you mean"),
        ("own::gram", "aten::mm", "9:36: rules: aten::mm is counted by a rule of its own; leave"),
        ("", "", "9:47: rules: 'own_rules:gram' would run code; add --allow-import if you trust"),
    ],
)
def test_words_that_cannot_be_taken(
    write_suite: Write, cpu: dict[str, Any], old: str, new: str, message: str
) -> None:
    with pytest.raises(SuiteError, match=re.escape(message)):
        make_plan(write_suite(WORDS.replace(old, new)), cpu)


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
    plan = make_plan(write_suite(TAGGED), cpu, given=given)
    weights_of = {model.name: (model.weights, model.recipe) for model in plan.models}
    assert weights_of["resnet50"] == (str(tmp_path / "mine.pth"), "gluon_in1k")
    assert weights_of["tv"] == (str(tmp_path / "own" / "tv.pth"), "tv_in1k")
    [matched] = [name for name in weights_of if name.startswith("mixer")]
    assert weights_of[matched][0] is None
    plan = make_plan(write_suite(TAGGED), cpu, given={matched: tmp_path / "mixer.pth"})
    assert plan.models[-1].weights == str(tmp_path / "mixer.pth")


def test_weights_of_no_model_are_refused(write_suite: Write, cpu: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="no file is called like a model of the suite"):
        make_plan(
            write_suite(TAGGED.replace("own/tv.pth", "tv_in1k")), cpu, given={"x": Path("x.pth")}
        )
