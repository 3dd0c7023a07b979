"""Headless Chromium for tests of pages, and axe-core's rules where AXE_CORE names its file.

`tox run -e page` has what this needs: playwright, Debian's chromium, and axe-core from npm.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
AXE = os.environ.get("AXE_CORE")
needs_axe = pytest.mark.skipif(AXE is None, reason="AXE_CORE does not name axe.min.js")
# Opens a page, by its path, in a window with these options.
Open: TypeAlias = Callable[..., Any]


@contextmanager
def launched() -> Iterator[Any]:
    """A browser."""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@contextmanager
def opening(browser: Any) -> Iterator[Open]:
    """Opens pages; afterwards nothing may have been said on a console or asked of a network."""
    contexts, heard = [], []

    def opened(path: Path, link: str = "", **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on(
            "request",
            lambda request: heard.extend([request.url] * (not request.url.startswith("file:"))),
        )
        page.on("dialog", lambda dialog: heard.append(dialog.message))
        page.goto(f"{path.as_uri()}{link}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert heard == []


def violations(page: Any) -> list[str]:
    """What axe-core calls serious or critical."""
    assert AXE is not None
    if not page.evaluate("'axe' in window"):
        page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    return [
        f"{violation['id']}: {violation['nodes'][0]['html'][:200]}"
        for violation in page.evaluate("axe.run()")["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
