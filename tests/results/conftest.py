"""The fixtures of tests of the report, which these share."""

from __future__ import annotations

from ..report.conftest import run, run_records

__all__ = ["run", "run_records"]
