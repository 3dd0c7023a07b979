"""Members of families, built of timm's blocks."""

from __future__ import annotations

import pytest
import timm
import torch

from cmx_bench.designs import FAMILIES
from cmx_bench.models.building import build

from ..designs.test_designs import of


@pytest.mark.parametrize(
    "name",
    ["resnet18", "resnet50", "deit_tiny_patch16_224", "resmlp_12_224", "mixer_s16_224",
     "convmixer_768_32"],
)  # fmt: skip
def test_published_members_have_timms_shapes(name: str) -> None:
    family = next(family for family, members in FAMILIES.items() if name in members)
    with torch.device("meta"):
        theirs = timm.create_model(name).state_dict()
        ours = build(of(family, FAMILIES[family][name], 1000), 224).state_dict()
    shapes = {key: value.shape for key, value in theirs.items()}
    assert {key: value.shape for key, value in ours.items()} == shapes
