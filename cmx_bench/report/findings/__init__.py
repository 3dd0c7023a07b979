"""What a run found, in plain words: each rule makes one finding of its numbers, or none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from cmx_bench import units
from cmx_bench.present.content import DISTURBED, Finding, Findings, Table
from cmx_bench.report import headline
from cmx_bench.report.findings import evidence, speed
from cmx_bench.report.findings.view import View, join, view
from cmx_bench.results.nouns import Report

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
    f"{DISTURBED} marks what rests on disturbed values, which may be off by more than their "
    "intervals."
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
    views = list(_views(report, by_key))
    if not views:
        return Findings(())
    chosen = [finding for rule in _RULES if (finding := rule(views[0])) is not None]
    for topic in _DISPENSABLE:
        if len(chosen) > _MOST:
            chosen = [finding for finding in chosen if finding.topic != topic]
    named = [_on(views[0].setting.hardware, finding) for finding in chosen]
    speeds = [
        _on(other.setting.hardware, finding)
        for other in views[1:]
        if other.speeds and (finding := speed.against_the_rival(other)) is not None
    ]
    every = [*named[:1], *speeds, *named[1:]]
    return Findings(tuple(every), " ".join(_notes(views, every)))


def _views(report: Report, tables: dict[str, Table]) -> Iterator[View]:
    """One of each kind of device; those on which a speed was measured come first."""
    views = [
        view(report, tables, [each for each in report.run.settings if each.hardware == kind])
        for kind in report.run.kinds
    ]
    yield from sorted(filter(None, views), key=lambda each: not each.speeds)


def _on(kind: str, finding: Finding) -> Finding:
    """A finding that names its kind of device, where there are several; claims name their own."""
    if not kind or finding.topic == "Claims":
        return finding
    return replace(finding, topic=f"{finding.topic} on {kind}")


def _notes(views: Sequence[View], chosen: Sequence[Finding]) -> Iterator[str]:
    timed = [view.setting for view in views if view.speeds]
    if len(views[0].report.run.settings) > 1 and timed:
        named = join([f"{setting.title} ({setting.key})" for setting in timed])
        yield f"Speeds are those of the setting{'s' * (len(timed) > 1)} {named}."
    if any(re.search(r"\d to \d", finding.text) for finding in chosen):
        yield INTERVALS
    if any(DISTURBED in finding.text for finding in chosen):
        yield DISTURBANCE
    if any("†" in finding.text for finding in chosen):
        yield (
            "† marks what rests on published figures that nobody has checked against the paper's "
            "PDF."
        )


def _nothing(report: Report, tables: dict[str, Table]) -> Iterator[Finding]:
    if not (parts := headline.count_unmeasured(report)):
        return
    cells = units.tally(len(report.run.cells), "cell")
    text = f"Nothing was measured: {join(parts)}, of {cells}."
    reasons = [failure.reason for failure in report.failures]
    reasons += [gap.reason for gap in report.gaps]
    text += f" The first reason: {' '.join(reasons[0].split())}." if reasons else ""
    yield Finding("Result", text, "failures" if "failures" in tables else "not-measured")
