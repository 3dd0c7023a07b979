"""The JSON Schema of suites and recipes: kept in docs/, and as strict as it can be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from cmx_bench.spec import editors, shipped

from ..conftest import TINY, TRAINED

ROOT = Path(__file__).resolve().parents[2]
DOCS, SUITES = ROOT / "docs", ROOT / "suites"
# Of the checkout, where the docs lie beside them.
FILES = {"suite": [*SUITES.glob("*.yaml")], "recipe": [*SUITES.glob("recipes/*.yaml")]}


def validator(what: str) -> Draft202012Validator:
    schema = json.loads(editors.json_schema(editors.FILES[what]))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def problems(what: str, text: str) -> list[Any]:
    return list(validator(what).iter_errors(yaml.safe_load(text)))


@pytest.mark.parametrize("what", editors.FILES)
def test_docs_have_the_schema_as_it_is(what: str) -> None:
    """Written anew by `python -m cmx_bench schema WHAT > docs/WHAT.schema.json`."""
    kept = (DOCS / f"{what}.schema.json").read_text(encoding="utf-8")
    assert kept == editors.json_schema(editors.FILES[what])


def test_these_are_the_files_that_come_along() -> None:
    for what, there in (("suite", shipped.suites()), ("recipe", shipped.recipes())):
        assert {path.stem: path.read_text() for path in FILES[what]} == {
            name: path.read_text() for name, path in there.items()
        }


@pytest.mark.parametrize(
    ("what", "path"), [(what, path) for what, paths in FILES.items() for path in paths], ids=str
)
def test_what_comes_along_is_valid_and_names_its_schema(what: str, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert problems(what, text) == []
    first = text.splitlines()[0]
    named = (path.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve()
    assert named == DOCS / f"{what}.schema.json"
    assert editors.without_header(text) == text.removeprefix(f"{first}\n")


GOOD = [
    TINY, TRAINED,
    "name: a\nmodels: [resnet50]",
    "name: a\nmodels: [{match: 21.1M, families: [resnet], within: 1%}]\naccuracy: {train: digits}",
    "name: a\nmodels: [{name: 'k{kernel_size}', convmixer: {dim: 8, depth: 2, kernel_size: [3, 5]}}"
    "]\nsettings: {cpu: [{name: cpu, batch_size: [1, 8]}]}\nbudget: 10m\nprecision: 2.5 %",
    "name: a\nmodels: [{name: b, timm: vit_tiny_patch16_224, args: {depth: [6, 12]}}]",
    "name: a\nmodels: [{name: resnet18, args: {layers: [[1, 1, 1, 1], [2, 2, 2, 2]]}}]",
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_what_a_suite_may_say_is_valid(text: str) -> None:
    assert problems("suite", text) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: tiny", "nome: tiny"),
        ("replicates: 3", "replicates: 0"),
        ("replicates: 3", "precision: 2"),
        ("replicates: 3", "budget: 10 minutes"),
        ("replicates: 3", "accuracy: {shared: {crop_pct: 1.5}}"),
        ("replicates: 3", "accuracy: {train: {name: a}}"),
        ("[params, throughput]", "[params, througput]"),
        ("depth: 2", "deep: 2"),
        ("depth: 2", "depth: two"),
        ("dim: 8", "dim: [8, x]"),
        ("batch_size: 2", "batch_size: some"),
        ("batch_size: 2", "precision: fp8"),
        ("name: cpu", "name: a b"),
        ("timm: resnet10t", "timn: resnet10t"),
    ],
)
def test_what_a_suite_may_not_say_is_not(old: str, new: str) -> None:
    assert old in TINY
    assert best_match(problems("suite", TINY.replace(old, new))) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [("lr: 0.003", "lr: 0"), ("mixup: 0.2", "mixup: -1"), ("label_smoothing: 0.1",
      "label_smoothing: 1"), ("epochs: 22", "epoch: 22"), ("one-cycle", "two-cycle")],
)  # fmt: skip
def test_what_a_recipe_may_not_say_is_not(old: str, new: str) -> None:
    text = shipped.recipes()["digits"].read_text(encoding="utf-8")
    assert old in text
    assert problems("recipe", text.replace(old, new))
