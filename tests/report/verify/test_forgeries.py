"""Forged pages: none of them passes for what its samples give."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.report import verify

from ...results.test_embedded import block, unpack, with_packed
from .. import rendering
from ..synthetic import PAPER, make_records, make_run, write_folder
from .conftest import SCRIPT, edit


def in_block(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(block(text), block(text).replace(old, new, 1))


def in_packed(**more: Any) -> Callable[[str], str]:
    return lambda text: with_packed(text, unpack(text) | more)


FORGERIES: dict[str, Callable[[str], str]] = {
    "a script before all": lambda text: SCRIPT + text,
    "a script after all": lambda text: text + SCRIPT,
    "a byte order mark": lambda text: "\ufeff" + text,
    "a comment": lambda text: text.replace("<head>", "<head><!-- x -->"),
    "the block before all": lambda text: block(text) + text.replace(block(text), ""),
    "a key of the block that is unknown": in_block('"encoding"', '"x": 1,\n"encoding"'),
    "a key of the block given twice": in_block('"encoding"', '"data": "",\n"encoding"'),
    "a key of the block written otherwise": in_block('"encoding"', '"\\u0065ncoding"'),
    "spaces in the block": in_block('"encoding"', ' "encoding"'),
    "a tag in the block": in_block('"encoding"', '"x": "</script/x>",\n"encoding"'),
    "characters that base64 does not have": in_block('"data": "', '"data": "!'),
    "a renderer that is none": in_block('"cmx-bench"', '"evil": "1",\n"cmx-bench"'),
    "a version that is none": in_block('"numpy": "', '"numpy": "\\u001b'),
    "something after what is packed": lambda text: with_packed(text, unpack(text), end=b"x"),
    "spaces in what is packed": lambda text: with_packed(text, unpack(text)).replace(
        json.loads(block(text))["data"],
        base64.urlsafe_b64encode(zlib.compress(json.dumps(unpack(text)).encode())).decode(),
    ),
    "a key of what is packed that is unknown": in_packed(x=1),
    "images without votes": in_packed(
        votes={"keys": ["x"], "labels": [[1]], "voters": [], "beside_own": []}
    ),
    "votes of a model that is unknown": in_packed(
        votes={"keys": ["x"], "labels": [[1]], "voters": [["x", "y"]], "beside_own": [[0]]}
    ),
    "votes of other images": in_packed(
        votes={"keys": ["x"], "labels": [], "voters": [], "beside_own": []}
    ),
    "a thumbnail of no image": in_packed(thumbnails={"0": "/9j/"}),
    "a thumbnail that is no JPEG": in_packed(thumbnails={"0": "aaaa"}),
    "a path": in_packed(path="elsewhere"),
}


@pytest.fixture(scope="module")
def short_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a model's parameters, which is quickly recomputed."""
    run = make_run(models=PAPER[:1], measures=("params",))
    folder = write_folder(tmp_path_factory.mktemp("short") / "run", run, make_records(run))
    return rendering.render(folder, "html")


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_page_never_passes(
    short_page: str, tmp_path: Path, forge: Callable[[str], str]
) -> None:
    page = tmp_path / "page.html"
    page.write_text(short_page, encoding="utf-8")
    edit(page, forge)
    try:
        assert verify.verify(page).differences
    except RecordsError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "part",
    [
        "<table><caption>x</caption>",
        '<figure id="x"><svg>',
        "<tr><td>",
        "<div>",
        "<svg><g>",
        "<p>x\n",
    ],
)
def test_a_page_of_many_parts_is_refused_at_once(
    short_page: str, tmp_path: Path, part: str
) -> None:
    page = tmp_path / "page.html"
    page.write_text(short_page, encoding="utf-8")
    edit(page, lambda text: text.replace("<body>", f"<body>{part * (1_000_000 // len(part))}"))
    assert verify.verify(page).differences
