"""Sizes beyond reason: refused when the suite is read or the plan is made, in a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.errors import SuiteError
from cmx_bench.models import building, trial
from cmx_bench.models.building import build
from cmx_bench.plan import making
from cmx_bench.spec import document, suite

from ..conftest import TINY

NET = "timm: resnet10t"
SUITES = {
    "width": (NET, "convmixer: {dim: 1000000000000, depth: 1}"),
    "depth": (NET, "convmixer: {dim: 8, depth: 1000000000}"),
    "kernel": (NET, "convmixer: {dim: 8, depth: 1, kernel_size: 10000000000}"),
    "patch": (NET, "convmixer: {dim: 8, depth: 1, patch_size: 10000000000}"),
    "width that each layer squares": (NET, "convmixer: {dim: 1000000, depth: 1}"),
    "kernel of a wide layer": (NET, "convmixer: {dim: 1000000, depth: 1, kernel_size: 1000}"),
    "patch of a wide layer": (NET, "convmixer: {dim: 1000000, depth: 1, patch_size: 1000}"),
    "blocks": (NET, "resnet: {layers: 999999999-1-1-1}"),
    "blocks together": (NET, "resnet: {layers: 999-999-999-999, block: basic}"),
    "stages": (NET, "resnet: {layers: 1-1-1-1, width: 1000000}"),
    "hidden units": (NET, "deit: {dim: 999999, depth: 1, heads: 1, mlp_dim: 1000000}"),
    "heads": (NET, "deit: {dim: 8, depth: 1, heads: 1000000000, mlp_dim: 8}"),
    "patches": (NET, "mixer: {dim: 1000000, depth: 1, patch_size: 1}"),
    "blocks of timm": (NET, "timm: vit_tiny_patch16_224, args: {depth: 1000000000}"),
    "many blocks of timm": (NET, "timm: vit_tiny_patch16_224, args: {depth: 60000}"),
    "width of timm": (NET, "timm: vit_tiny_patch16_224, args: {embed_dim: 65535}"),
    "image of timm": (NET, "timm: vit_tiny_patch16_224, args: {img_size: 1000000}"),
    "images": ("image_size: 56", "image_size: 1000000"),
    "batch": ("batch_size: 2", "batch_size: 1000000000"),
    "batch of a training": ("replicates: 3", "accuracy: {preprocessing: shared, train: {name: a, "
                            "epochs: 1, batch_size: 1000000000, optimizer: {lr: 1.0}}}"),
    "epochs": ("replicates: 3", "accuracy: {preprocessing: shared, train: {name: a, "
               "epochs: 1000000000, batch_size: 1, optimizer: {lr: 1.0}}}"),
    "classes": ("replicates: 3", "num_classes: 1000000000"),
    "replicates": ("replicates: 3", "replicates: 1000000000"),
    "threads": ("batch_size: 2", "threads: 1000000000"),
    "seeds": ("replicates: 3", f"accuracy: {{seeds: [{', '.join(map(str, range(1001)))}]}}"),
    "models": ("  - {name: net", "  - {name: a, timm: b}\n" * 1000 + "  - {name: net"),
    "families": (f"{{name: net, {NET}}}", f"{{match: 1M, families: [{'deit, ' * 1000}]}}"),
    "claims": ("replicates: 3", "claims:\n" + "  - {say: a, check: params(net) > 1}\n" * 1001),
    "size of the file": ("name: tiny", f"title: {'x' * document.MOST_BYTES}"),
    "cells": (
        "cpu: [{name: cpu, batch_size: 2, image_size: 56}]\n",
        "cpu:\n" + "".join(f"    - {{name: c{n}, batch_size: {n + 1}}}\n" for n in range(1000))
        + f"claims: &c []\nmodels: [{', '.join(f'm{n}' for n in range(101))}]\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SUITES)
def test_what_is_beyond_reason(
    write_suite: Callable[[str], Path], cpu: dict[str, Any], what: str
) -> None:
    old, new = SUITES[what]
    assert old in TINY
    text = TINY.replace(old, new)
    if what == "cells":
        text = text.replace(TINY[TINY.index("models:") : TINY.index("measures:")], "", 1)
    path = write_suite(text)
    with pytest.raises(SuiteError) as error:
        making.make(suite.load(str(path)), cpu)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600
    words = ("at most", "less than or equal", "has over", "expected the blocks", "are usable",
             "divisible")  # fmt: skip
    assert any(word in str(error.value) for word in words)


def test_what_is_wrong_on_shapes_alone_is_not_tried_with_values(
    write_suite: Callable[[str], Path], cpu: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With values this one would take 4 GB."""
    monkeypatch.setattr(trial, "_build_on_cpu", None)
    wide = "convmixer: {dim: 30000, depth: 1, patch_size: 57}"
    path = write_suite(TINY.replace(NET, wide))
    [trouble] = making.make(suite.load(str(path)), cpu).troubles
    assert trouble.startswith(f"{path}:4:5: net: does not run on 56 px images: ")


def test_a_model_of_a_users_own_may_be_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lets a suite import code trusts it."""
    from cmx_bench.cell import Model

    monkeypatch.setattr(building, "MOST_MODULES", 1)
    own = Model("own", "Own", "own", "python", "torchvision.models:resnet18")
    assert len(list(build(own, 64).modules())) > 1
