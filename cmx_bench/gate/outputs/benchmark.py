"""benchmark.json: what head gave, for github-action-benchmark's charts (customBiggerIsBetter)."""

from __future__ import annotations

import json
import math

from cmx_bench import units
from cmx_bench.gate.outputs.sentences import one_line, processes
from cmx_bench.gate.verdict import Comparison, Verdict


def render(verdict: Verdict) -> str:
    """Head's value in base units of each sampled metric for which more is better, each once."""
    entries: dict[str, dict[str, object]] = {}
    for comparison in verdict.comparisons:
        metric, head = comparison.metric, comparison.head
        if metric.better == "higher" and not metric.exact and head is not None:
            entry = _entry(comparison, head)
            entries.setdefault(str(entry["name"]), entry)
    return json.dumps(list(entries.values()), indent=1, allow_nan=False) + "\n"


def _entry(comparison: Comparison, head: float) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": one_line(f"{comparison.model} {comparison.metric.name} {comparison.setting}"),
        "unit": comparison.metric.unit,
        "value": head,
        "extra": one_line(
            f"n = {processes(comparison)[1]}, {comparison.state} against {comparison.against}"
        ),
    }
    if comparison.low is not None and comparison.high is not None and comparison.low > -1:
        half = math.sqrt((1 + comparison.high) / (1 + comparison.low)) - 1  # on its log scale
        entry["range"] = f"change ± {units.percent(half)}"
    return entry
