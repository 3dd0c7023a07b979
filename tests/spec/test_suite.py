"""Suites: what is accepted, and how each mistake is answered."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cmx_bench.errors import SuiteError
from cmx_bench.spec import shipped, suite
from cmx_bench.spec.model_entries import MatchEntry

from ..conftest import TINY


def test_a_bare_name_is_short_for_a_model(write_suite: Callable[[str], Path]) -> None:
    text = TINY.replace("- {name: net, timm: resnet10t}", "- resnet18")
    models = suite.load(str(write_suite(text))).suite.models
    assert [getattr(model, "name", None) for model in models] == ["mixer", "resnet18"]


def test_the_hash_follows_the_meaning_not_the_spelling(write_suite: Callable[[str], Path]) -> None:
    def hash_of(text: str) -> str:
        return suite.load(str(write_suite(text))).suite.hash

    assert hash_of(TINY) == hash_of("# a comment\n" + TINY.replace("name: tiny", 'name: "tiny"'))
    assert hash_of(TINY) != hash_of(TINY.replace("depth: 2", "depth: 3"))


def test_precision_and_budget(write_suite: Callable[[str], Path]) -> None:
    text = TINY + "precision: 2%\nbudget: 10m\n"
    loaded = suite.load(str(write_suite(text))).suite
    assert (loaded.precision, loaded.budget) == (0.02, 600.0)
    same = suite.load(str(write_suite(TINY + "budget: 600s\nprecision: 2.0 %\n"))).suite
    assert same.hash == loaded.hash
    # A budget, as `--budget`, says how much of it is measured, not what.
    assert suite.load(str(write_suite(TINY + "precision: 2%\n"))).suite.hash == loaded.hash


@pytest.mark.parametrize(
    ("macs", "message"),
    [
        ("{zero: [asin]}", "9:15: zero: expected an operator such as aten::asin, got 'asin'"),
        ("{zero: [a::b, a::b]}", "9:7: macs: a::b is given twice; keep one"),
        ("{zero: aten::asin}", "9:14: zero: expected a list, got text 'aten::asin'"),
        ("{free: []}", "9:8: unknown key 'free' (known: zero, rules)"),
    ],
)
def test_words_on_operators_that_cannot_be_read(
    write_suite: Callable[[str], Path], macs: str, message: str
) -> None:
    with pytest.raises(SuiteError) as error:
        suite.load(str(write_suite(f"{TINY}macs: {macs}\n")))
    assert message in str(error.value)


CLAIMS = """\
claims:
  - {say: Smaller, check: "params(mixer) < params(net)"}
  - say: Faster
    check: throughput(mixer) / throughput(net) > 2 and params(net) > 0
"""


def test_claims_leave_the_hash_as_it_was(write_suite: Callable[[str], Path]) -> None:
    """A new claim is judged from what was measured."""
    without = suite.load(str(write_suite(TINY))).suite.hash
    loaded = suite.load(str(write_suite(TINY + CLAIMS))).suite
    assert loaded.hash == without
    assert [claim.say for claim in loaded.claims] == ["Smaller", "Faster"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("params(net)\"", "params(nett)\"",
         "10:51: check: unknown model 'nett', did you mean 'net'?"),
        ("throughput(net)", "thruput(net)",
         "12:32: check: unknown metric 'thruput', did you mean 'throughput' or"),
        ("and", "AND", "12:52: check: expected 'and', 'or' or the end, got 'AND'"),
        ("check: \"", "chekc: \"", "10:20: unknown key 'chekc', did you mean 'check'?"),
        ("say: Faster", "say: []", "11:10: say: expected text, got a list"),
        # Written otherwise than it reads: the place of its beginning, and the word.
        ('"params(mixer) < params(net)"', '"params(mixer) \\x3c parms(net)"',
         "10:27: check: unknown metric 'parms'"),
        ("throughput(mixer) / throughput(net) > 2", "|\n      parms(net) > 2",
         "12:12: check: unknown metric 'parms'"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_check_is_answered_with_its_place(
    write_suite: Callable[[str], Path], old: str, new: str, message: str
) -> None:
    assert old in CLAIMS
    path = write_suite(TINY + CLAIMS.replace(old, new))
    with pytest.raises(SuiteError) as error:
        suite.load(str(path))
    assert str(error.value).startswith(f"{path}:{message}")
    assert "\n" not in str(error.value)


def test_a_match_is_an_entry(write_suite: Callable[[str], Path]) -> None:
    text = TINY.replace(
        "timm: resnet10t}", "timm: resnet10t}\n  - {match: 21.1M, families: [deit]}"
    )
    loaded = suite.load(str(write_suite(text.replace("[deit]", "[deit, resnet]")))).suite
    assert loaded.size == 4
    [_, _, match] = loaded.models
    assert isinstance(match, MatchEntry)
    assert (match.number, match.quantities, match.within) == (21_100_000, ("params",), 0.01)
    assert MatchEntry(match="mixer", families=["deit"], by="both").number is None


NET = "{name: net, timm: resnet10t}"
MISTAKES = [
    (
        "dim: 8, depth: 2",
        "dim: 8, depth: 2, norm: layer, optimised: true",
        "optimised goes with norm: batch and residual: depthwise alone, which fold; leave one",
    ),
    (
        "timm: resnet10t",
        "resnet: {layers: 1-1-1-1}, optimised: true",
        "optimised goes with a ConvMixer as published, and not with resnet",
    ),
    (
        "timm: resnet10t",
        "timm: convmixer_768_32, args: {drop_rate: 0.1}, optimised: true",
        "optimised goes with a ConvMixer as published, and not with args",
    ),
    ("timm: resnet10t", "timm: resnet10t, optimised: 1", "optimised: expected true or false"),
    ("depth: 2", "seeds: 2", "3:63: unknown key 'seeds' (known: dim, depth"),
    ("depth: 2", "budget: 2", "3:63: unknown key 'budget'; write it at the top of the file (known"),
    ("depth: 2", "depht: 2", "3:63: unknown key 'depht', did you mean 'depth'? (known: dim, depth"),
    ("measures", "mesures", "5:1: unknown key 'mesures', did you mean 'measures'?"),
    ("cpu: [", "gpu: [", "8:3: unknown key 'gpu', did you mean 'cuda'? (known: cuda, cpu)"),
    (
        "batch_size: 2",
        "batch_size: atuo",
        "expected 'auto' or a whole number, got text 'atuo', did",
    ),
    ("batch_size: 2", "batch_size: 0", "should be greater than or equal to 1, got a number 0"),
    (
        "batch_size: 2",
        "compile: off",
        "compile: expected 'none', 'default', 'reduce-overhead' or 'max-autotune', got",
    ),
    ("batch_size: 2", "precision: tf32", "expected 'fp32', 'fp16', 'bf16', 'autocast' or 'int8'"),
    ("batch_size: 2", "layout: nhcw", "did you mean 'nhwc' or 'nchw'?"),
    ("batch_size: 2", "cudnn_benchmark: true", "unknown key 'cudnn_benchmark'"),
    ("name: tiny", "name: 1.0", "1:7: name: expected text, got a number 1.0"),
    ("name: tiny", "name: a/b", "name: expected a name of letters"),
    ("name: tiny\n", "", "the key 'name' is missing"),
    ("[params, throughput]", "params", "5:11: measures: expected a list, got text 'params'"),
    ("[params, throughput]", "[]", "at least 1"),
    ("throughput]", "thruput]", "5:20: unknown measure 'thruput', did you mean 'throughput'"),
    ("throughput]", "activations]", "5:20: unknown measure 'activations'; it is a metric of the"),
    ("throughput]", "params]", "5:20: 'params' is given twice"),
    ("name: net", "name: mixer", "4:5: 'mixer' is given twice"),
    ("timm: resnet10t", "timm: resnet10t, python: 'a:b'", "timm and python is enough; keep one"),
    ("timm: resnet10t", "timm: resnet10t, resample: 'yes'", "4:44: resample: expected true or fal"),
    ("timm: resnet10t", "timm: resnet10t, resample: 96", "resample: expected true or false, got a"),
    ("timm: resnet10t", "resampled: true", "unknown key 'resampled', did you mean 'resample'"),
    ("- {name: net, timm: resnet10t}", "- 3", "4:5: models: expected keys and values"),
    ("  cpu: [{name: cpu, batch_size: 2, image_size: 56}]", "  cpu: []", "no setting given"),
    ("replicates: 3", "precision: 2", "6:12: precision: expected a percentage such as 2%, got a"),
    ("replicates: 3", "precision: 2 percent", "such as 2%, got text '2 percent'"),
    ("replicates: 3", "precision: 0%", "expected a percentage such as 2%, got text '0%'"),
    ("replicates: 3", "precision: null", "expected a percentage such as 2%, got nothing"),
    ("replicates: 3", "budget: 600", "6:9: budget: expected a time such as 90s, 10m or 1h, got a"),
    ("replicates: 3", "budget: soon", "expected a time such as 90s, 10m or 1h, got text 'soon'"),
    ("replicates: 3", "precison: 2%", "6:1: unknown key 'precison', did you mean 'precision'?"),
    ("timm: resnet10t", "mixer: {dim: 8}", "4:24: the key 'depth' is missing"),
    (
        "timm: resnet10t",
        "mixer: {dim: 8, hidden: 2}",
        "unknown key 'hidden' (known: dim, depth, pat",
    ),
    ("timm: resnet10t", "resnet: {layers: 3-4-6}", "4:34: layers: expected the blocks of four st"),
    (NET, "{match: mixer}", "4:5: the key 'families' is missing"),
    (NET, "{match: mixer, familys: [deit]}", "unknown key 'familys', did you mean 'families'? (kn"),
    (
        NET,
        "{match: mixer, families: [diet]}",
        "4:31: families: expected 'resnet', 'deit', 'resmlp'",
    ),
    (NET, "{match: mixer, families: []}", "4:30: families: "),
    (
        NET,
        "{match: mixer, families: [deit], label: X}",
        "4:38: unknown key 'label' (known: match, families, by, within, image_size, patch_size)",
    ),
    (
        NET,
        '{match: "0.4", families: [deit]}',
        "4:13: match: expected a number such as 21110248, 21.1M or 4G, or a model; got text '0.4'",
    ),
    (NET, "{match: mixer, families: [deit], by: flops}", "by: expected 'params', 'macs' or 'both'"),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_a_mistake_is_answered_with_its_place(
    write_suite: Callable[[str], Path], old: str, new: str, message: str
) -> None:
    assert old in TINY
    path = write_suite(TINY.replace(old, new))
    with pytest.raises(SuiteError) as error:
        suite.load(str(path))
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}:")
    assert "\n" not in str(error.value)


def test_a_list_is_no_suite(write_suite: Callable[[str], Path]) -> None:
    with pytest.raises(SuiteError, match="1:1: expected keys such as name and models, got a list"):
        suite.load(str(write_suite("- a\n")))


def test_a_name_and_models_are_enough(write_suite: Callable[[str], Path]) -> None:
    least = suite.load(str(write_suite("name: a\nmodels: [resnet50]\n"))).suite
    assert least.measures == ["params", "macs", "planned_memory", "throughput", "memory"]
    assert [setting.name for setting in (*least.settings.cuda, *least.settings.cpu)] == [
        "cuda",
        "cpu",
    ]
    said = f"name: a\nmodels: [resnet50]\nmeasures: [{', '.join(least.measures)}]\n"
    assert least.hash == suite.load(str(write_suite(said))).suite.hash
    asked = "name: a\nmodels: [resnet50]\naccuracy: {dataset: imagenet-val}\n"
    assert suite.load(str(write_suite(asked))).suite.measures[-1] == "accuracy"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("measures: []", ":3:11: measures: expected at least 1 item, got 0"),
        ("measures:", ":3:10: measures: expected a list, got nothing"),
        ("settings: {}", ":3:11: no setting given; add one under cpu or cuda"),
        ("settings: cpu", ":3:11: settings: expected keys and values, got text 'cpu'"),
        ("setting: {}", ":3:1: unknown key 'setting', did you mean 'settings'?"),
        ("title: 3", ":3:8: title: expected text, got a number 3"),
    ],
)
def test_what_may_be_left_out_may_not_be_wrong(
    write_suite: Callable[[str], Path], keys: str, message: str
) -> None:
    with pytest.raises(SuiteError, match=re.escape(message)):
        suite.load(str(write_suite(f"name: a\nmodels: [resnet50]\n{keys}\n")))


def test_names_of_shipped_suites() -> None:
    assert suite.find("paper") == shipped.suites()["paper"]
    with pytest.raises(SuiteError, match="did you mean 'paper'"):
        suite.find("papr")
    with pytest.raises(SuiteError, match="cannot be read: it is a folder"):
        suite.load(str(Path(__file__).parent))


@pytest.mark.parametrize("name", sorted(shipped.suites()))
def test_shipped_suites_load(name: str) -> None:
    loaded = suite.load(name)
    assert loaded.suite.name == name
    assert loaded.suite.title


@pytest.mark.parametrize(("models", "cells"), [(980, None), (981, "100,062")])
def test_cells_that_settings_share_are_counted_once(
    write_suite: Callable[[str], Path], models: int, cells: str | None
) -> None:
    """20 settings of one image size: 5 measures of each, and params and macs once a model."""
    dims, batches = list(range(1, models + 1)), list(range(1, 21))
    text = (
        "name: large\n"
        f"models: [{{name: 'm{{dim}}', convmixer: {{dim: {dims}, depth: 1}}}}]\n"
        "measures: [params, macs, throughput, latency, memory, energy, load_time]\n"
        f"settings: {{cpu: [{{name: 'b{{batch_size}}', batch_size: {batches}}}]}}\n"
    )
    if cells is None:
        assert len(suite.load(str(write_suite(text))).suite.models) == models
        return
    with pytest.raises(SuiteError, match=f"make {cells} cells; at most 100,000"):
        suite.load(str(write_suite(text)))
