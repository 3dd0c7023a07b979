"""What a model wants to see: timm's configuration of its weights, or the suite's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import timm
from timm.data import resolve_data_config

from cmx_bench.accuracy import preprocessing
from cmx_bench.cell import Model, Setting
from cmx_bench.spec.suite import Accuracy, SharedPreprocessing

SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 1, 96)


def model(name: str, weights: str | None = None, source: str = "timm") -> Model:
    recipe = "" if weights is None or "/" in weights else weights
    return Model(name, name, "", source, name, {}, weights, recipe=recipe)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "tag"),
    [("resnet152", "gluon_in1k"), ("resnet50", "a1_in1k"), ("mixer_b16_224", "goog_in21k_ft_in1k"),
     ("convmixer_1536_20", "in1k"), ("vit_base_patch16_224", "augreg_in21k")],
)  # fmt: skip
def test_own_is_timms_of_these_weights(name: str, tag: str) -> None:
    chosen = preprocessing.of(model(name, tag), SETTING, Accuracy())
    known = timm.get_pretrained_cfg(f"{name}.{tag}")
    assert known is not None
    config = known.to_dict()
    theirs = resolve_data_config({}, pretrained_cfg=config, use_test_size=True)
    geometry = chosen.geometry
    assert geometry.image_size == theirs["input_size"][-1]
    assert (geometry.crop_pct, geometry.crop_mode, geometry.interpolation) == (
        theirs["crop_pct"], theirs["crop_mode"], theirs["interpolation"],
    )  # fmt: skip
    assert (chosen.mean, chosen.std) == (tuple(theirs["mean"]), tuple(theirs["std"]))


def test_tags_of_one_architecture_differ() -> None:
    sizes = {
        preprocessing.of(model("resnet50", tag), SETTING, Accuracy()).geometry
        for tag in ("gluon_in1k", "a1_in1k")
    }
    assert len(sizes) == 2


def test_a_file_of_weights_has_the_architectures(tmp_path: object) -> None:
    file = preprocessing.of(model("resnet50", "w/resnet50.pth"), SETTING, Accuracy())
    assert file == preprocessing.of(model("resnet50"), SETTING, Accuracy())


def test_a_file_keeps_the_recipe_it_was_trained_by() -> None:
    by_tag = preprocessing.of(model("resnet50", "gluon_in1k"), SETTING, Accuracy())
    file = replace(model("resnet50", "gluon_in1k"), weights="w/resnet50.pth")
    assert preprocessing.of(file, SETTING, Accuracy()) == by_tag


def test_the_suites_image_size_wins() -> None:
    chosen = preprocessing.of(model("resnet50", "gluon_in1k"), SETTING, Accuracy(image_size=288))
    assert (chosen.geometry.image_size, chosen.geometry.crop_pct) == (288, 0.875)


def test_shared_is_the_suites_at_the_settings_size() -> None:
    shared = SharedPreprocessing(
        crop_pct=1, interpolation="bilinear", mean=[0.5] * 3, std=[0.2] * 3
    )
    asked = Accuracy(preprocessing="shared", shared=shared)
    choices = {
        preprocessing.of(model(name), SETTING, asked) for name in ("resnet50", "mixer_b16_224")
    }
    (chosen,) = choices
    assert chosen.geometry == preprocessing.Geometry(96, 1, "center", "bilinear")
    assert (chosen.mean, chosen.std) == ((0.5,) * 3, (0.2,) * 3)
    larger = preprocessing.of(model("resnet50"), SETTING, replace_size(asked, 128))
    assert larger.geometry.image_size == 128


def replace_size(asked: Accuracy, size: int) -> Accuracy:
    return asked.model_copy(update={"image_size": size})


def test_a_conv_mixer_of_ones_own_has_timms_defaults() -> None:
    own = Model("mine", "mine", "convmixer", "convmixer", "", {"dim": 8, "depth": 1})
    chosen = preprocessing.of(own, SETTING, Accuracy())
    assert chosen.geometry == preprocessing.Geometry(224, 0.875, "center", "bicubic")


def test_a_users_model_may_say_what_it_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = replace(model("theirs"), source="python", target="timm:create_model",
                     args={"model_name": "test_mambaout"})  # fmt: skip
    chosen = preprocessing.of(theirs, SETTING, Accuracy())
    assert (chosen.geometry.image_size, chosen.geometry.crop_pct) == (192, 1.0)
