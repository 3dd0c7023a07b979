"""What a run found about speed: the subject against its rivals, the leaders, other settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from cmx_bench import units
from cmx_bench.cell import Model, Setting
from cmx_bench.metrics import METRICS
from cmx_bench.present.content import Entry, Finding
from cmx_bench.report import entries
from cmx_bench.report.findings.view import (
    SPEEDS,
    View,
    are,
    doubt,
    join,
    margin,
    mark_doubt,
    more_or_fewer,
    name,
    times,
)
from cmx_bench.report.tables import best, caveats, fairness
from cmx_bench.report.tables.fairness import Standings
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result


def against_the_rival(view: View) -> Finding | None:
    """`A is 4.3 times slower than B here (3.4 to 5.3), with 14 % fewer parameters.`"""
    if not view.rivals:
        return _alone(view) if view.speeds else None
    subject, rival = name(view.subject), view.rivals[0]
    sizes = [
        more_or_fewer(ratio, what)
        for metric, what in (("params", "parameters"), ("macs", "MACs"))
        if (ratio := view.ratio(metric, rival)) is not None
    ]
    if view.speeds:
        size = f", with {join(sizes)}" if sizes else ""
        text = f"{subject} {_predicate(view, rival)}{size}.{_in_the_paper(view, rival)}"
        return Finding("Speed", text, *view.row)
    text = f"Against {name(rival)}, {subject} has {join(sizes)}. No speed was measured."
    return Finding("Size", text, *view.row) if sizes else None


def _alone(view: View) -> Finding:
    shown = entries.show(view.speeds[view.subject.name])
    what = f"{METRICS[view.metric].title} of {name(view.subject)}"
    value = shown.text + mark_doubt(shown)
    text = f"{what} is {value} ({shown.detail or 'one process'}); no other was measured."
    return Finding("Speed", text, *view.row)


def _predicate(view: View, rival: Model) -> str:
    where, other = SPEEDS[view.metric], name(rival)
    value, span = view.times_as_fast(rival)
    if span is not None and not span.apart:
        return f"cannot be told from {other} in speed {where} ({margin(span)})"
    if span is None:
        mark = mark_doubt(*(view.speeds[model.name] for model in (view.subject, rival)))
        shown = units.significant(max(value, 1 / value), 2) + mark
        interval = "of single processes, without an interval"
    else:
        shown, interval = times(span)
    word = "slower than" if value < 1 else "as fast as"
    return f"is {shown} times {word} {other} {where} ({interval})"


def _in_the_paper(view: View, rival: Model) -> str:
    figures = view.find_published("throughput", (view.subject.name, rival.name))
    if view.metric != "throughput" or len(figures) < 2:
        return ""
    mine, theirs = (figures[model.name].value or 1.0 for model in (view.subject, rival))
    ratio = mine / theirs
    shown = units.significant(max(ratio, 1 / ratio), 2) + doubt(*figures.values())
    word = "slower" if ratio < 1 else "as fast"
    return f" In the paper it is {shown} times {word}, on an {view.paper_conditions}."


def against_the_families(view: View) -> Finding | None:
    """The subject against one model of each family that is left."""
    sides: dict[str, list[str]] = {"is slower than": [], "is faster than": [],
                                   "cannot be told from": []}  # fmt: skip
    for rival in view.rivals[1:] if view.speeds else ():
        value, span = view.times_as_fast(rival)
        if span is not None and span.apart:
            shown, interval = times(span)
            side = sides["is slower than" if value < 1 else "is faster than"]
            side.append(f"{name(rival)} ({shown} times, {interval})")
        elif span is not None:
            sides["cannot be told from"].append(f"{name(rival)} ({margin(span)})")
    parts = [f"{words} {join(names)}" for words, names in sides.items() if names]
    text = f"{name(view.subject)} {join(parts)}."
    return Finding("Other families", text, *view.row) if parts else None


# --- leaders --------------------------------------------------------------------------------------


def leaders(view: View) -> Finding | None:
    """Who is fastest and who needs the least memory, ties said as ties, and who is fastest among
    those that are published to be as accurate as the subject."""
    text = " ".join(filter(None, (_fastest(view), _least_memory(view), _as_accurate(view))))
    return Finding("Best", text, view.row[0]) if text else None


def _fastest(view: View) -> str:
    results = view.results(view.metric).values()
    first = _first(results)
    if not first or len(results) < 2:
        return ""
    mark = mark_doubt(*results)
    if len(first) == len(results):
        return f"No model is the fastest beyond doubt{mark}: all {len(first)} may be as fast."
    shown = join([_show(view, result) for result in first])
    if len(first) > 1:
        return f"The fastest{mark} are {shown}, which cannot be told apart."
    return f"The fastest{mark} is {shown}, ahead of {_show(view, _order(results)[1])}."


def _first(results: Collection[Result]) -> list[Result]:
    """Those that cannot be told from the best one; none where one has no interval to tell by."""
    if any(result.low is None and not result.about.exact for result in results):
        return []
    alike = best.find_tied(list(results)) or {result.model for result in results}
    return [result for result in _order(results) if result.model in alike]


def _order(results: Collection[Result]) -> list[Result]:
    falling = any(result.about.better == "higher" for result in results)
    return sorted(results, key=lambda result: result.value or 0.0, reverse=falling)


def _show(view: View, result: Result) -> str:
    shown = entries.show(result).text + mark_doubt(result)
    return f"{view.name(result.model)} ({shown})"


def _least_memory(view: View) -> str:
    for metric, by_plan in (("peak_memory", ""), ("planned_memory", " by plan")):
        results = view.results(metric)
        first = _first(results.values())
        if first and len(first) < len(results):
            shown = join([_show(view, result) for result in first])
            mark = mark_doubt(*results.values())
            return f"{shown} need{'s' * (len(first) == 1)} the least memory{mark}{by_plan}."
    return ""


def _as_accurate(view: View) -> str:
    """Nothing where top-1 was measured: then a finding of its own says more."""
    figures = view.find_published("top1", view.report.models)
    mine = figures.get(view.subject.name) if view.subject.name in view.speeds else None
    if mine is None or len(figures) < 2 or view.results("top1"):
        return ""
    subject = f"{name(view.subject)} ({mine.printed} %{doubt(mine)})"
    equals = [name for name, figure in figures.items() if (figure.value or 0) >= (mine.value or 0)]
    if len(equals) == 1:
        return f"No other model has a published top-1 as high as {subject}."
    rivals = [view.speeds[model] for model in equals if model in view.speeds]
    first = [view.name(result.model) + doubt(figures[result.model]) for result in _first(rivals)]
    if not first or len(rivals) < 2:
        return ""
    unlike = (
        caveats.of_accuracy(view.report, view.report.models[name], view.setting, figures[name])
        for name in equals
    )
    differing = next(filter(None, unlike), "")
    return (
        f"Of the models with the published top-1 of {subject} or more, {join(first)} "
        f"{are(len(first))} the fastest{mark_doubt(*rivals)}{f' ({differing})' * bool(differing)}."
    )


# --- settings -------------------------------------------------------------------------------------


def between_settings(view: View) -> Finding | None:
    """What another setting changes: for the subject, and in the order of the models."""
    here = view.speeds.get(view.subject.name)
    if here is None or here.low is None:  # single processes tell nothing beyond doubt
        return None
    metric = METRICS[view.metric]
    groups = fairness.comparable(view.report, metric)
    settings = next(group for group in groups if view.setting in group)
    standings = fairness.in_settings(view.report, settings, metric)
    values, flips = (
        view.tables.get(entries.key_on(view.setting.hardware, f"{kind}-{standings.key}"))
        for kind in ("fairness", "flips")
    )
    if values is None:
        return None
    gain = _gain(view, standings)
    if flips is None:
        mark = mark_doubt(*chain.from_iterable(values.rows))
        survives = _survives(view.report, settings, standings)
        no_two = "The ranking survives every runtime: no two" if survives else "No two"
        text = f"{gain}{no_two} models change their order beyond doubt{mark}."
        return Finding("Settings", text, values.key)
    pairs = list(flips.by_column())
    by_name = {setting.name: setting for setting in settings}
    turned = [pair for pair in pairs if _by_runtime(pair, by_name)]
    pair = (turned or pairs)[0]
    depends = "The ranking depends on the runtime: " if turned else ""
    mark = mark_doubt(*pair.values())
    changing = "1 pair changes its" if len(pairs) == 1 else f"{len(pairs)} pairs change their"
    text = (
        f"{gain}{depends}{changing} order with the setting: {pair['first'].text} is ahead "
        f"of {pair['second'].text} in {pair['ahead_in'].text} and behind it in "
        f"{pair['behind_in'].text}{mark}."
    )
    return Finding("Settings", text, flips.key)


def _survives(report: Report, settings: Sequence[Setting], standings: Standings) -> bool:
    """Whether several runtimes have a value of each model, all in one order."""
    speeds = standings.speeds
    whole = speeds.shape == (len(report.models), len(settings)) and speeds.notna().all(axis=None)
    several = len({setting.runtime for setting in settings}) > 1
    return bool(several and whole and not fairness.contests(standings)[0])


def _by_runtime(pair: Mapping[str, Entry], settings: Mapping[str, Setting]) -> bool:
    ahead, behind = (settings[pair[where].text] for where in ("ahead_in", "behind_in"))
    return ahead.runtime != behind.runtime and ahead.precision == behind.precision


def _gain(view: View, standings: Standings) -> str:
    """How much faster than in the view's setting the subject is in its best one."""
    model = view.subject.name
    results = [known[model] for known in standings.results.values() if model in known]
    here, chosen = view.speeds[model], best.first(results)
    subject = name(view.subject)
    first, other = (standings.settings[result.setting] for result in (here, chosen))
    span = standings.apart(chosen, here)
    if span is None:
        mark = mark_doubt(*results)
        return f"No other setting makes {subject} faster beyond doubt{mark} than {first} does. "
    shown, interval = times(span)
    return f"{subject} is {shown} times as fast in {other} as in {first} ({interval}). "
