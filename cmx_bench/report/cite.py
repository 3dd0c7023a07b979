"""How to cite a run: BibTeX with its content hash, device and date."""

from __future__ import annotations

from datetime import datetime

from cmx_bench.present.latex import escape
from cmx_bench.report.headline import code, device
from cmx_bench.results import identity
from cmx_bench.results.nouns import Report

# strftime's names follow the user's language.
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def bibtex(report: Report) -> str:
    """An entry whose hash `verify` recomputes; dated by the end of the run, or else its begin."""
    run, digest = report.run, identity.content_hash(report.run, report.records)
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
