"""The raw samples of a run inside its page: packs them, and reads them so that the page can be
verified."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import FailFast, StringConstraints, TypeAdapter, with_config
from typing_extensions import TypedDict

from cmx_bench import __version__
from cmx_bench.errors import RecordsError
from cmx_bench.results import agreement, checkouts, records
from cmx_bench.results.nouns import Report
from cmx_bench.results.public import public
from cmx_bench.results.reading import summarise
from cmx_bench.results.validation import STRICT, DamageError, check, parse
from cmx_bench.spec import disk

# Data, which no browser runs; numbered where a page holds several runs. It has no "<", so that
# nothing that a browser shows passes for data.
_BLOCK = re.compile(
    r'(<script type="application/json" id="cmx-bench-data(?:-\d+)?">\n)([^<]*)(\n</script>)'
)

_ENCODING: Literal["URL-safe base64 of zlib of JSON"] = "URL-safe base64 of zlib of JSON"
# Data unpack to a tenth of what a page with its drawings has, or to a few times that; what
# strangers packed could be a thousand times larger.
_LEAST_ROOM, _MOST_DENSE = 2**24, 8  # bytes, and bytes for each character of the page
_Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+!_-]{1,40}$")]
_Package = Annotated[
    str, StringConstraints(pattern=r"^(cmx-bench|matplotlib|seaborn|pandas|numpy)$")
]
_Code = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
_Jpeg = Annotated[str, StringConstraints(pattern=r"^/9j/[0-9A-Za-z+/]*=*$", max_length=90_000)]
_Number = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,8})$")]


@with_config(STRICT | {"str_max_length": None})
class _Block(TypedDict):
    """What a block of data says of itself."""

    rendered_with: dict[_Package, _Version]
    code: _Code
    encoding: Literal["URL-safe base64 of zlib of JSON"]
    data: str


@with_config(STRICT)
class _Raw(TypedDict):
    """What is packed of a run."""

    run: dict[str, Any]
    records: Annotated[list[dict[str, Any]], FailFast()]
    unfinished: bool
    votes: agreement.Packed
    thumbnails: dict[_Number, _Jpeg]
    path: NotRequired[str]


_BLOCKS, _RAW = TypeAdapter(_Block), TypeAdapter(_Raw)


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a page holds of a run: the report that its raw samples make, and what it was rendered
    with: by which `code` of this package. Beside others it has the `path` that the run was given
    by."""

    report: Report
    rendered_with: Mapping[str, str]
    code: str
    path: str = ""

    @property
    def versions_apart(self) -> dict[str, tuple[str, str | None]]:
        """The packages that it was rendered with in other versions than there are now: those."""
        now = renderers()
        return {
            package: (then, now.get(package))
            for package, then in self.rendered_with.items()
            if then != now.get(package)
        }


def pack(report: Report, path: str = "") -> str:
    """JSON with the run and its records, compressed: the same text for the same records."""
    packed = zlib.compress(_plain(report, path).encode(), 9)
    return _block(renderers(), code(), base64.urlsafe_b64encode(packed).decode())


def _plain(report: Report, path: str) -> str:
    names = [field.name for field in dataclasses.fields(records.Record)]
    raw = {
        "run": dataclasses.asdict(report.run),
        # Not by asdict, which copies every sample: 0.4 s for 10,000 records.
        "records": [{name: getattr(record, name) for name in names} for record in report.records],
        "unfinished": report.unfinished,
        "votes": agreement.pack(report.votes),
        "thumbnails": {
            place: base64.b64encode(jpeg).decode() for place, jpeg in report.thumbnails.items()
        },
        **({"path": path} if path else {}),
    }
    return json.dumps(raw, separators=(",", ":"))


def _block(rendered_with: Mapping[str, str], made_by: str, data: str) -> str:
    said = {
        "rendered_with": rendered_with, "code": made_by, "encoding": _ENCODING, "data": data
    }  # fmt: skip
    return json.dumps(said, indent=0)


def renderers() -> dict[str, str]:
    """The packages that a page's bytes depend on, with their versions."""
    drawing = ("matplotlib", "seaborn", "pandas", "numpy")
    return {"cmx-bench": __version__} | {package: version(package) for package in drawing}


@cache
def code() -> str:
    return checkouts.code_of(Path(__file__).parents[1])


def unpack(page: str, where: str) -> tuple[Embedded, ...]:
    """The runs that the text of a page holds.

    Raises:
        RecordsError: nothing, or what cannot be read; `where` is the page's name.
    """
    if not (blocks := [data for _, data, _ in _BLOCK.findall(page)]):
        raise RecordsError(
            f"{where}: holds no raw samples, as a page of a report does: give the folder of a run, "
            "or its report.html, which `cmx-bench report RUN` renders again"
        )
    room = max(_LEAST_ROOM, _MOST_DENSE * len(page))
    runs = []
    for block in blocks:
        size, run = _unpack(block, where, room)
        room -= size
        runs.append(run)
    return tuple(runs)


def _unpack(text: str, where: str, room: int) -> tuple[int, Embedded]:
    """What a block holds, and its size in bytes once it is unpacked: `room` at most."""
    try:
        block = check(_BLOCKS, text)
        plain = _inflate(base64.urlsafe_b64decode(block["data"]), room)
        parse(plain)  # which bounds what the next line takes
        raw = check(_RAW, plain)
        whole = records.run_of(raw["run"], where)
        run, read = public(whole, records.records_of(raw["records"], where, whole))
        report = summarise(run, read, raw["unfinished"])
        votes = agreement.unpack(raw["votes"])
        if not votes.classes.keys() <= set(report.voters):
            raise ValueError("votes are of models that were not evaluated")
        if not votes.classes and votes.images.keys:
            raise ValueError("there are images, and no votes about them")
        if any(int(place) >= len(votes.images.keys) for place in raw["thumbnails"]):
            raise ValueError("a thumbnail is of an image that is not listed")
        shown = dataclasses.replace(
            report,
            votes=votes,
            thumbnails={
                int(place): base64.b64decode(jpeg) for place, jpeg in raw["thumbnails"].items()
            },
        )
    except DamageError as error:
        raise error.at(f"{where}: its raw samples cannot be read") from error
    except (zlib.error, ValueError) as error:
        raise RecordsError(f"{where}: its raw samples cannot be read: {error}") from error
    embedded = Embedded(shown, block["rendered_with"], block["code"], raw.get("path", ""))
    return len(plain), embedded


def _inflate(packed: bytes, room: int) -> bytes:
    """A stream of zlib, unpacked to `room` bytes at most.

    Raises:
        ValueError: it has more, ends too early, or something follows it.
    """
    stream = zlib.decompressobj()
    plain = stream.decompress(packed, max(1, room))  # 0 is no limit
    if stream.unconsumed_tail:
        raise ValueError(f"they have more than {room:,} bytes once they are unpacked")
    if not stream.eof or stream.unused_data:
        raise ValueError("they are cut off, or something follows them")
    return plain


def read(page: Path) -> Embedded:
    """The run that a page holds.

    Raises:
        RecordsError: the file cannot be read, or holds nothing that can, or several runs.
    """
    return unpack_one(disk.text_of(page, RecordsError), str(page))


def unpack_one(page: str, where: str) -> Embedded:
    """What the text of a run's page holds.

    Raises:
        RecordsError: as `unpack`, or it is a page of several runs.
    """
    runs = unpack(page, where)
    if len(runs) > 1 or runs[0].path:
        raise RecordsError(
            f"{where}: holds {len(runs)} runs side by side; expected the page of one"
        )
    return runs[0]


def without(page: str) -> str:
    """The page's text with nothing in the blocks that hold data."""
    return _BLOCK.sub(r"\1\3", page)


def strays(page: str, runs: Sequence[Embedded]) -> Iterator[tuple[int, str, str]]:
    """What the blocks of a page hold besides its runs, and what they hold in another way than
    `pack` writes it: the number of the block, its text, and the text that is expected.

    Of packed data the content counts: another zlib packs the same content into other bytes.
    """
    for number, ((_, text, _), run) in enumerate(zip(_BLOCK.findall(page), runs, strict=True), 1):
        data = _BLOCKS.validate_json(text)["data"]
        packed = base64.urlsafe_b64decode(data)
        written = _block(run.rendered_with, run.code, base64.urlsafe_b64encode(packed).decode())
        if text != written:
            yield number, text, written
        plain, expected = zlib.decompress(packed).decode(), _plain(run.report, run.path)
        if plain != expected:
            yield number, plain, expected
