"""What a run measured for other programs: results as CSV, everything as JSON, how to cite it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime

from pandas import DataFrame

from cmx_bench.metrics import METRICS
from cmx_bench.present.content import Table
from cmx_bench.present.latex import escape
from cmx_bench.report.headline import code, device
from cmx_bench.report.tables.judgements import judge
from cmx_bench.report.tables.side_by_side import Comparison
from cmx_bench.results import sheets
from cmx_bench.results.nouns import Report

RESULTS = (
    "model", "label", "family", "setting", "metric", "value", "unit", "low", "high", "n", "status",
    "source", "disturbed",
)  # fmt: skip
_PUBLISHED = ("params", "macs", "throughput", "top1", "top5")
SCHEMA = 2
_INNER = ("medians", "details")  # of a result: what its processes tell anyway


# --- CSV ------------------------------------------------------------------------------------------


def results(subject: Report | Comparison) -> str:
    """results.csv: what was measured, failed or is missing, then what is published. Of runs side by
    side what was measured alone, each row behind the label of its run.

    A published row's `setting` holds the conditions it was taken under, its `status` the grade of
    its source: neither can be taken for a measurement of this run.
    """
    if isinstance(subject, Report):
        rows = [*_list_measured(subject), *_list_published(subject)]
        return sheets.csv_of(DataFrame(rows, columns=RESULTS))
    rows = [(side.label, *row) for side in subject.sides for row in _list_measured(side.report)]
    return sheets.csv_of(DataFrame(rows, columns=["run", *RESULTS]))


def table(table: Table) -> str:
    """A table with its text as every format shows it; a row's footnotes stand in a last column."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow([*(column.key for column in table.columns), "footnotes"])
    for row in table.rows:
        notes = dict.fromkeys(note for entry in row for note in entry.notes)
        texts = (*(entry.flat for entry in row), "; ".join(f"{n.mark}: {n.text}" for n in notes))
        lines.writerow(map(sheets.harmless, texts))
    return file.getvalue()


def _list_measured(report: Report) -> Iterator[tuple[object, ...]]:
    for result in report.results.values():
        yield (*(getattr(result, name) for name in RESULTS[:-2]), "measured", result.disturbed)


def _list_published(report: Report) -> Iterator[tuple[object, ...]]:
    for model in report.run.models:
        for figure in report.published[model.name].figures:
            if (metric := figure.quantity) in _PUBLISHED:
                conditions = figure.tag, figure.dataset, figure.conditions, figure.variant
                unit = METRICS[metric].unit if metric in METRICS else figure.unit
                yield (
                    model.name, model.label, model.family,
                    ", ".join(filter(None, conditions)), metric, figure.value, unit, None, None,
                    None, f"grade {figure.grade}", f"published:{figure.source}", None,
                )  # fmt: skip


# --- JSON -----------------------------------------------------------------------------------------


def json_of(report: Report) -> str:
    """Results with raw samples in base units, published figures, failures and gaps."""
    content = {
        "schema": SCHEMA,
        "content_hash": report.content_hash,
        "run": asdict(report.run),
        "progress": asdict(report.progress),
        "blocks": asdict(report.blocks),
        "claims": [
            {"say": each.claim.say, "check": each.claim.check, "setting": each.setting.key,
             "state": each.state, "found": each.found, "disturbed": each.disturbed}
            for each in judge(report)
        ],
        "results": [
            {name: value for name, value in result._asdict().items() if name not in _INNER}
            | {"wide": result.wide,
               "processes": [each._asdict() for each in report.processes.get(key, ())]}
            for key, result in report.results.items()
        ],
        "published": {
            name: list(map(asdict, known.figures)) for name, known in report.published.items()
        },
        "counted_environments": report.environments,
        "failures": list(map(asdict, report.failures)),
        "left_out": list(map(asdict, report.left_out)),
        "not_measured": list(map(asdict, report.gaps)),
        "last_record_unfinished": report.unfinished,
    }  # fmt: skip
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


# --- BibTeX ---------------------------------------------------------------------------------------

# strftime's names follow the user's language.
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def bibtex(report: Report) -> str:
    """An entry whose hash `verify` recomputes; dated by the end of the run, or else its begin."""
    run, digest = report.run, report.content_hash
    date = datetime.fromisoformat(run.finished or run.created)
    note = (
        f"Suite {run.suite} ({run.suite_hash}), measured {date:%Y-%m-%d} on {device(report)}; "
        f"content hash SHA-256 {digest}"
    )
    fields = {
        "title": _verbatim(run.title),
        "key": _verbatim(f"cmx-bench {run.suite}"),  # styles sort by it where there is no author
        "year": f"{date:%Y}",
        "month": _MONTHS[date.month - 1],
        "howpublished": _verbatim(f"Measured with {code(report)}"),
        "note": _verbatim(note),
    }
    lines = [f"  {name} = {value}," for name, value in fields.items()]
    return "\n".join([f"@misc{{cmx-bench-{run.suite}-{digest[:12]},", *lines, "}"]) + "\n"


def _verbatim(text: str) -> str:
    """A field that keeps its capitals: of what has braces of its own styles change no letter."""
    return f"{{{{{escape(text)}}}}}"
