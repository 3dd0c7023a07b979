"""Claims that a plan cannot decide are told beforehand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.plan import making
from cmx_bench.plan.users import Asked
from cmx_bench.spec import suite

from ..conftest import TINY

CLAIMS = """\
claims:
  - {say: Smaller, check: "params(mixer) < params(net)"}
  - {say: Better, check: "params(mixer) < 9 and (top1(mixer) - 0.1) * 2 > 0.5"}
"""


@pytest.mark.parametrize("only", [(), ("mixer",)])
def test_claims_on_what_is_not_measured(
    write_suite: Callable[[str], Path], cpu: dict[str, Any], only: tuple[str, ...]
) -> None:
    path = write_suite(TINY + CLAIMS)
    plan = making.make(suite.load(str(path)), cpu, Asked(only))
    line = TINY.count("\n") + 3
    unmeasured = (f"{path}:{line}:26: this claim will stay undecided: top1 is not measured; add "
                  "accuracy to measures, or leave the claim out")  # fmt: skip
    left_out = ("1 of 2 claims will stay undecided: what they compare is skipped, or left out by "
                "--only")  # fmt: skip
    assert plan.cautions == (unmeasured, *[left_out] * bool(only))
