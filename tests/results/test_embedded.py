"""Raw samples inside a page: packed, unpacked, and no more than has room."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.results import embedded
from cmx_bench.results.reading import summarise

from ..report.synthetic import PAPER, make_records, make_run


def block(text: str) -> str:
    """The text of the block of data of a page."""
    [(_, content, _)] = embedded._BLOCK.findall(text)
    return str(content)


def unpack(text: str) -> Any:
    """What is packed in the block of a page."""
    return json.loads(zlib.decompress(base64.urlsafe_b64decode(json.loads(block(text))["data"])))


def with_packed(text: str, raw: Any, level: int = 9, end: bytes = b"") -> str:
    """The page with other data."""
    data = zlib.compress(json.dumps(raw, separators=(",", ":")).encode(), level) + end
    was = json.loads(block(text))["data"]
    return text.replace(was, base64.urlsafe_b64encode(data).decode())


def page_of(text: str, number: str = "") -> str:
    return f'<script type="application/json" id="cmx-bench-data{number}">\n{text}\n</script>'


@pytest.fixture(scope="module")
def page() -> str:
    """What of a page holds data."""
    run = make_run(PAPER[:2], measures=("params", "throughput"))
    return page_of(embedded.pack(summarise(run, make_records(run))))


def test_what_is_packed_is_what_is_unpacked(page: str) -> None:
    run = make_run(PAPER[:2], measures=("params", "throughput"))
    [single] = embedded.unpack(page, "page")
    assert (single.report.run, list(single.report.records)) == (run, make_records(run))
    assert embedded.unpack_one(page, "page").rendered_with == embedded.renderers()
    assert single.versions_apart == {}
    assert list(embedded.strays(page, [single])) == []
    assert block(page) not in embedded.without(page) and "cmx-bench-data" in embedded.without(page)


def test_a_page_of_several_runs_is_no_page_of_one(page: str) -> None:
    with pytest.raises(RecordsError, match="page: holds 2 runs side by side; expected the page of"):
        embedded.unpack_one(page * 2, "page")
    with pytest.raises(RecordsError, match="page: holds no raw samples"):
        embedded.unpack("<html></html>", "page")


def test_what_another_version_rendered_is_told(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [single] = embedded.unpack(page, "page")
    now = embedded.renderers()
    monkeypatch.setattr(embedded, "renderers", lambda: now | {"pandas": "0.1"})
    assert single.versions_apart == {"pandas": (now["pandas"], "0.1")}


def test_a_page_says_which_code_made_it(page: str) -> None:
    [single] = embedded.unpack(page, "page")
    assert single.code == embedded.code() and re.fullmatch("[0-9a-f]{12}", single.code)


def test_spaces_in_what_is_packed_are_strays(page: str) -> None:
    spaced = with_packed(page, unpack(page)).replace(
        json.loads(block(page))["data"],
        base64.urlsafe_b64encode(zlib.compress(json.dumps(unpack(page)).encode())).decode(),
    )
    [(number, text, expected)] = embedded.strays(spaced, embedded.unpack(spaced, "page"))
    assert number == 1
    assert text.replace(" ", "") == expected.replace(" ", "") != text


def test_the_blocks_of_a_page_unpack_to_so_much_together(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each alone would do."""
    size = len(json.dumps(unpack(page), separators=(",", ":")))
    monkeypatch.setattr(embedded, "_MOST_DENSE", 0)
    monkeypatch.setattr(embedded, "_LEAST_ROOM", 2 * size)
    assert len(embedded.unpack(page * 2, "page")) == 2
    with pytest.raises(RecordsError, match="more than 0 bytes once they are unpacked"):
        embedded.unpack(page * 3, "page")


@pytest.mark.parametrize("size", [2**24 + 1, 2**26])
def test_a_page_that_unpacks_to_much_more_is_not_unpacked(page: str, size: int) -> None:
    stream = zlib.compressobj(9)
    data = stream.compress(b'{"run":"' + b" " * size) + stream.flush()
    was = json.loads(block(page))["data"]
    text = page.replace(was, base64.urlsafe_b64encode(data).decode())
    with pytest.raises(RecordsError, match=r"more than [\d,]+ bytes once they are unpacked"):
        embedded.unpack(text, "page")
