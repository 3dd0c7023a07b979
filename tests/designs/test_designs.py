"""Closed forms against modules of timm, built on the meta device: equal to the last parameter."""

from __future__ import annotations

import random
from functools import partial
from typing import get_args

import pytest
import torch

from cmx_bench.cell import Family, Model
from cmx_bench.designs import FAMILIES, find_published
from cmx_bench.designs.anatomy import Design
from cmx_bench.designs.deit import DeiT
from cmx_bench.designs.depthwise import ConvMixer
from cmx_bench.designs.mlp import MLP
from cmx_bench.designs.resnet import ResNet
from cmx_bench.measures.counting.twice import count
from cmx_bench.models.building import BUILDERS, build

from ..measured import MEASURED


def of(family: Family, design: Design, classes: int) -> Model:
    return Model("m", "M", family, family, "", design.arguments, num_classes=classes)


@pytest.mark.parametrize(("name", "params", "macs"), MEASURED)
def test_published_members_cost_what_is_known(name: str, params: int, macs: int) -> None:
    design = find_published(name)
    assert design is not None
    assert (design.params(1000, 224), design.macs(1000, 224)) == (params, macs)


def member(family: Family, draw: random.Random) -> Design:
    """A member as nobody would choose it: every part of the formula is at work."""
    depth, dim = draw.randint(1, 3), 2 * draw.randint(2, 20)
    if family == "resnet":
        layers = tuple(draw.randint(1, 2) for _ in range(4))
        width = draw.choice([16, 64, draw.randint(2, 40)])  # stages that need no projection, too
        return ResNet(width, layers, draw.choice(["basic", "bottleneck"]))
    if family == "deit":
        heads = draw.randint(1, 3)
        return DeiT(heads * draw.randint(3, 20), depth, heads, draw.randint(5, 90))
    if family == "convmixer":
        sides = draw.choice([2, 3, 8, 9]), draw.choice([4, 7, 14])
        return ConvMixer(dim, depth, *sides, draw.choice(["gelu", "relu"]))
    return MLP(family, dim, depth, draw.choice([8, 16]))


@pytest.mark.parametrize("family", FAMILIES)
def test_random_members_cost_what_the_formulas_say(family: Family) -> None:
    draw = random.Random(family)
    for number in range(12):
        design, classes, size = member(family, draw), draw.randint(1, 50), draw.randint(16, 150)
        model = of(family, design, classes)
        with torch.device("meta"):
            module = build(model, size)
        assert sum(p.numel() for p in module.parameters()) == design.params(classes, size), design
        if number % 4 == 0:  # tracing takes a while
            assert count(partial(build, model, size), size).macs == design.macs(classes, size)


def test_every_family_has_a_builder() -> None:
    assert set(FAMILIES) == set(get_args(Family))
    assert set(FAMILIES) < set(BUILDERS)


@pytest.mark.parametrize("name", [name for members in FAMILIES.values() for name in members])
def test_a_published_member_is_among_its_own_rows(name: str) -> None:
    design = find_published(name)
    assert design is not None
    assert any(row.make(step) == design for row in design.rows() for step in row.steps)


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_ascend(family: Family) -> None:
    for design in FAMILIES[family].values():
        for row in design.rows():
            costs = [row.make(step).params(10, 224) for step in (*row.steps[:2], row.steps[-1])]
            assert costs == sorted(set(costs))
