"""What is read off the name of a model, and off its modules."""

from __future__ import annotations

import pytest

from cmx_bench.models import families
from cmx_bench.models.building import build, build_on_meta

from .test_building import model


@pytest.mark.parametrize(
    ("name", "family", "patch", "kernel", "activation"),
    [
        ("convmixer_768_32", "convmixer", 7, 7, "ReLU"),
        ("resnet50", "resnet", None, 3, "ReLU"),
        ("deit_tiny_patch16_224", "deit", 16, None, "GELU"),
        ("resmlp_12_224", "resmlp", 16, None, "GELU"),
        ("mixer_s32_224", "mixer", 32, None, "GELU"),
        ("efficientnet_b0", "efficientnet", None, 5, "SiLU"),
        ("mobilenetv3_small_050", "mobilenetv3", None, 5, "Hardswish"),
        ("vgg11", "vgg", None, 7, "ReLU"),
    ],
)
def test_what_is_read_off_a_model(
    name: str, family: str, patch: int | None, kernel: int | None, activation: str
) -> None:
    built = build_on_meta(lambda: build(model("timm", name), 224))
    assert families.family(name) == family
    assert families.patch_size(built) == patch
    assert families.kernel_size(built) == kernel
    assert families.activation(built) == activation
