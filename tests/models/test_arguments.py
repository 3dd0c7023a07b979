"""What a suite may give a timm model: plain arguments of its constructor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cmx_bench.errors import RefusedModelError
from cmx_bench.models import arguments


@pytest.mark.parametrize(
    ("architecture", "given"),
    [
        ("vit_tiny_patch16_224", {"depth": 6, "embed_dim": 96, "num_heads": 3, "qkv_bias": False}),
        ("vit_tiny_patch16_224", {"global_pool": "avg", "norm_layer": "rmsnorm"}),
        ("resnet18", {"stem_width": 32, "stem_type": "deep", "drop_rate": 0.1}),
        ("resnet18", {"layers": (1, 1, 1, 1)}),
        ("mixer_s16_224", {"num_blocks": 2, "embed_dim": 64}),
        ("efficientnet_b0", {"drop_rate": 0.2}),
    ],
)
def test_arguments_of_the_constructor_are_taken(architecture: str, given: dict[str, Any]) -> None:
    arguments.refuse(architecture, given)


@pytest.mark.parametrize(
    "name",
    ["checkpoint_path", "cache_dir", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay",
     "pretrained_strict", "pretrained_filter_fn", "features_only", "feature_cls", "exportable",
     "scriptable", "no_jit", "pruned", "model_cls", "model_cfg", "kwargs", "cfg", "device", "dtype",
     "num_classes", "variant", "__class__", "self"],
)  # fmt: skip
def test_others_are_refused(name: str) -> None:
    with pytest.raises(RefusedModelError, match=name):
        arguments.refuse("resnet10t", {name: "x"})


@pytest.mark.parametrize("name", ["cfg", "kwargs", "checkpoint_path", "attn_layer"])
def test_a_constructor_that_passes_on_what_it_does_not_name(name: str) -> None:
    with pytest.raises(RefusedModelError, match=name):
        arguments.refuse("repvgg_a0", {name: "x"})


def test_a_misspelt_one_is_named() -> None:
    with pytest.raises(RefusedModelError, match="no argument 'dephts', did you mean 'depth'"):
        arguments.refuse("vit_tiny_patch16_224", {"dephts": 3})


def test_a_word_where_true_or_false_is_due_is_refused() -> None:
    """YAML 1.2 has `off` for a text, and timm takes every text for true."""
    with pytest.raises(RefusedModelError, match="qkv_bias: expected true or false, got text 'off'"):
        arguments.refuse("vit_tiny_patch16_224", {"qkv_bias": "off"})


@pytest.mark.parametrize("number", [10**9, -(10**9), 1e300, (1, 10**9)])
def test_a_number_beyond_reason_is_refused(number: Any) -> None:
    with pytest.raises(RefusedModelError, match="depth: a number .* is at most 65,536"):
        arguments.refuse("vit_tiny_patch16_224", {"depth": number})


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    """timm 1.0.20 to 1.0.30 run what a checkpoint says when it is given as `checkpoint_path`."""

    class Touch:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    torch.save(Touch(), tmp_path / "evil.pth")
    with pytest.raises(RefusedModelError, match="no argument 'checkpoint_path'"):
        arguments.refuse("resnet10t", {"checkpoint_path": str(tmp_path / "evil.pth")})
    assert not (tmp_path / "ran").exists()
