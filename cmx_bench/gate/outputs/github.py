"""What GitHub Actions shows of a verdict: annotations on the run, and the job's summary."""

from __future__ import annotations

from pathlib import Path

from cmx_bench.gate.outputs import in_markdown
from cmx_bench.gate.outputs.sentences import explain, headline, name_comparison
from cmx_bench.gate.verdict import Policy, State, Verdict
from cmx_bench.present import markdown
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


def append_summary(verdict: Verdict, path: Path) -> None:
    """Appends the verdict as Markdown to a step's summary; where it is longer than GitHub shows,
    its headline alone.

    Args:
        path: the file that the environment variable GITHUB_STEP_SUMMARY names.

    Raises:
        RecordsError: the file cannot be written.
    """
    short = f"{markdown.escape(headline(verdict))}; verdict.md has the table.\n"
    with disk.writing(path), path.open("ab") as file:
        for text in (in_markdown(verdict), short):
            encoded = text.encode(errors="backslashreplace")
            if file.tell() + len(encoded) <= _MOST_BYTES:
                file.write(encoded)
                return
