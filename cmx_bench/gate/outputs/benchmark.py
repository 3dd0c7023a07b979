"""benchmark.json: what head gave, for github-action-benchmark's charts (customBiggerIsBetter)."""

from __future__ import annotations

import json
import math

from cmx_bench import units
from cmx_bench.gate.outputs.sentences import one_line, processes
from cmx_bench.gate.verdict import Comparison, Verdict


def render(verdict: Verdict) -> str:
    """Head's value in base units of each sampled metric of which more is better, each once."""
    found: dict[str, dict[str, object]] = {}
    for one in verdict.comparisons:
        if one.metric.better == "higher" and not one.metric.exact and one.head is not None:
            entry = _entry(one, one.head)
            found.setdefault(str(entry["name"]), entry)
    return json.dumps(list(found.values()), indent=1, allow_nan=False) + "\n"


def _entry(one: Comparison, head: float) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": one_line(f"{one.model} {one.metric.name} {one.setting}"),
        "unit": one.metric.unit,
        "value": head,
        "extra": one_line(f"n = {processes(one)[1]}, {one.state} against {one.against}"),
    }
    if one.low is not None and one.high is not None and one.low > -1:
        half = math.sqrt((1 + one.high) / (1 + one.low)) - 1  # on its log scale
        entry["range"] = f"change ± {units.percent(half)}"
    return entry
