"""benchmark.json: what charts get."""

from __future__ import annotations

import json

from cmx_bench.gate.outputs import OUTPUTS

from ..test_outputs import SETTING, mixed, slower, verdict


def test_charts_get_what_is_better_higher_each_once() -> None:
    found = json.loads(OUTPUTS["benchmark.json"](mixed()))
    assert len(found) == 5  # the failed and the incomparable one have no value
    assert found[1] == {
        "name": f"resmlp throughput {SETTING}", "unit": "images/s", "value": 32.6,
        "extra": "n = 10, PASS against anchor", "range": "change ± 1.1 %",
    }  # fmt: skip
    twice = verdict(slower(), slower(against="anchor"))
    assert len(json.loads(OUTPUTS["benchmark.json"](twice))) == 1
