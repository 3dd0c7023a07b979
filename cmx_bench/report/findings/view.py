"""What the rules look at, a run in one setting with one model held against others, and the words in
which they say so."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from cmx_bench import units
from cmx_bench.cell import Model, Setting
from cmx_bench.metrics import METRICS
from cmx_bench.present.content import DISTURBED, Entry, Table
from cmx_bench.published import Published
from cmx_bench.report import entries
from cmx_bench.report.tables import best, fidelity, quantities
from cmx_bench.report.tables.judgements import Judged
from cmx_bench.report.tables.quantities import Span
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result

# The metrics of speed in the order in which they are preferred, and how a sentence names each.
SPEEDS = {
    "throughput": "here",
    "latency_p50": "here by median latency",
    "train_throughput": "here in training",
}


@dataclass(frozen=True, slots=True)
class View:
    """A run as the rules look at it.

    `speeds` are the results of one metric in one setting, by model, of cells of which no process
    failed; they are empty, and the metric too, where no speed was measured. The `subject` is held
    against the `rivals`, the most telling one first.
    """

    report: Report
    tables: Mapping[str, Table]
    setting: Setting
    metric: str
    speeds: Mapping[str, Result]
    subject: Model
    rivals: tuple[Model, ...] = ()

    def name(self, model: str) -> str:
        """The label of a model on one line."""
        return name(self.report.models[model])

    def results(self, metric: str) -> dict[str, Result]:
        """The results of the setting that have a value, by model."""
        return {each.model: each for each in best.list_valued(self.report, self.setting, metric)}

    def ratio(self, metric: str, rival: Model) -> float | None:
        """The subject's value over a rival's; None where one is not known."""
        mine, theirs = (
            self.report.estimate(model, self.setting, metric) for model in (self.subject, rival)
        )
        return mine.value / theirs.value if mine and theirs and theirs.value else None

    def times_as_fast(self, rival: Model) -> tuple[float, Span | None]:
        """How many times as fast as a rival the subject is, and the same with its interval."""
        pair = (self.speeds[self.subject.name], self.speeds[rival.name])
        above, below = pair if METRICS[self.metric].better == "higher" else pair[::-1]
        span = quantities.quotient(above, below)
        return (above.value or 0.0) / (below.value or 1.0) if span is None else span.value, span

    @property
    def paper_conditions(self) -> str:
        """`RTX 8000`: what the paper's throughputs were taken on, and the size of its images where
        that is not the setting's."""
        other = self.setting.image_size != fidelity.PUBLISHED_SIZE
        return "RTX 8000" + f" with images of {fidelity.PUBLISHED_SIZE} px" * other

    def find_published(self, quantity: str, models: Collection[str]) -> dict[str, Published]:
        """The paper's figures, by model."""
        papers = {model: self.report.published[model].paper.get(quantity) for model in models}
        return {model: figure for model, figure in papers.items() if figure and figure.value}

    @property
    def metrics(self) -> str:
        """The key of the table of all metrics on the setting's kind of device."""
        return entries.key_on(self.setting.hardware, "metrics")

    @property
    def row(self) -> tuple[str, tuple[str, ...]]:
        """Where the subject's speed is shown: the key of the table, and what names the row."""
        table = f"table1-{self.setting.key}"
        if self.metric == "throughput" and table in self.tables:
            return table, (self.subject.label,)
        return self.metrics, (self.subject.label, self.setting.title)


def doubt(*figures: Published) -> str:
    """The mark of figures that nobody has checked, where one of them is such."""
    return "†" * any(figure.doubtful for figure in figures)


def view(report: Report, tables: Mapping[str, Table], settings: Sequence[Setting]) -> View | None:
    """The first of the settings that has a speed, with the first ConvMixer, or else the first
    model, in front of the others; None where there is no setting or no model."""
    setting, metric, speeds = _first_measured(report, settings)
    models = [model for model in report.run.models if not speeds or model.name in speeds]
    if setting is None or not models:
        return None
    subject = next((model for model in models if model.family == "convmixer"), models[0])
    alone = View(report, tables, setting, metric, speeds, subject)
    others = [model for model in models if model is not subject]
    strangers = [model for model in others if model.family != subject.family]
    return replace(alone, rivals=tuple(_rivals(alone, strangers or others)))


def _first_measured(
    report: Report, settings: Sequence[Setting]
) -> tuple[Setting | None, str, dict[str, Result]]:
    """Of cells of which no process failed."""
    for setting in settings:
        for metric in SPEEDS:
            results = best.list_valued(report, setting, metric)
            if whole := {
                result.model: result
                for result in results
                if result.status == "ok" and (result.value or 0) > 0
            }:
                return setting, metric, whole
    return next(iter(settings), None), "", {}


def _rivals(view: View, others: Sequence[Model]) -> list[Model]:
    """One of each family: whom a claim names with the subject, else who is nearest in size."""
    named = re.compile(rf"\b{view.metric}\s*\(\s*([\w.\-]+)\s*\)")
    claims = [named.findall(claim.check) for claim in view.report.run.claims if view.metric]
    with_subject = (names for names in claims if view.subject.name in names)
    claimed = list(dict.fromkeys(chain.from_iterable(with_subject)))

    def place(model: Model) -> tuple[int, float]:
        rank = claimed.index(model.name) if model.name in claimed else len(claimed)
        ratio = view.ratio("params", model)
        return rank, abs(math.log(ratio)) if ratio else math.inf

    first: dict[str, Model] = {}
    for model in sorted(others, key=place):
        first.setdefault(model.family, model)
    return list(first.values())


# --- words ----------------------------------------------------------------------------------------

_MOST_DIGITS = 3
_MOST_NAMED = 3


def name(model: Model) -> str:
    """The label of a model on one line."""
    return " ".join(model.label.split())


def join(texts: Sequence[str]) -> str:
    """`a, b and c`; of more than three `a, b, c and 2 more`."""
    more = len(texts) - _MOST_NAMED
    parts = [*texts[:_MOST_NAMED], f"{more} more"] if more > 0 else list(texts)
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def are(count: int) -> str:
    """The verb behind a count."""
    return "is" if count == 1 else "are"


def times(span: Span) -> tuple[str, str]:
    """How many times larger the larger side is, and its interval: `4.3` and `3.4 to 5.3`.

    There are as many digits as the interval supports, and as it takes to tell its end from 1. What
    rests on a disturbed value is marked.

    Args:
        span: a quotient that is `apart` from 1, in either direction.
    """
    value, low, high = span.value, span.low, span.high
    if value < 1:
        value, low, high = 1 / value, 1 / high, 1 / low
    supported = units.digits_for(value, (high - low) / 2, disturbed=span.disturbed)
    digits = units.digits_apart(low, 1.0, min(_MOST_DIGITS, supported))
    shown, least, most = (units.significant(edge, digits) for edge in (value, low, high))
    interval = f"{least} to {most}" if least != most else "to all digits shown"
    return shown + mark_doubt(span), interval


def margin(span: Span) -> str:
    """How far from 1 a quotient may be: `at most 12 % apart`, or `at most 3.2 times apart`."""
    furthest = max(span.high, 1 / span.low) if span.low > 0 else math.inf
    mark = mark_doubt(span)
    if furthest < 1.5:
        return f"at most {units.percent(furthest - 1)}{mark} apart"
    return f"at most {units.significant(furthest, 2)}{mark} times apart"


def mark_doubt(*values: Span | Result | Entry | Judged) -> str:
    """The mark behind what rests on a disturbed value."""
    return DISTURBED * any(value.disturbed for value in values)


def more_or_fewer(ratio: float, what: str) -> str:
    """`14 % fewer parameters`, `4.4 times the MACs`, `as many parameters`; `nearly as many` where
    less than 0.5 % is between them, and `less than 1 % of the MACs`: no model has 100 % fewer."""
    if abs(ratio - 1) < 0.005:
        return f"{'nearly ' if ratio != 1 else ''}as many {what}"
    if ratio >= 2:
        return f"{units.significant(ratio, 2)} times the {what}"
    if ratio < 0.01:
        return f"less than 1 % of the {what}"
    return f"{units.percent(abs(ratio - 1))} {'more' if ratio > 1 else 'fewer'} {what}"
