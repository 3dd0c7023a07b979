"""`match` and `list` as a user types them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from cmx_bench.spec import recipe, suite

from ..conftest import Cli


def test_a_suite_that_is_shown_is_one_to_start_from(cmx: Cli) -> None:
    """`show digits > mine.yaml`, and `run mine.yaml` measures the same."""
    code, out, err = cmx("show", "digits")
    assert code == 0
    Path("mine.yaml").write_text(out, encoding="utf-8")
    assert suite.load("mine.yaml").suite == suite.load("digits").suite
    assert "yaml-language-server" not in out and out.startswith("# Every column of Table 1")
    assert err.startswith(
        "this is the suite; `show digits --recipe` prints the recipe of that name"
    )
    Path("mine-too.yaml").write_text(cmx("show", "digits", "--recipe")[1], encoding="utf-8")
    assert recipe.load(Path("mine-too.yaml")).name == "digits"
    assert "name: cifar10-25" in cmx("show", "cifar10-25")[1]


def test_an_editor_finds_the_schema_where_the_note_says(cmx: Cli) -> None:
    note = cmx("show", "ci")[2]
    assert "first line is `# yaml-language-server: $schema=suite.schema.json`" in note
    assert "`python -m cmx_bench schema suite` prints" in note
    for what in ("suite", "recipe"):
        assert json.loads(cmx("schema", what)[1])["type"] == "object"
    assert cmx("schema")[1] == cmx("schema", "suite")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "digit"], "show digit: unknown suite or recipe, did you mean 'digits'? (known: "),
        (["show", "ci", "--recipe"], "show ci: unknown recipe (known: cifar10, "),
        (["schema", "suit"], "schema suit: unknown kind of file, did you mean 'suite'?"),
        (["list", "recipe"], "list recipe: unknown list, did you mean 'recipes'? (known: models, "),
    ],
)
def test_unknown_words_get_the_nearest(cmx: Cli, arguments: list[str], message: str) -> None:
    code, out, err = cmx(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"cmx-bench: {message}")


def test_match(cmx: Cli) -> None:
    code, out, err = cmx("match", "--params", "convmixer_768_32", "--format", "csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(out.splitlines()))
    assert [row["family"] for row in rows] == ["resnet", "deit", "resmlp", "mixer"]
    for row in rows:
        assert row["target"] == "21110248"
        assert abs(float(row["residual"])) <= 0.01
    assert cmx("match", "--params", "21110248", "--format", "csv")[1] == out
    options = ("--classes", 10, "--image-size", 64, "--families", "convmixer,resnet")
    code, out, _ = cmx("match", "--params", "resnet10t", *options)  # of no family: torch counts it
    assert code == 0
    assert out.startswith("4,927,618 parameters; 10 classes, images of 64 px\n")
    assert re.search(r"^ convmixer_\w+ .+ [+−]0\.\d+ % ", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--params", "0.0001k"), "--params 0.0001k: expected a number such as 21110248, 21.1M"),
        (
            ("--macs", "0.3"),
            "--macs 0.3: expected a number such as 21110248, 21.1M or 4G, or a mod",
        ),
        (
            ("--params", "abc"),
            "--params abc: expected a number such as 21110248, 21.1M or 4G, or a mod",
        ),
        (("--params", "1M", "--families", ","), "--families: names none (known: resnet, deit, "),
        (("--params", "1M", "--families", "resnet,diet"), "unknown family, did you mean 'deit'?"),
    ],
)
def test_what_cannot_be_matched(cmx: Cli, options: tuple[str, ...], expected: str) -> None:
    code, _, err = cmx("match", *options)
    assert code == 2 and expected in err


def test_families_that_cannot_be_matched_hide_no_others(cmx: Cli) -> None:
    code, out, err = cmx("match", "--params", "resnet50", "--macs", "resnet50")
    assert code == 2
    assert "resnet50: as published" in out and "0 %, 0 %" in out
    assert "deit: no member is within 1.0 %" in err
    assert err.endswith("leave deit out; neither is there one of resmlp, mixer\n")


def test_a_family_that_is_named_twice_is_matched_once(cmx: Cli) -> None:
    options = ("--params", "21.1M", "--format", "csv", "--families")
    assert (
        cmx("match", *options, "resnet, deit,resnet,")[1]
        == cmx("match", *options, "resnet,deit")[1]
    )
