"""`match` and `list` as a user types them."""

from __future__ import annotations

import csv
import re

import pytest

from cmx_bench.measures import MEASURES
from cmx_bench.metrics import METRICS

from ..conftest import Cli


def test_list(cmx: Cli) -> None:
    assert cmx("list", "models", "convmixer*")[1].splitlines() == [
        "convmixer_768_32", "convmixer_1024_20_ks9_p14", "convmixer_1536_20",
    ]  # fmt: skip
    assert [line.split()[0] for line in cmx("list", "measures")[1].splitlines()] == list(MEASURES)
    assert [line.split()[0] for line in cmx("list", "metrics")[1].splitlines()] == list(METRICS)
    assert {"paper", "appendix"} <= {
        line.split()[0] for line in cmx("list", "suites")[1].splitlines()
    }


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
    assert err.endswith("leave deit out; nor is there one of resmlp, mixer\n")


def test_a_family_that_is_named_twice_is_matched_once(cmx: Cli) -> None:
    options = ("--params", "21.1M", "--format", "csv", "--families")
    assert (
        cmx("match", *options, "resnet, deit,resnet,")[1]
        == cmx("match", *options, "resnet,deit")[1]
    )
