"""What `list` lists, each with a line on it."""

from __future__ import annotations

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


def test_recipes_are_listed(cmx: Cli) -> None:
    code, out, _ = cmx("list", "recipes", "cifar10*")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["cifar10", "cifar10-25"]
    assert "25 epochs of AdamW with one-cycle at 0.05" in out


@pytest.mark.parametrize("what", ["models", "measures", "datasets", "suites", "recipes"])
def test_nothing_that_matches_is_said(cmx: Cli, what: str) -> None:
    message = f"cmx-bench: list {what} zz*: nothing matches; try a glob such as 'c*'\n"
    assert cmx("list", what, "zz*") == (2, "", message)
