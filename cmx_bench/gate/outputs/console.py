"""A verdict for a terminal, or for plain lines where there is none."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cmx_bench import units
from cmx_bench.gate.outputs.comparisons import ordered, table
from cmx_bench.gate.outputs.sentences import because, facts, headline, interval, several_settings
from cmx_bench.gate.pairs import Pair
from cmx_bench.gate.verdict import Comparison, Verdict

# A terminal has room for these; the page has the others.
_COLUMNS = ("verdict", "network", "against", "metric", "slowdown", "detectable", "n")


def text(verdict: Verdict, width: int) -> str:
    """Headline, notes, table, reasons and sides in at most `width` columns; no colours."""
    import rich.box
    import rich.console
    import rich.table
    from rich.text import Text

    equal = [one for one in verdict.comparisons if one.metric.exact and one.state == "PASS"]
    rest = [one for one in verdict.comparisons if one not in equal]
    whole = table(replace(verdict, comparisons=tuple(rest)))
    keys = [*_COLUMNS[:2], *(["setting"] * several_settings(verdict)), *_COLUMNS[2:]]
    places = {column.key: place for place, column in enumerate(whole.columns)}
    shown = [places[key] for key in keys if key in places]
    drawn = rich.table.Table(box=rich.box.SIMPLE_HEAVY, padding=(0, 1), pad_edge=False)
    for column in (whole.columns[place] for place in shown):
        drawn.add_column(Text(column.heading), justify=column.align, overflow="fold",
                         no_wrap=column.key in ("verdict", "slowdown"))  # fmt: skip
    for row in whole.rows:
        drawn.add_row(*(Text(_cell(whole.columns[at].key, row[at].text, row[at].detail))
                        for at in shown))  # fmt: skip
    console = rich.console.Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(Text(headline(verdict)))
        if drawn.rows:
            console.print(drawn)
        if equal:
            console.print(Text(f"equal, as they must be: {_exact(equal)}"))
        for line in (*_reasons(verdict), *(f"{one.term}: {one.text}" for one in facts(verdict))):
            console.print(Text(line))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _exact(equal: Sequence[Comparison]) -> str:
    """ "Parameters, MACs of 5 models" """
    titles = ", ".join(dict.fromkeys(one.metric.title for one in equal))
    models = len({one.model for one in equal})
    return f"{titles} of {models} {'model' if models == 1 else 'models'}"


def _cell(key: str, text: str, detail: str) -> str:
    return f"{text} ({detail})" if key == "slowdown" and detail else text


def _reasons(verdict: Verdict) -> Iterator[str]:
    """A line for each state and reason, with how many comparisons share it."""
    counts: dict[str, int] = {}
    for one in ordered(verdict):
        if reason := because(one):
            line = f"{one.state}: {reason}"
            counts[line] = counts.get(line, 0) + 1
    for line, count in counts.items():
        yield f"{line} ({count} times)" if count > 1 else line


def pair_line(pair: Pair, so_far: Comparison) -> str:
    """A pair as it comes in: what it gave, and where its comparison stands."""
    text = f"{pair.cell} pair {so_far.n[1]}: {_percent(math.expm1(pair.log_ratio))}"
    if so_far.low is not None and so_far.high is not None and so_far.slowdown is not None:
        text += f"; so far {_percent(so_far.slowdown)} ({interval(so_far.low, so_far.high)})"
    state = "" if so_far.state == "INCONCLUSIVE" else f", {so_far.state}"
    return f"{text}{state}  [{pair.elapsed:.1f} s]"


def trial_line(kind: str, pair: Pair) -> str:
    """A pair of a self-test as it comes in."""
    return f"{pair.cell} {kind}: {_percent(math.expm1(pair.log_ratio))}  [{pair.elapsed:.1f} s]"


def _percent(share: float) -> str:
    return f"{'+' if share > 0 else '−'}{units.percent(abs(share))}"
