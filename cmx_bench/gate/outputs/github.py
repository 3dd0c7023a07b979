"""What GitHub Actions shows of a verdict: annotations on the run, and the job's summary."""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path

from cmx_bench.gate.outputs.readable import in_markdown
from cmx_bench.gate.outputs.sentences import explain, headline, name_comparison
from cmx_bench.gate.verdict import Policy, State, Verdict
from cmx_bench.spec import disk

# A step whose summary is longer than this has none: its upload fails.
_MOST_BYTES = 2**20
_UNDECIDED: dict[Policy, str] = {"fail": "warning", "warn": "warning", "pass": "notice"}
# As @actions/core escapes them; a property also ends at a colon or a comma.
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _DATA | str.maketrans({":": "%3A", ",": "%2C"})


def workflow_commands(verdict: Verdict) -> list[str]:
    """Workflow commands, to be printed a line each: an error for what failed, a warning for what
    is undecided (a notice where it is to pass), and an error where nothing was compared."""
    undecided = _UNDECIDED[verdict.policy]
    commands: dict[State, str] = {"FAIL": "error", "INCONCLUSIVE": undecided}
    annotations = [
        _command(
            commands[comparison.state],
            f"{comparison.state}: {name_comparison(comparison, verdict)}",
            explain(comparison, verdict.threshold),
        )
        for comparison in verdict.in_order
        if comparison.state in commands
    ]
    if verdict.is_bare:
        kind = undecided if verdict.state == "INCONCLUSIVE" else "error"
        return [_command(kind, verdict.state, headline(verdict))]
    return annotations


def _command(kind: str, title: str, message: str) -> str:
    return f"::{kind} title={title.translate(_PROPERTY)}::{message.translate(_DATA)}"


def append_summary(verdict: Verdict, path: Path) -> bool:
    """Appends the verdict as Markdown to a step's summary, cut by whole rows to what GitHub shows.

    Args:
        path: the file that the environment variable GITHUB_STEP_SUMMARY names.

    Returns:
        Whether there was room for it.

    Raises:
        RecordsError: the file cannot be written.
    """

    def shown(cut: int) -> bytes:
        return in_markdown(verdict, cut=cut).encode(errors="backslashreplace")

    with disk.writing(path):
        room = _MOST_BYTES - (path.stat().st_size if path.exists() else 0)
        rows = len(verdict.comparisons)
        cuts = range(rows + 1)
        cut = bisect_left(cuts, True, key=lambda cut: len(shown(cut)) <= room)
        if cut > rows:
            return False
        with path.open("ab") as file:
            file.write(shown(cut))
    return True
