"""Sweeps: what a list stands for, how its variants are called, and how mistakes are answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cmx_bench.errors import SuiteError
from cmx_bench.spec import suite
from cmx_bench.spec.model_entries import ModelEntry
from cmx_bench.spec.suite import Suite

SUITE = """\
name: swept
models:
  - resnet10t
  - MODEL
measures: [params]
settings:
  cpu: [SETTING]
"""
MODEL = "{name: net, convmixer: {dim: 8, depth: 1, kernel_size: [3, 5, 7], patch_size: 7}}"
SETTING = "{name: cpu, batch_size: 2}"
Load = Callable[..., Suite]


@pytest.fixture
def load(write_suite: Callable[[str], Path]) -> Load:
    def load(model: str = MODEL, setting: str = SETTING, more: str = "") -> Suite:
        text = SUITE.replace("MODEL", model).replace("SETTING", setting) + more
        return suite.load(str(write_suite(text))).suite

    return load


def test_variants_of_an_own_model_are_one_family(load: Load) -> None:
    for name, family in (("net", "net"), ("'net-{x}'", "net")):
        read = load(f"{{name: {name}, python: 'm:build', args: {{x: [1, 2]}}}}")
        assert variants(read)[0].family == family
    read = load("{name: net, family: nets, python: 'm:build', args: {x: [1, 2]}}")
    assert [model.family for model in variants(read)] == ["nets", "nets"]


def variants(read: Suite) -> list[ModelEntry]:
    return [model for model in read.models[1:] if isinstance(model, ModelEntry)]


def test_a_list_stands_for_a_model_for_each_value(load: Load) -> None:
    written = "\n  - ".join(
        f"{{name: net-k{k}, convmixer: {{dim: 8, depth: 1, kernel_size: {k}, patch_size: 7}}}}"
        for k in (3, 5, 7)
    )
    assert load() == load(written)
    assert load().hash == load(written).hash


def test_two_lists_stand_for_a_grid_whose_first_key_changes_last(load: Load) -> None:
    first = load("{name: net, mixer: {dim: [16, 8], depth: [2, 1]}}")
    assert first.named[1:] == [
        "net-depth2-dim16", "net-depth1-dim16", "net-depth2-dim8", "net-depth1-dim8",
    ]  # fmt: skip
    other = load("{name: net, mixer: {depth: [1, 2], dim: [8, 16]}}")
    assert sorted(other.named) == sorted(first.named)


def test_a_list_of_one_value_is_a_sweep_too(load: Load) -> None:
    assert load("{name: net, mixer: {dim: 8, depth: [2]}}").named == ["resnet10t", "net-depth2"]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ("[a b, c/d]", ["net-x_a_b", "net-x_c_d"]),
        ("[0.1, -3, true, 1e-5]", ["net-x0.1", "net-x-3", "net-x_true", "net-x1e-05"]),
        ("[true, 1, 1.0]", ["net-x_true", "net-x1", "net-x1.0"]),
    ],
)
def test_any_scalar_is_a_value(load: Load, values: str, names: list[str]) -> None:
    read = load(f"{{name: net, python: 'm:build', args: {{x: {values}}}}}")
    assert read.named[1:] == names


def test_a_list_in_a_list_is_one_value(load: Load) -> None:
    read = load(
        "{name: net, label: Net, python: 'm:build', args: {x: [[1, 2], [3], 4, [a b]], y: 1}}"
    )
    assert read.named[1:] == ["net-x_1_2", "net-x_3", "net-x4", "net-x_a_b"]
    assert [model.args["x"] for model in variants(read)] == [(1, 2), (3,), 4, ("a b",)]
    assert variants(read)[0].label == "Net x 1, 2"


@pytest.mark.parametrize(
    ("values", "column", "problem"),
    [
        (
            "[[1, 2], [3, [4]]]",
            59,
            "x: a list is a sweep over numbers, .*, or lists of these; got a",
        ),
        ("[[1, null]]", 51, "x: .* or lists of these; got nothing in it"),
        ("[[1], []]", 52, "a list in a sweep has 1 to 1,000 items; got 0"),
        ("[[1, 2], [1, 2]]", 55, r"x: \[1, 2\] is given twice"),
    ],
)
def test_lists_in_lists_that_cannot_be(load: Load, values: str, column: int, problem: str) -> None:
    with pytest.raises(SuiteError, match=f":4:{column}: {problem}"):
        load(f"{{name: net, python: 'm:build', args: {{x: {values}}}}}")


def test_the_name_of_a_timm_model_is_enough(load: Load) -> None:
    read = variants(load("{name: vit_tiny_patch16_224, args: {depth: [1, 2]}}"))
    assert [(model.name, model.timm, model.args) for model in read] == [
        ("vit_tiny_patch16_224-depth1", "vit_tiny_patch16_224", {"depth": 1}),
        ("vit_tiny_patch16_224-depth2", "vit_tiny_patch16_224", {"depth": 2}),
    ]


def test_labels_say_the_values(load: Load) -> None:
    arguments = "{dim: 8, depth: [1, 2], kernel_size: [3], activation: [relu]}"
    read = variants(load(f"{{name: net, label: A net, convmixer: {arguments}}}"))
    assert [model.label for model in read] == [
        "A net activation relu depth 1 k3",
        "A net activation relu depth 2 k3",
    ]
    assert [model.label for model in variants(load())] == [None] * 3


def test_braces_stand_for_values_in_names_labels_and_weights(load: Load) -> None:
    head = (
        "name: 'kernel_{kernel_size}', label: 'kernel {kernel_size}', weights: 'k{kernel_size}.pt'"
    )
    read = variants(load(f"{{{head}, convmixer: {{dim: 8, depth: 1, kernel_size: [3, 5]}}}}"))
    assert [(model.name, model.label, model.weights) for model in read] == [
        ("kernel_3", "kernel 3", "k3.pt"),
        ("kernel_5", "kernel 5", "k5.pt"),
    ]


def test_weights_of_timm_may_fit_several_variants(load: Load) -> None:
    read = load("{name: net, timm: vit_tiny_patch16_224, weights: t, args: {global_pool: [a, b]}}")
    assert [model.weights for model in variants(read)] == ["t", "t"]


@pytest.mark.parametrize(
    ("swept", "names"),
    [
        ("batch_size: [1, 64]", ["cpu-b1", "cpu-b64"]),
        ("image_size: [64, 32]", ["cpu-r64", "cpu-r32"]),
        ("image_size: [64], batch_size: [1, auto]", ["cpu-b1-r64", "cpu-bauto-r64"]),
        ("precision: [fp32, bf16], threads: [1]", ["cpu-fp32-t1", "cpu-bf16-t1"]),
        ("compile: [none, default]", ["cpu-compile_none", "cpu-compile_default"]),
    ],
)
def test_settings_are_swept_too(load: Load, swept: str, names: list[str]) -> None:
    read = load(setting=f"{{name: cpu, {swept}}}")
    assert [setting.name for setting in read.settings.cpu] == names


def test_claims_name_variants(load: Load) -> None:
    claim = "claims: [{say: Smaller, check: 'params(net-k3) < params(net-k5)'}]\n"
    assert load(more=claim).claims
    with pytest.raises(SuiteError, match=r":8:40: check: unknown model 'net-k4'.*net-k"):
        load(more=claim.replace("k3", "k4"))


@pytest.mark.parametrize(
    ("arguments", "column", "problem"),
    [
        ("kernel_size: [3, five]", 64, "kernel_size: expected a whole number, got text 'five'"),
        ("kernel_size: [3, 0]", 64, "kernel_size: should be greater than or equal to 1"),
        ("kernel_size: [3, 3]", 64, "kernel_size: 3 is given twice; a list stands for an entry"),
        ("kernel_size: [3, [5]]", 64, "kernel_size: a list is a sweep over numbers, text, true or"),
        ("kernel_size: [3, null]", 64, "got nothing in it"),
        ("kernel_size: 3}, args: {x: [1, 2]", 5, "args go with timm and python; a convmixer has"),
        ("kernel_size: []", 60, "kernel_size: expected a value or several to sweep, got none"),
        ("kernal_size: [3, 5]", 47, "unknown key 'kernal_size', did you mean 'kernel_size'"),
        ("activation: [relu, gleu]", 66, "activation: expected 'gelu' or 'relu', got text 'gleu'"),
    ],
)
def test_a_mistake_has_the_place_of_its_value(
    load: Load, arguments: str, column: int, problem: str
) -> None:
    with pytest.raises(SuiteError) as error:
        load(f"{{name: net, convmixer: {{dim: 8, depth: 1, {arguments}}}}}")
    assert f":4:{column}: " in str(error.value)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        ("name: 'n_{kernel}'", "'{kernel}' is not swept, did you mean 'kernel_size'?"),
        ("name: 'n_{dim}'", r"name: '{dim}' is not swept \(swept: depth, kernel_size\)"),
        ("name: 'n_{depth}'", "name: does not tell variants apart; add {kernel_size} to it"),
        ("name: n, label: 'n {depth}'", "label: does not tell variants apart"),
        ("name: n, weights: n.pt", "weights: each variant of a sweep has its own; put {depth}"),
        ("name: n, weights: 'n{k}.pt'", "weights: '{k}' is not swept"),
        ("label: n", "the key 'name' is missing"),
    ],
)
def test_names_that_cannot_be(load: Load, head: str, problem: str) -> None:
    with pytest.raises(SuiteError, match=f":4:.*{problem}"):
        load(f"{{{head}, convmixer: {{dim: 8, depth: [1, 2], kernel_size: [3, 5]}}}}")


def test_values_that_a_name_cannot_hold_may_give_two_the_same(load: Load) -> None:
    with pytest.raises(SuiteError, match=r":4:5: 'net-x_a_b' is given twice"):
        load("{name: net, python: 'm:build', args: {x: [a b, a/b]}}")


def test_a_sweep_ends_somewhere(load: Load) -> None:
    hundred = str(list(range(1, 101)))
    with pytest.raises(SuiteError, match=r":4:5: .* 10,001 models; expected at most 1,000"):
        load(f"{{name: net, mixer: {{dim: {hundred}, depth: {hundred}}}}}")
    with pytest.raises(SuiteError, match=r":7:9: .* 10,000 settings"):
        load(setting=f"{{name: cpu, batch_size: {hundred}, image_size: {hundred}}}")


def test_a_list_elsewhere_is_no_sweep(load: Load) -> None:
    for model in ("{name: [a, b], timm: resnet10t}", "{match: [resnet10t, 3M], families: [deit]}"):
        with pytest.raises(SuiteError, match=r":4:\d+: (name|match): expected .*, got a list"):
            load(model)


def test_there_may_be_many_keys_and_values(load: Load) -> None:
    many = ", ".join(f"a{number}: [1]" for number in range(2_000))
    with pytest.raises(SuiteError, match="name: expected a name of letters"):
        load(f"{{name: net, python: 'm:build', args: {{{many}}}}}")
    with pytest.raises(SuiteError, match="there are 5,001 models"):
        load(f"{{name: net, python: 'm:build', args: {{a: {list(range(5_000))}}}}}")
