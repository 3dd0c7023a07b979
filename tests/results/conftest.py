"""The fixtures of tests of the report, which these share."""

from __future__ import annotations

from ..report.conftest import found, run

__all__ = ["found", "run"]
