"""What a run found, in plain words: each rule makes one finding of its numbers, or none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from cmx_bench import units
from cmx_bench.present.content import DISTURBED, Finding, Findings, Table
from cmx_bench.report.findings import evidence, speed
from cmx_bench.report.findings.view import View, view
from cmx_bench.report.findings.wording import listed
from cmx_bench.results.nouns import Report
from cmx_bench.units import plain

_RULES: tuple[Callable[[View], Finding | None], ...] = (
    speed.against_the_rival,
    speed.against_the_families,
    speed.leaders,
    evidence.accuracy,
    speed.between_settings,
    evidence.paper,
    evidence.claims,
    evidence.trust,
)
_MOST = 6
# What is left out first where there is more to say than that.
_DISPENSABLE = ("Best", "Other families")
DISTURBANCE = (
    f"{DISTURBED} rests on disturbed values, which may be off by more than their intervals."
)
INTERVALS = "Ranges in brackets are 95 % intervals."


def findings(report: Report, tables: Sequence[Table]) -> Findings:
    """What the rules find.

    Args:
        tables: those of the report; a rule that reads one of them finds nothing without it.
    """
    by_key = {table.key: table for table in tables if table.rows}
    if not report.progress.ok:
        return Findings(tuple(_nothing(report, by_key)))
    seen = view(report, by_key)
    if seen is None:
        return Findings(())
    found = [one for rule in _RULES if (one := rule(seen)) is not None]
    for topic in _DISPENSABLE:
        if len(found) > _MOST:
            found = [finding for finding in found if finding.topic != topic]
    return Findings(tuple(found), " ".join(_notes(seen, found)))


def _notes(view: View, found: Sequence[Finding]) -> Iterator[str]:
    if len(view.report.run.settings) > 1 and view.speeds:
        yield f"Speeds are those of the setting {plain(view.setting.title)} ({view.setting.key})."
    if any(re.search(r"\d to \d", finding.text) for finding in found):
        yield INTERVALS
    if any(DISTURBED in finding.text for finding in found):
        yield DISTURBANCE
    if any("†" in finding.text for finding in found):
        yield "† rests on published figures that nobody has checked against the paper's PDF."


def _nothing(report: Report, tables: dict[str, Table]) -> Iterator[Finding]:
    """Why nothing was measured."""
    progress = report.progress
    counts = {"failed": progress.failed, "skipped": progress.skipped, "missing": progress.missing}
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    reasons = [
        *(failure.reason for failure in report.failures),
        *(absence.reason for absence in report.gaps),
    ]
    cells = units.counted(len(report.run.cells), "cell")
    text = f"Nothing was measured: {listed(parts)}, of {cells}."
    if parts and reasons:
        text += f" The first reason: {' '.join(plain(reasons[0]).split())}."
    if parts:
        yield Finding("Result", text, "failures" if "failures" in tables else "not-measured")
