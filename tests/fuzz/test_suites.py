"""Suites and recipes, harmed: each is read, or refused in one line that names the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmx_bench.errors import CmxError
from cmx_bench.plan import making
from cmx_bench.spec import recipe, shipped, suite

from . import mutations

# A model of every kind, so small that a plan of all is made in a second.
EVERY = """\
name: every
title: Every kind
models:
  - resnet10t
  - {name: a, label: A, family: f, convmixer: {dim: 8, depth: 1, kernel_size: 3, patch_size: 7}}
  - {name: b, resnet: {width: 8, layers: 1-1-1-1, block: basic}}
  - {name: c, deit: {dim: 8, depth: 1, heads: 2, mlp_dim: 16, patch_size: 16}}
  - {name: d, mixer: {dim: 8, depth: 1, patch_size: 16}}
  - {name: e, resmlp: {dim: [8, 16], depth: 1}}
  - {name: f, timm: vit_tiny_patch16_224, args: {depth: 1, embed_dim: 12, qkv_bias: false}}
  - {match: a, families: [mixer], by: params, within: 50%, image_size: 64, patch_size: 8}
num_classes: 10
measures: [params, macs, throughput, accuracy]
replicates: 3
precision: 2%
budget: 1m
timeout: 60
settings:
  cpu:
    - {name: cpu, precision: fp32, layout: nchw, compile: none, batch_size: auto, image_size: 64}
  cuda: [{name: half, batch_size: [4, 8], cudnn_benchmark: true}]
accuracy:
  dataset: digits
  preprocessing: shared
  shared: {crop_pct: 0.9, interpolation: bicubic, mean: [0.4, 0.4, 0.4], std: [0.2, 0.2, 0.2]}
  train: {name: short, epochs: 1, batch_size: 16, optimizer: {lr: 0.01}}
  seeds: [0, 7]
claims:
  - {say: Smaller, check: "params(a) < params(b) and top1(a) in [10%, 1e2]"}
"""
SUITES = (EVERY, *(path.read_text(encoding="utf-8") for path in shipped.suites().values()))
RECIPES = tuple(path.read_text(encoding="utf-8") for path in sorted(shipped.recipes().values()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@st.composite
def harmed_texts(draw: st.DrawFn, texts: Sequence[str]) -> bytes:
    """One of the texts with one to four mutations, of its text or of its values."""
    text, random = draw(st.sampled_from(texts)), draw(st.randoms(use_true_random=False))
    for _ in range(draw(st.integers(1, 4))):
        text = _harm(text, random)
    return text.encode(errors="surrogatepass")


def _harm(text: str, random: Random) -> str:
    if random.random() < 0.5:
        return mutations.of_text(text, random)
    try:
        return mutations.of_values(text, random)
    except Exception:  # no YAML any more
        return mutations.of_text(text, random)


def answer(path: Path, read: Callable[[str], Any]) -> Any:
    """What `read` makes of the file; None where it refuses it in one line."""
    try:
        return read(str(path))
    except CmxError as error:
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 1500
        return None


@given(harmed_texts(SUITES))
def test_a_suite(folder: Path, text: bytes) -> None:
    path = folder / "suite.yaml"
    path.write_bytes(text)
    if (loaded := answer(path, suite.load)) is not None:
        assert loaded.suite.hash == suite.load(str(path)).suite.hash


@given(harmed_texts(RECIPES))
def test_a_recipe(folder: Path, text: bytes) -> None:
    path = folder / "recipe.yaml"
    path.write_bytes(text)
    answer(path, lambda named: recipe.load(Path(named)))


@given(st.randoms(use_true_random=False))
def test_a_plan(folder: Path, cpu: dict[str, Any], random: Random) -> None:
    path = folder / "plan.yaml"
    path.write_bytes(mutations.of_values(EVERY, random).encode(errors="surrogatepass"))
    if (loaded := answer(path, suite.load)) is not None:
        answer(path, lambda _: making.make(loaded, cpu))
