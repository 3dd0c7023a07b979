"""Renders runs by their folders, as the commands do."""

from __future__ import annotations

from pathlib import Path

from cmx_bench import report
from cmx_bench.present.drawing.theme import StyleName
from cmx_bench.report.formats import RENDERERS


def render(folder: Path, format: str) -> str:
    """A run in one format."""
    return RENDERERS[format](report.read(folder))


def write(folder: Path, copies: StyleName | None = None) -> Path:
    """Writes a run in every format into its folder; gives the path of the page."""
    return report.save(report.read(folder), folder, copies)
