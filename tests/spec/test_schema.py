"""What is no number, or none to compute with, is refused at its place in every field of a suite and
of a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from cmx_bench.errors import SuiteError
from cmx_bench.spec import recipe, suite
from cmx_bench.spec.recipe import Recipe
from cmx_bench.spec.suite import Suite

RECIPE = """\
name: whole
epochs: 2
batch_size: 64
optimizer: {lr: 0.01, weight_decay: 0.1, betas: [0.9, 0.99], eps: 1.0e-8}
schedule: {name: cosine, warmup: 0.1}
augmentation:
  crop: {scale: [0.1, 1.0], ratio: [0.75, 1.3]}
  flip: 0.5
  color_jitter: 0.4
  random_erasing: 0.1
mixup: 0.1
cutmix: 0.1
label_smoothing: 0.1
clip_grad_norm: 1.0
"""
SUITE = """\
name: whole
num_classes: 10
replicates: 3
precision: 2%
budget: 10m
timeout: 60
measures: [params, accuracy]
models:
  - {name: a, convmixer: {dim: 8, depth: 2, kernel_size: 3, patch_size: 7}}
  - {name: b, resnet: {width: 8, layers: 1-1-1-1}}
  - {name: c, deit: {dim: 8, depth: 1, heads: 2, mlp_dim: 8, patch_size: 8}}
  - {name: d, mixer: {dim: 8, depth: 1, patch_size: 8}}
  - {name: e, timm: resnet10t, args: {rate: 1}}
  - {match: 21100000, families: [deit], within: 1%, image_size: 224, patch_size: 16}
settings:
  cpu: [{name: x, batch_size: 2, image_size: 56, threads: 1}]
  cuda: [{name: y, batch_size: 2, image_size: 56}]
accuracy:
  preprocessing: shared
  image_size: 56
  seeds: [0]
  shared: {crop_pct: 0.9, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
  train: {name: short, epochs: 1, batch_size: 16, optimizer: {lr: 0.01}}
"""
MOMENTUM = "name: sgd\nepochs: 2\nbatch_size: 64\noptimizer: {name: sgd, lr: 0.01, momentum: 0.9}\n"

# Fields that take text as well.
TEXTS = {"rate", "match"}
NO_NUMBERS = [
    "true", "'1'", "'1_000'", "1_000", "1:30", "2026-01-31", "0x10", "0o17", ".nan", ".inf",
    "-.inf", "nan", "Infinity", "[]", "{}", "1e", "--1", "!!float nan", "!!float inf",
    "!!int 1_000", "!!int ' 1'", "!!float 1_0",
]  # fmt: skip
TOO_LARGE = ["1e400", "-1e400", "9" * 400, "9" * 5000, f"-{'9' * 400}", str(2**64), "!!float 1e999"]


def numbers(value: Any, location: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places of numbers, and of texts that mean one."""
    items = enumerate(value) if isinstance(value, list) else ()
    for key, inner in value.items() if isinstance(value, dict) else items:
        yield from numbers(inner, (*location, key))
    if isinstance(value, int | float) or re.fullmatch(r"\d+[%m]", str(value)):
        yield location


CASES = [
    (name, location)
    for name, text in (("suite", SUITE), ("recipe", RECIPE), ("momentum", MOMENTUM))
    for location in numbers(yaml.safe_load(text))
    if location[:2] != ("accuracy", "train")
]


def field(location: tuple[str | int, ...]) -> str:
    return str(next(part for part in reversed(location) if isinstance(part, str)))


@cache
def with_place(name: str, location: tuple[str | int, ...]) -> str:
    """The file with the word PLACE in place of a number."""
    value = inner = yaml.safe_load({"suite": SUITE, "recipe": RECIPE, "momentum": MOMENTUM}[name])
    for key in location[:-1]:
        inner = inner[key]
    inner[location[-1]] = "PLACE"
    return yaml.safe_dump(value)


def refusal_of(tmp_path: Path, name: str, location: tuple[str | int, ...], written: str) -> str:
    """What is said of a file with this at the place; it names the file, a line and a column."""
    path = tmp_path / "file.yaml"
    path.write_text(with_place(name, location).replace("PLACE", written))
    with pytest.raises(SuiteError) as error:
        suite.load(str(path)) if name == "suite" else recipe.load(path)
    said = re.fullmatch(rf"{re.escape(str(path))}:\d+:\d+: (.*)", str(error.value))
    assert said, str(error.value)
    assert len(said[1]) < 200
    return said[1]


def test_these_files_are_right_and_hold_every_number(tmp_path: Path) -> None:
    """A field that is added to a schema has to be added here."""
    (tmp_path / "suite.yaml").write_text(SUITE)
    suite.load(str(tmp_path / "suite.yaml"))
    for text in (RECIPE, MOMENTUM):
        (tmp_path / "recipe.yaml").write_text(text)
        recipe.load(tmp_path / "recipe.yaml")
    known = {
        name
        for model in (Suite, Recipe)
        for part in (model.model_json_schema(), *model.model_json_schema()["$defs"].values())
        for name, about in part["properties"].items()
        if re.search(r"'type': '(number|integer)'|'pattern': '\^\(\\\\d", str(about))
    }
    assert known - {"args"} | {"rate"} == {field(location) for _, location in CASES}


@pytest.mark.parametrize(("name", "location"), CASES, ids=str)
def test_what_is_no_number(tmp_path: Path, name: str, location: tuple[str | int, ...]) -> None:
    for written in NO_NUMBERS:
        if field(location) in TEXTS and written[0] != "!":
            continue
        said = refusal_of(tmp_path, name, location, written)
        assert re.search(r"expected |is not a (int|float)|should be", said), said


@pytest.mark.parametrize(("name", "location"), CASES, ids=str)
def test_what_is_too_large(tmp_path: Path, name: str, location: tuple[str | int, ...]) -> None:
    for written in TOO_LARGE:
        assert "is too large for a number" in refusal_of(tmp_path, name, location, written)


@pytest.mark.parametrize(
    ("name", "location"), [case for case in CASES if field(case[1]) not in TEXTS], ids=str
)
def test_what_single_precision_cannot_hold(
    tmp_path: Path, name: str, location: tuple[str | int, ...]
) -> None:
    for written in ("1e39", "-1e39", "1e308"):
        assert re.search("expected |should be ", refusal_of(tmp_path, name, location, written))


@pytest.mark.parametrize(
    ("key", "written"), [("mean", "123.675"), ("std", "0"), ("std", "58.4"), ("crop_pct", "1e-9")]
)
def test_colours_are_between_0_and_1(tmp_path: Path, key: str, written: str) -> None:
    """Means from 0 to 255 would make all images black, and none said so."""
    place = () if key == "crop_pct" else (1,)
    location: tuple[str | int, ...] = ("accuracy", "shared", key, *place)
    assert f"{key}: should be " in refusal_of(tmp_path, "suite", location, written)
