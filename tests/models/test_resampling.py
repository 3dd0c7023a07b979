"""Weights of another image size: resampled as timm does where that is asked, and refused with the
way on where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from cmx_bench.cell import Model
from cmx_bench.errors import WeightsError
from cmx_bench.models import weights
from cmx_bench.models.building import build
from cmx_bench.models.resampling import Resampling

File = Callable[[nn.Module], Path]


@pytest.fixture
def file(tmp_path: Path) -> File:
    def write(module: nn.Module) -> Path:
        save_file(module.state_dict(), tmp_path / "w.safetensors")
        return tmp_path / "w.safetensors"

    return write


def describe(name: str, path: Path, classes: int = 1000) -> Model:
    return Model("m", "M", "vit", "timm", name, {}, str(path), classes)


@pytest.mark.parametrize("name", ["test_vit", "test_vit2", "test_vit4"])
def test_tables_of_positions_are_those_of_timm(name: str, file: File) -> None:
    source: Any = timm.create_model(name)
    model = replace(describe(name, file(source)), resample=True)
    module: Any = build(model, 96)
    assert weights.load(module, model, 96) == Resampling(160)
    theirs = timm.create_model(
        name, pretrained=True, img_size=96,
        pretrained_cfg_overlay={"state_dict": dict(source.state_dict())},
    )  # fmt: skip
    assert module.state_dict().keys() == theirs.state_dict().keys()
    for key, value in module.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[key]), key
    assert not torch.equal(module.pos_embed[:, :5], source.pos_embed[:, :5])


def test_tables_that_do_not_tell_their_size_are_resampled_too(file: File) -> None:
    """A window is as large as the images are."""
    tiny: dict[str, Any] = {
        "embed_dim": 8,
        "depths": (1, 1),
        "num_heads": (1, 1),
        "num_classes": 10,
    }
    source, module = (
        timm.models.SwinTransformer(img_size=size, window_size=7, **tiny) for size in (56, 16)
    )
    model = describe("swin", file(source), 10)
    with pytest.raises(WeightsError, match="is of this model for images of another size; add res"):
        weights.load(module, model, 16)
    assert weights.load(module, replace(model, resample=True), 16) == Resampling(None)
    table = "layers.0.blocks.0.attn.relative_position_bias_table"
    before, after = (network.state_dict()[table] for network in (source, module))
    assert before.shape == (169, 1) and after.shape == (49, 1)
    assert torch.allclose(after.mean(), before.mean(), atol=0.01)


def test_a_timm_model_inside_a_users_is_resampled(file: File) -> None:
    class Wrapper(nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.backbone: Any = timm.create_model("test_vit", img_size=size)

    source, module = Wrapper(160), Wrapper(96)
    model = describe("mine:build", file(source))
    assert weights.load(module, replace(model, resample=True), 96) == Resampling(160)
    direct: Any = build(describe("test_vit", Path("none")), 96)
    alone = replace(describe("test_vit", file(source.backbone)), resample=True)
    weights.load(direct, alone, 96)
    assert torch.equal(module.backbone.pos_embed, direct.pos_embed)


def test_weights_that_fit_stay_as_they_are(file: File) -> None:
    source: Any = timm.create_model("test_vit", img_size=96)
    model = replace(describe("test_vit", file(source)), resample=True)
    module: Any = build(model, 96)
    assert weights.load(module, model, 96) is None
    assert torch.equal(module.pos_embed, source.pos_embed)


def test_without_being_asked_the_message_says_how_to_ask(file: File) -> None:
    model = describe("test_vit", file(timm.create_model("test_vit")))
    said = (
        "is of this model for images of 160 px, and it is built for 96 px; add resample: true to "
        "the model, to resample the weights as timm does, or evaluate it at 160 px "
        r"\(image_size under accuracy\)"
    )
    with pytest.raises(WeightsError, match=said):
        weights.load(build(model, 96), model, 96)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resmlp_12_224", "for images of 224 px, and it is built for 96 px; timm cannot resample"),
        ("hiera_tiny_224", "for images of another size; timm cannot resample it: evaluate it at i"),
    ],
)
def test_what_timm_cannot_resample_is_refused(name: str, said: str, tmp_path: Path) -> None:
    with torch.device("meta"):
        source: Any = timm.create_model(name)
    state = {key: torch.zeros(value.shape) for key, value in source.state_dict().items()}
    torch.save(state, tmp_path / "w.pth")
    model = replace(describe(name, tmp_path / "w.pth"), resample=True)
    with torch.device("meta"):
        module = build(model, 96 if name.startswith("resmlp") else 192)
    with pytest.raises(WeightsError, match=said):
        weights.load(module, model, 96)


@pytest.mark.parametrize("resample", [False, True])
def test_another_model_is_no_other_size(resample: bool, file: File) -> None:
    """Wider, and with larger patches: neither is the same model, and classes are told first."""
    wide = timm.create_model("test_vit", embed_dim=128, num_heads=2)
    model = replace(describe("test_vit", file(wide)), resample=resample)
    with pytest.raises(WeightsError, match="holds another model"):
        weights.load(build(model, 96), model, 96)
    model = replace(describe("test_vit", file(timm.create_model("test_vit", patch_size=32))),
                    resample=resample)  # fmt: skip
    with pytest.raises(WeightsError, match=r"holds another model: '(pos_embed|patch_embed.proj.w)"):
        weights.load(build(model, 160), model, 160)
    model = replace(describe("test_vit", file(timm.create_model("test_vit")), 6),
                    resample=resample)  # fmt: skip
    with pytest.raises(WeightsError, match="has 1000 classes, the suite asks for 6"):
        weights.load(build(model, 96), model, 96)
