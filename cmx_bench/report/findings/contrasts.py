"""What runs side by side found: how much faster the same models are in one than in another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cmx_bench.present.content import DISTURBED, Finding, Findings
from cmx_bench.report.findings import DISTURBANCE, INTERVALS
from cmx_bench.report.findings.view import View, are, join, margin, mark_doubt, name, times, view
from cmx_bench.report.tables.quantities import Span
from cmx_bench.report.tables.side_by_side import Side, built
from cmx_bench.results import stats


def contrasts(sides: Sequence[Side]) -> Findings:
    """Each run held against the first, where both timed the same models in the same setting."""
    seen = view(sides[0].report, {}, sides[0].report.run.settings)
    if seen is None:
        return Findings(())
    found = [
        _contrast(seen, sides[0].label, other.label, spans)
        for other in sides[1:]
        if (spans := dict(_times_as_fast(seen, other)))
    ]
    doubtful = any(DISTURBED in finding.text for finding in found)
    notes = [INTERVALS] * bool(found) + [DISTURBANCE] * doubtful
    return Findings(tuple(found), " ".join(notes))


def _times_as_fast(view: View, other: Side) -> Iterator[tuple[str, Span]]:
    """By model, how many times as fast as in the first run it is in the other one."""
    for model, ours in view.speeds.items():
        theirs = other.report.results.get((model, view.setting.key, view.metric))
        if theirs is None or theirs.status != "ok":
            continue
        if built(view.report.models[model]) != built(other.report.models[model]):
            continue
        pair = (ours, theirs) if ours.about.better == "higher" else (theirs, ours)
        medians = [list(side.medians.values()) for side in pair]
        if min(map(min, medians)) <= 0:  # a quotient is taken on logarithms
            continue
        ratio = stats.ratio(*medians)
        if ratio.low is not None and ratio.high is not None:
            doubtful = ours.disturbed or theirs.disturbed
            yield model, Span(ratio.value, ratio.low, ratio.high, doubtful)


def _contrast(view: View, base: str, other: str, spans: Mapping[str, Span]) -> Finding:
    model = view.subject.name if view.subject.name in spans else next(iter(spans))
    apart = [span.value > 1 for span in spans.values() if span.apart]
    faster, slower, alike = apart.count(True), apart.count(False), len(spans) - len(apart)
    counts = {"faster": faster, "slower": slower, "undecided": alike}
    counted = join([f"{count} {are(count)} {what}" for what, count in counts.items() if count])
    counted += mark_doubt(*spans.values())
    subject = view.report.models[model]
    text = f"Against {base}, {name(subject)} is {_speed(spans[model])} on {other}"
    text += f"; of {len(spans)} models {counted} there." if len(spans) > 1 else "."
    return Finding("Speed", text, f"runs-{view.metric}", (subject.label,))


def _speed(span: Span) -> str:
    if not span.apart:
        return f"equally fast, as far as these runs can tell ({margin(span)}),"
    shown, interval = times(span)
    return f"{shown} times {'as fast' if span.value > 1 else 'slower'} ({interval})"
