"""The fixtures of the report's tests."""

from __future__ import annotations

from ..report.conftest import found, run

__all__ = ["found", "run"]
