"""Pages in headless Chromium: their files, and what opens them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.report.formats import RENDERERS, SIDE_BY_SIDE

from ..tables.test_caveats import evaluated
from ..tables.test_side_by_side import NEWER, beside
from ..tables.test_side_by_side import make_report as run
from ..test_formats import awkward, mixed


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    reports = {"mixed": mixed(), "awkward": awkward(), "evaluated": evaluated(0.875, 0.96)}
    for name, report in reports.items():
        (folder / f"{name}.html").write_text(RENDERERS["html"](report), encoding="utf-8")
    both = beside(run(), run(NEWER, times=2))
    (folder / "beside.html").write_text(SIDE_BY_SIDE["html"](both), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in (*reports, "beside")}


@pytest.fixture
def show(browser: Any, pages: dict[str, Path]) -> Iterator[Any]:
    """Opens a page by its name."""
    from ...browsing import opening

    with opening(browser) as opened:
        yield lambda name="mixed", link="", **options: opened(pages[name], link, **options)
