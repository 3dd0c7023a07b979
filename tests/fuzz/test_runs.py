"""Runs and pages that are harmed at random: they are read, or refused in one line."""

from __future__ import annotations

import base64
import copy
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmx_bench import report
from cmx_bench.errors import CmxError
from cmx_bench.report.exports import bibtex
from cmx_bench.report.formats import RENDERERS
from cmx_bench.report.overview import overview
from cmx_bench.results import embedded
from cmx_bench.results.loading import load

from ..report import rendering
from ..report.synthetic import PAPER, failed, make_records, make_run, watched, write_folder

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e300, 1e-300, 2**31, 2**63, 10**400, "", "x", "ok",
    "failed", "a/b", "../../x", "\0", "\x1b[2J", "\ud800", "\n::error::x", "=1+1", "é" * 300, "NaN",
    "x" * 140_000, [], {}, [[]], {"": ""}, [None] * 99, {"a": {"b": [1, "c", {}]}},
    float("nan"), float("inf"),
)  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each item of each list and object inside, as what holds it and its key."""
    keys: Any = range(len(value)) if isinstance(value, list) else ()
    for key in value if isinstance(value, dict) else keys:
        yield value, key
        yield from places(value[key])


def harm(value: Any, random: Random) -> Any:
    """A copy of plain data with one thing that is odd, gone, there again, or somewhere else."""
    value = copy.deepcopy(value)
    holder, key = random.choice(list(places(value)))
    other, place = random.choice(list(places(value)))
    match random.randrange(5):
        case 0:
            del holder[key]
        case 1:
            holder[key] = copy.deepcopy(other[place])
        case 2 if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        case 2:
            holder[f"{key}_"] = holder[key]
        case _:
            holder[key] = random.choice(ODD)
    return value


def harm_text(text: str, random: Random) -> str:
    """`text` with characters that are other ones, gone, or there again."""
    begin = random.randrange(len(text))
    end = min(len(text), begin + random.choice((1, 1, 5, 200)))
    other = random.choice(("", text[begin:end] * 2, random.choice('[]{}",:<>\0\n\x85\ud800-9e')))
    return text[:begin] + other + text[end:]


def harm_run(folder: Path, random: Random) -> Path:
    path = folder / "run.json"
    path.write_text(json.dumps(harm(json.loads(path.read_text()), random), indent=1))
    return folder


def harm_records(folder: Path, random: Random) -> Path:
    path = folder / "records.jsonl"
    lines = harm([json.loads(line) for line in path.read_text().splitlines()], random)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder


def harm_bytes(folder: Path, random: Random) -> Path:
    path = folder / random.choice(("run.json", "records.jsonl", "report.html"))
    text = harm_text(path.read_text(encoding="utf-8"), random)
    path.write_bytes(text.encode(errors="surrogatepass"))
    return folder if path.suffix != ".html" else path


def harm_page(folder: Path, random: Random) -> Path:
    path = folder / "report.html"
    page = path.read_text(encoding="utf-8")
    [(_, text, _)] = embedded._BLOCK.findall(page)
    block = json.loads(text)
    if random.randrange(4):
        raw = harm(json.loads(zlib.decompress(base64.urlsafe_b64decode(block["data"]))), random)
        data = zlib.compress(json.dumps(raw).encode())
        block["data"] = base64.urlsafe_b64encode(data).decode()
    else:
        block = harm(block, random)
    path.write_bytes(page.replace(text, json.dumps(block)).encode(errors="surrogatepass"))
    return path


HARMS: list[Callable[[Path, Random], Path]] = [harm_run, harm_records, harm_bytes, harm_page]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a small run with all kinds of records."""
    run = make_run(
        models=PAPER[:3], measures=("params", "throughput", "roofline", "memory"), replicates=3
    )
    records = make_records(run)
    records[-1] = failed(records[-1], "out of memory")
    first = next(place for place, record in enumerate(records) if record.measure == "throughput")
    records[first] = watched(records[first], "..dx.")
    folder = write_folder(tmp_path_factory.mktemp("run"), run, records)
    page = rendering.render(folder, "html")
    (folder / "report.html").write_text(page, encoding="utf-8")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("harm_it", HARMS)
@given(seed=st.integers(0, 2**64))
def test_what_was_harmed_is_read_or_refused_in_a_line(
    whole: dict[str, bytes], tmp_path: Path, harm_it: Callable[[Path, Random], Path], seed: int
) -> None:
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    path = harm_it(tmp_path, Random(seed))
    try:
        read = report.read(path)
        load(path)
        bibtex(read)
        overview(read, 100)
        for format in ("md", "csv", "json"):
            RENDERERS[format](read)
    except CmxError as error:
        said = str(error)
        assert said.startswith(f"{tmp_path}") and "\n" not in said and len(said) < 1000, seed
    assert set(tmp_path.iterdir()) == {tmp_path / name for name in whole}
