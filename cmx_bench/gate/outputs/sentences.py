"""A verdict in words: its headline, a sentence for each comparison, and the facts above them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cmx_bench import units
from cmx_bench.gate import rule
from cmx_bench.gate.outputs import code_in_use
from cmx_bench.gate.verdict import JUDGED, ORDER, Comparison, Policy, State, Verdict
from cmx_bench.metrics import Metric
from cmx_bench.present.content import Fact
from cmx_bench.units import first_few, plain, tally

_TIMED = ("s", "images/s")
_NO_AMOUNT = "no reasonable amount of measuring would decide"
_POLICIES: Mapping[Policy, str] = {
    "fail": "exits with 3; --inconclusive warn or pass lets it through",
    "pass": "passes, as --inconclusive pass asks",
    "warn": "passes with a warning, as --inconclusive warn asks",
}


def title(suite: str, sides: Mapping[str, str], device: str, threshold: float) -> str:
    """What is compared: "ci: head . against base ../base on AMD EPYC, threshold 5 %".

    Args:
        sides: what each side is by its name, the one that is judged first.
    """
    judged, *others = (f"{name} {what}" for name, what in sides.items())
    against = " and ".join(others)
    return one_line(
        f"{suite}: {judged} against {against} on {device}, threshold {share(threshold)}"
    )


def headline(verdict: Verdict) -> str:
    """The whole verdict on one line: "FAIL: 1 of 20 comparisons slower (…)"."""
    judged = [comparison for comparison in verdict.comparisons if comparison.state in JUDGED]
    not_judged = _count(verdict, ("INCOMPARABLE", "NEW"))
    if judged:
        tell = {"FAIL": _tell_failed, "INCONCLUSIVE": _tell_undecided, "PASS": _tell_passed}
        text = tell[verdict.state](judged, verdict)
        text += f"; not judged: {not_judged}" if not_judged else ""
    elif verdict.comparisons:
        text = f"no metric of any model can be judged ({not_judged})"
    elif verdict.contrasts:
        text = code_in_use.nothing(verdict)
    else:
        text = "neither side has any values"
    return one_line(f"{verdict.state}: {text}")


def _tell_failed(judged: Sequence[Comparison], verdict: Verdict) -> str:
    failed = [comparison for comparison in judged if comparison.state == "FAIL"]
    worst = "worst: " * (len(failed) > 1) + sentence(max(failed, key=_slowdown), verdict)
    text = f"{len(failed)} of {tally(len(judged), 'comparison')} {_worse(failed)} ({worst})"
    undecided = _count(verdict, ("INCONCLUSIVE",))
    return f"{text}; {undecided}" if undecided else text


def _tell_undecided(judged: Sequence[Comparison], verdict: Verdict) -> str:
    if verdict.is_bare:
        reasons = dict.fromkeys(comparison.reason for comparison in verdict.untimed)
        return (
            f"{tally(len(judged), 'comparison')} of exact metrics, none different; NO TIMING "
            f"COULD BE JUDGED ({first_few([*reasons], 1)})"
        )
    undecided = [comparison for comparison in judged if comparison.state == "INCONCLUSIVE"]
    worst = "worst: " * (len(undecided) > 1) + sentence(max(undecided, key=_slowdown), verdict)
    text = f"{len(undecided)} of {tally(len(judged), 'comparison')} undecided ({worst})"
    more = _more_measuring(undecided)
    return text if more in text else f"{text}; {more}"


def _more_measuring(undecided: Sequence[Comparison]) -> str:
    needed = [each.seconds_more for each in undecided if each.seconds_more is not None]
    if not needed:  # a reason says what to do instead
        reasons = dict.fromkeys(comparison.reason for comparison in undecided)
        return first_few([*filter(None, reasons)], 2) or _NO_AMOUNT
    text = f"about {units.duration(sum(needed))} more measuring would decide"
    text += "" if len(needed) == len(undecided) else f" {len(needed)} of them"
    budgets = [comparison.budget for comparison in undecided if comparison.budget is not None]
    return f"{text}, as --budget {units.budget(max(budgets))} would have" if budgets else text


def _tell_passed(judged: Sequence[Comparison], verdict: Verdict) -> str:
    compared = tally(len(judged), "comparison")
    none = "none" if len(judged) > 1 else "not"
    text = f"{compared}, {none} {_worse(judged)} by {share(verdict.threshold)}"
    gains = [each for each in judged if each.high is not None and each.high < 0]
    if gains:
        best = sentence(min(gains, key=_slowdown), verdict, threshold=False)
        text += f"; {len(gains)} better ({'best: ' * (len(gains) > 1)}{best})"
    least = [comparison.detectable for comparison in judged if comparison.detectable is not None]
    return f"{text}; smallest detectable change {units.percent(max(least))}" if least else text


def _slowdown(comparison: Comparison) -> float:
    """For sorting: what has no value, for a side failed, is worst."""
    return math.inf if comparison.slowdown is None else comparison.slowdown


def _worse(comparisons: Sequence[Comparison]) -> str:
    timed = all(each.metric.unit in _TIMED and each.slowdown is not None for each in comparisons)
    return "slower" if timed else "worse"


def _count(verdict: Verdict, states: Sequence[State]) -> str:
    counts = verdict.counts
    return ", ".join(f"{counts[state]} {state.lower()}" for state in states if counts[state])


# --- one comparison -------------------------------------------------------------------------------


def sentence(comparison: Comparison, verdict: Verdict, threshold: bool = True) -> str:
    """ "ResNet-18 throughput: 7.2 % slower, 95 % interval 5.1 to 9.3 %, threshold 5 %"."""
    change = _change(comparison, verdict.threshold, threshold)
    return f"{name_comparison(comparison, verdict)}: {change}"


def explain(comparison: Comparison, threshold: float) -> str:
    """The sentence without the names, and why where that says more."""
    change, reason = _change(comparison, threshold), one_line(why(comparison))
    return change if reason in change else f"{change}; {reason}"


def name_comparison(comparison: Comparison, verdict: Verdict) -> str:
    """Model and metric, with the setting and the other side where the verdict has several."""
    parts = [comparison.label, _inner(comparison.metric.title)]
    if verdict.several_sides:
        parts.append(f"against {comparison.against}")
    if verdict.several_settings:
        parts.append(f"({comparison.setting})")
    return one_line(" ".join(parts))


def _inner(title: str) -> str:
    """A metric's title within a sentence: "throughput", but "MACs"."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _change(comparison: Comparison, threshold: float, with_threshold: bool = True) -> str:
    if comparison.slowdown is None:
        return because(comparison) or "no value"
    text = describe_change(comparison.slowdown, comparison.metric)
    if comparison.metric.exact:
        base, head = (exact(side, comparison.metric) for side in (comparison.base, comparison.head))
        return text if base == head else f"{base} → {head}, {text}"
    if comparison.low is not None and comparison.high is not None:
        middle, *ends = (
            _in_words(share, comparison.metric)
            for share in (comparison.slowdown, comparison.low, comparison.high)
        )
        text += f", 95 % interval {interval(*sorted(-end if middle < 0 else end for end in ends))}"
    if not with_threshold:
        return text
    less = comparison.state == "FAIL" and comparison.slowdown < threshold
    enough = ", of which half is enough beyond doubt" * less
    return f"{text}, threshold {share(threshold)}{enough}{_stricter(comparison, threshold)}"


def _stricter(comparison: Comparison, threshold: float) -> str:
    """Why a comparison is undecided that its 95 % interval seems to decide."""
    low, high, slowdown = comparison.low, comparison.high, comparison.slowdown
    is_open = comparison.state == "INCONCLUSIVE" and not comparison.reason
    if not is_open or low is None or high is None or slowdown is None:
        return ""
    if high < threshold:
        return f"; its {share(1 - 2 * rule.PASS_LEVEL)} interval reaches the threshold"
    if low > 0 and math.log1p(slowdown) >= math.log1p(threshold) / 2:
        return f"; its {share(1 - 2 * rule.FAIL_LEVEL)} interval reaches 0"
    return ""


def exact(value: float | None, metric: Metric) -> str:
    """A value unrounded, with its unit; a dash where there is none."""
    return "–" if value is None else f"{units.exact(value)} {metric.unit}".rstrip()


def difference(value: float, metric: Metric) -> str:
    """The unrounded difference of two exact values: "+32", "−1,024 B"."""
    return f"{'+' if value > 0 else '−'}{exact(abs(value), metric)}"


def describe_change(slowdown: float, metric: Metric) -> str:
    """A slowdown, as a share, in the words of its metric: "7.2 % slower", "3.0 % higher"."""
    if slowdown == 0:
        return "unchanged"
    change = _in_words(slowdown, metric)
    less, more = ("faster", "slower") if metric.unit in _TIMED else ("lower", "higher")
    return f"{units.percent(abs(change))} {more if change > 0 else less}"


def _in_words(slowdown: float, metric: Metric) -> float:
    """The share that words name: how much more time it takes, or how much higher the value is. Of
    0.8 and then 0.4 one says "50 % lower", though 0.8 is 100 % more."""
    is_inverse = metric.better == "higher" and metric.unit not in _TIMED
    return 1 / (1 + slowdown) - 1 if is_inverse else slowdown


def interval(low: float, high: float) -> str:
    """The edges of an interval of shares: "−1.2 to 3.4 %"."""
    return f"{units.percent(low).removesuffix(' %')} to {units.percent(high)}".replace("-", "−")


def processes(comparison: Comparison) -> list[str]:
    """The fresh processes that each side rests on: "4 of 10" where 6 were left out."""
    sides = zip(comparison.n, comparison.left_out, strict=True)
    return [units.part(n, n + left_out) for n, left_out in sides]


def share(given: float) -> str:
    """A share as somebody wrote it, such as a threshold: "5 %", "2.5 %"."""
    return f"{100 * given:g} %"


def why(comparison: Comparison) -> str:
    """The explanation of a state: the reason, or the meaning of the figures."""
    return because(comparison) or _reading(comparison)


def because(comparison: Comparison) -> str:
    """What does not follow from the figures: the reason given, and what would decide."""
    parts = [comparison.reason] if comparison.reason else []
    if comparison.state == "INCONCLUSIVE":
        parts.append(_more_measuring([comparison]))
    return one_line("; ".join(dict.fromkeys(parts)))


def _reading(comparison: Comparison) -> str:
    slowdown, low, high = comparison.slowdown, comparison.low, comparison.high
    if slowdown is None:
        return ""
    if comparison.metric.exact or low is None or high is None:
        return describe_change(slowdown, comparison.metric)
    if low <= 0 <= high:
        return "no evidence of a change"
    text = describe_change(slowdown, comparison.metric).rpartition(" ")[2]
    passed = comparison.state == "PASS" and low > 0
    return f"{text}, but by less than the threshold" if passed else text


# --- above the table ------------------------------------------------------------------------------


def facts(verdict: Verdict) -> list[Fact]:
    """The sides, what could have been detected, the notes and the command."""
    keys = dict.fromkeys(one_line(comparison.setting) for comparison in verdict.comparisons)
    in_one_place = keys and not verdict.several_settings
    return [
        *(Fact(one_line(name), one_line(text)) for name, text in verdict.sides),
        *(Fact(fact.term, one_line(fact.text)) for fact in code_in_use.facts(verdict)),
        *([Fact("Measured in", ", ".join(keys))] if in_one_place else []),
        Fact("Compared", _count(verdict, ORDER) or "nothing"),
        *([Fact("Undecided", _POLICIES[verdict.policy])] * (verdict.state == "INCONCLUSIVE")),
        Fact("Detectable", _detectable(verdict)),
        *(Fact("Note", one_line(note)) for note in verdict.notes),
        *([Fact("Command", one_line(verdict.command))] if verdict.command else []),
    ]


def _detectable(verdict: Verdict) -> str:
    """What every comparison would have caught: that of the least certain one."""
    timed = [comparison for comparison in verdict.comparisons if comparison.detectable is not None]
    if not timed:
        return "no sampled metric was compared: nothing could have been detected"
    least = max(timed, key=lambda comparison: comparison.detectable or 0)
    best = min(comparison.detectable or 0 for comparison in timed)
    text = f"with 95 % probability a slowdown of {units.percent(least.detectable or 0)}"
    if len(timed) == 1:
        return text
    return (
        f"{text} in each of {len(timed)} comparisons (least certain: "
        f"{name_comparison(least, verdict)}), of {units.percent(best)} in the most certain one"
    )


def one_line(text: str) -> str:
    """`text` on one line, without characters that no format can carry."""
    return " ".join(plain(text).split())
