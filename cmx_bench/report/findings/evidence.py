"""What a run found about accuracy, and how far it is to be trusted: the paper, claims, doubts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cmx_bench import units
from cmx_bench.present.content import Finding
from cmx_bench.report import entries
from cmx_bench.report.findings.view import View, are, doubt, join, mark_doubt, name
from cmx_bench.report.tables import best, fidelity, judgements, quantities
from cmx_bench.report.tables.judgements import State
from cmx_bench.report.tables.quantities import UnknownError
from cmx_bench.results.disturbance import FEWEST_UNDISTURBED
from cmx_bench.results.summary import Result
from cmx_bench.spec.claims import Operation, Value

_WIDE = 0.1  # of a value: a wider interval is worth a word
_MANY_DISTURBED = 0.1  # of the processes that timed


def accuracy(view: View) -> Finding | None:
    """Who is most accurate on what was evaluated here, and how far the subject is behind."""
    results = sorted(view.results("top1").values(), key=lambda result: -(result.value or 0))
    if not results:
        return None
    images = _many({result.details["images"] for result in results}, "image")
    rests = f"{images} of {view.report.run.accuracy.get('dataset', 'an unknown data set')}"
    if seeds := {result.n for result in results if result.over == "seeds"}:
        rests += f" (mean of {_many(seeds, 'training')})"
    first = best.leaders(view.report, view.setting, "top1")
    ahead = [result for result in results if result.model in first]
    shown = [f"{view.name(result.model)} ({_share(result)})" for result in ahead]
    if len(results) == 1:
        text = f"{view.name(results[0].model)} has a top-1 of {_share(results[0])} on {rests}."
    elif not ahead:
        text = (
            f"The {len(results)} models cannot be told apart by top-1 on {rests}: "
            f"{' to '.join(dict.fromkeys((_share(results[-1]), _share(results[0]))))}."
        )
    elif len(ahead) > 1:
        text = f"Most accurate are {join(shown)}, which top-1 on {rests} cannot tell apart."
    else:
        second = next(result for result in results if result is not ahead[0])
        lead = f"{_points(view, ahead[0], second)} ahead of {view.name(second.model)}"
        text = f"Most accurate by top-1 on {rests} is {shown[0]}, {lead}."
    text += _behind(view, ahead, results)
    return Finding("Accuracy", text, f"accuracy-{view.setting.key}")


def _behind(view: View, ahead: Sequence[Result], results: Sequence[Result]) -> str:
    """How far the subject is behind, where that is not said yet."""
    place = next((n for n, result in enumerate(results) if result.model == view.subject.name), 0)
    if not ahead or results[place] in ahead or (len(ahead) == 1 and place == 1):
        return ""
    points = _points(view, ahead[0], results[place])
    return f" {name(view.subject)} is {points} behind {view.name(ahead[0].model)}."


def _points(view: View, first: Result, second: Result) -> str:
    """`1.2 points (0.5 to 1.9)`: by the same images, where one seed was evaluated on them."""
    difference = Operation("-", Value("top1", first.model), Value("top1", second.model))
    try:
        span = quantities.span(difference, view.report, view.setting)
    except UnknownError:  # some seeds of a model failed
        return f"{units.significant(100 * ((first.value or 0) - (second.value or 0)), 2)} points"
    value, low, high = (100 * edge for edge in (span.value, span.low, span.high))
    digits = units.digits_for(value, (high - low) / 2)
    shown, least, most = (units.significant(edge, digits) for edge in (value, low, high))
    return f"{shown} points ({least} to {most})"


def _share(result: Result) -> str:
    return f"{entries.show(result, 0.01).text} %"


def _many(counts: Collection[int], noun: str) -> str:
    """`360 images`; `359 to 360 images` where models differ."""
    least, most = min(counts), max(counts)
    return f"{least:,} to " * (least < most) + units.tally(most, noun)


# --- the paper ------------------------------------------------------------------------------------


def paper(view: View) -> Finding | None:
    """Whether the order, the ratios and the accuracies are the paper's."""
    order = _order(view)
    text = " ".join(filter(None, (order, _ratios(view), _top1(view))))
    return Finding("Paper", text, "order" if order else "fidelity") if text else None


def _order(view: View) -> str:
    """From the table, which has judged every pair; nothing where it could tell none apart."""
    table = view.tables.get("order")
    for order in table.by_column() if table else ():
        same, other, unsure = (int(order[key].sort or 0) for key in _PAIRS)
        if order["setting"].text == view.setting.title and same + other:
            stand = "stands" if same == 1 else "stand"
            rest = f", {other} in the opposite order" * (other > 0) + f", {unsure} undecided" * (
                unsure > 0
            )
            return (
                f"{same} of {same + other + unsure} pairs of models {stand} in the paper's order "
                f"by throughput{rest} (Spearman's ρ {order['rho'].text}"
                f"{mark_doubt(order['rho'])})."
            )
    return ""


_PAIRS = ("same", "other", "undecided")


def _ratios(view: View) -> str:
    """The throughputs over that of the first model that has both, as the table of fidelity has."""
    every = fidelity.throughputs(view.report, view.setting)
    ratios = [
        (each.published / every[0].published, span)
        for each in every[1:]
        if (span := quantities.quotient(each.result, every[0].result)) is not None
    ]
    if not ratios:
        return ""
    inside = sum(span.low <= theirs <= span.high for theirs, span in ratios)
    return (
        f"{inside} of {units.tally(len(ratios), 'throughput ratio')} to {name(every[0].model)} "
        f"{'agrees' if 1 in (inside, len(ratios)) else 'agree'} with the paper's"
        f"{doubt(*(each.figure for each in every))} within the interval"
        f"{mark_doubt(*(span for _, span in ratios))} ({view.paper_conditions})."
    )


def _top1(view: View) -> str:
    results = view.results("top1") if view.report.on_imagenet else {}
    figures = view.find_published("top1", results)
    inside = [
        (results[model].low or 0) <= (figure.value or 0) <= (results[model].high or 0)
        for model, figure in figures.items()
    ]
    text = (
        f"{sum(inside)} of {len(inside)} published top-1{doubt(*figures.values())} "
        f"{are(sum(inside))} within the 95 % interval of the measured one."
    )
    return text if inside else ""


# --- claims and doubts ----------------------------------------------------------------------------

_VERBS: dict[State, tuple[str, str]] = {
    "HOLDS": ("holds", "hold"),
    "FAILS": ("fails", "fail"),
    "UNDECIDED": ("is undecided", "are undecided"),
}


def claims(view: View) -> Finding | None:
    """How many hold, and the first that fails, with the settings in which it does."""
    judged, settings = judgements.judge(view.report), len(view.report.run.settings)
    if not judged:
        return None
    counts = judgements.counts(judged).items()
    parts = [f"{count} {_VERBS[state][count > 1]}" for state, count in counts if count]
    claimed = len(judged) // settings
    what = units.tally(claimed, "claim")
    what = what if settings == 1 else f"{len(judged)} verdicts ({what} in {settings} settings)"
    text = f"Of {what} {join(parts)}{mark_doubt(*judged)}."
    failing = [judgement for judgement in judged if judgement.state == "FAILS"]
    if not failing:
        return Finding("Claims", text, "claims")
    alike = [judgement for judgement in failing if judgement.claim == failing[0].claim]
    claim, places = alike[0].claim.say, [each.setting.title for each in alike]
    where = f" (in {len(places)} of {settings} settings: {join(places)})" if settings > 1 else ""
    which = "The first that fails" if len(failing) > len(alike) else "What fails"
    mark = mark_doubt(*alike)
    text += f" {which}: “{' '.join(claim.split())}”{mark}{where}."
    return Finding("Claims", text, "claims", (claim, places[0]))


def trust(view: View) -> Finding | None:
    """What limits the conclusions: no intervals, wide ones, a machine that was never quiet."""
    text = " ".join(filter(None, (_doubtful(view), _tell_disturbed(view))))
    table = "samples" if "samples" in view.tables else view.metrics
    return Finding("Trust", text, table) if text else None


def _doubtful(view: View) -> str:
    """Nothing of what a warning says already: which cells stayed wider than the suite wants."""
    speeds = view.speeds.values()
    if speeds and all(result.low is None for result in speeds):
        return "Each speed is of a single process: nothing tells how far another would be off."
    widths = {
        result.model: width
        for result in speeds
        if result.estimate and (width := result.estimate.relative_half_width or 0) > _WIDE
    }
    if not widths or view.report.run.precision is not None:
        return ""
    shown = [
        f"{view.name(model)} (± {units.percent(widths[model])})"
        for model in sorted(widths, key=widths.__getitem__, reverse=True)
    ]
    return (
        f"Speed is uncertain by more than ± {units.percent(_WIDE)} for {len(widths)} of "
        f"{units.tally(len(speeds), 'model')}: {join(shown)}."
    )


def _tell_disturbed(view: View) -> str:
    """Nothing of what a warning says already: which values rest on such processes."""
    restless, processes = view.report.blocks.disturbed_processes, view.report.blocks.processes
    if restless < max(1, _MANY_DISTURBED * processes):
        return ""
    return (
        f"{restless:,} of {units.tally(processes, 'process', 'processes')} stayed disturbed; such "
        f"a process counts only for a model with fewer than {FEWEST_UNDISTURBED} calm ones."
    )
