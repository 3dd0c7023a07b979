"""A verdict for a terminal, or for plain lines where there is none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cmx_bench import units
from cmx_bench.gate.outputs.comparisons import table
from cmx_bench.gate.outputs.sentences import because, facts, headline, interval, name_comparison
from cmx_bench.gate.pairs import Pair
from cmx_bench.gate.verdict import Comparison, Verdict
from cmx_bench.present import terminal
from cmx_bench.present.terminal import Grid
from cmx_bench.results.grouping import group
from cmx_bench.units import signed_percent

# A terminal has room for these; the page has the others.
_COLUMNS = ("verdict", "network", "against", "metric", "slowdown", "detectable", "n")


def text(verdict: Verdict, width: int, colours: bool = False) -> str:
    """Headline, table, reasons and sides in at most `width` columns, with or without colours. What
    is equal or cannot be judged has no row: a line names it."""
    equal = [each for each in verdict.comparisons if each.metric.exact and each.state == "PASS"]
    rest = tuple(
        each for each in verdict.comparisons
        if each not in equal and (each.state != "INCOMPARABLE" or not because(each))
    )  # fmt: skip
    return terminal.text(
        [
            headline(verdict),
            *([_grid(replace(verdict, comparisons=rest))] if rest else []),
            *([f"equal, as they must be: {_of_models(equal)}"] if equal else []),
            *_reasons(verdict),
            *(f"{fact.term}: {fact.text}" for fact in facts(verdict)),
        ],
        width,
        colours,
    )


def _grid(verdict: Verdict) -> Grid:
    whole = table(verdict)
    keys = [*_COLUMNS[:2], *(["setting"] * verdict.several_settings), *_COLUMNS[2:]]
    places = {column.key: place for place, column in enumerate(whole.columns)}
    columns = [whole.columns[places[key]] for key in keys if key in places]
    entries = [{column.key: row[places[column.key]] for column in columns} for row in whole.rows]
    rows = [[entry.flat if key == "slowdown" else entry.text for key, entry in row.items()]
            for row in entries]  # fmt: skip
    return Grid(columns, rows, unbroken=("verdict", "slowdown"))


def _of_models(comparisons: Sequence[Comparison]) -> str:
    """ "Parameters, MACs of 5 models; Activations of 4 models" """
    by_title = group(comparisons, lambda each: each.metric.title)
    titles = group(by_title, lambda title: len({each.model for each in by_title[title]}))
    return "; ".join(
        f"{', '.join(alike)} of {units.tally(many, 'model')}" for many, alike in titles.items()
    )


def _reasons(verdict: Verdict) -> Iterator[str]:
    """A line for each state and reason, with the comparisons that share it."""
    sharing = group(filter(because, verdict.in_order), lambda each: (each.state, because(each)))
    for (state, reason), alike in sharing.items():
        which = name_comparison(alike[0], verdict) if len(alike) == 1 else _of_models(alike)
        yield f"{state}: {which}: {reason}"


def pair_line(pair: Pair, so_far: Comparison) -> str:
    """A finished pair: its result, and the state of its comparison."""
    text = f"{pair.cell} pair {so_far.n[1]}: {signed_percent(math.expm1(pair.log_ratio))}"
    if so_far.low is not None and so_far.high is not None and so_far.slowdown is not None:
        text += f"; so far {signed_percent(so_far.slowdown)} ({interval(so_far.low, so_far.high)})"
    state = "" if so_far.state == "INCONCLUSIVE" else f", {so_far.state}"
    return f"{text}{state}  [{pair.elapsed:.1f} s]"


def trial_line(kind: str, pair: Pair) -> str:
    """A finished pair of a self-test."""
    return (
        f"{pair.cell} {kind}: {signed_percent(math.expm1(pair.log_ratio))}  [{pair.elapsed:.1f} s]"
    )
