"""Rendered files held against the raw samples: every number recomputed, each that differs named."""

from __future__ import annotations

import difflib
import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, takewhile, zip_longest
from pathlib import Path, PurePath

from cmx_bench import units
from cmx_bench.errors import RecordsError
from cmx_bench.present import drawing
from cmx_bench.present.page import without_site
from cmx_bench.report import formats
from cmx_bench.report.formats import Subject
from cmx_bench.report.tables import side_by_side
from cmx_bench.report.verify.places import PLACES, Places, oddity, without_drawings
from cmx_bench.results import embedded, loading, recounting, runfolder
from cmx_bench.results.embedded import Embedded
from cmx_bench.results.recounting import Miscount
from cmx_bench.spec import disk

_PAGE = "report.html"
_NOTHING = "(nothing)"
# So much longer than what is recomputed, a text is not searched for the places that differ; nor are
# lines of which so many pairs could be alike.
_MUCH_LONGER, _MOST_PAIRS = 4, 250_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A place of a file that does not show what the raw samples give."""

    file: str
    place: str
    shown: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was compared: `places` of `files`; `notes` say what was not, and why."""

    content_hash: str
    files: int
    places: int
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


def verify(path: Path) -> Verification:
    """The folder or the page of a run, or of runs side by side, compared with what the raw samples
    give.

    Raises:
        RecordsError: the path is none of these, or its raw samples cannot be read.
    """
    path = path if path.suffix == ".html" else runfolder.folder_of(path)
    beside = path / "comparison.html"
    if path.is_dir() and ((path / "run.json").exists() or not beside.exists()):
        return _run(path)
    page = disk.within(path, beside.name) if path.is_dir() else path
    text = _text_of(page)
    inside = embedded.unpack(text, str(page))
    subject = _subject(inside)
    miscounts = chain.from_iterable(recounting.of_votes(run.report) for run in inside)
    votes = [*_apart_from_records(miscounts)]
    if path.is_dir():
        files = formats.files(subject)
        return _compare(
            subject, _read_shown(path, files), files, inside, _stale(path, files), votes
        )
    name = f"{formats.stem(subject)}.html"
    return _compare(subject, {name: text}, {name: formats.html(subject)}, inside, others=votes)


def _run(folder: Path) -> Verification:
    """A run's folder, whose records are held against those in its page too."""
    subject = loading.read_folder(folder)
    files = formats.files(subject, _copies(folder))
    shown = _read_shown(folder, files)
    if not shown:  # as where a run was killed
        raise RecordsError(f"{folder}: has no rendered files to compare; `report` writes them")
    others = [*_apart_from_records(recounting.in_folder(folder, subject))]
    page = shown.get(_PAGE)
    inside = [embedded.unpack_one(page, str(folder / _PAGE))] if isinstance(page, str) else []
    for run in inside:
        mine, theirs = (each.content_hash for each in (subject, run.report))
        if mine != theirs:
            place = "content hash of the raw samples in it"
            others.append(Difference(_PAGE, place, theirs, mine))
    return _compare(subject, shown, files, inside, _stale(folder, files), others)


def _subject(inside: Sequence[Embedded]) -> Subject:
    """What a page is of: of runs side by side each has the path that it was given by."""
    if not inside[0].path:
        return inside[0].report
    paths = [Path(run.path) for run in inside]
    return side_by_side.compare(paths, [run.report for run in inside])


def _read_shown(folder: Path, recomputed: Mapping[str, str | bytes]) -> dict[str, str | bytes]:
    return {
        name: disk.bytes_of(path, RecordsError) if isinstance(content, bytes) else _text_of(path)
        for name, content in recomputed.items()
        if (path := disk.within(folder, name)).exists()
    }


def _text_of(path: Path) -> str:
    """Every character of a file: `disk.text_of` gives one for each end of a line."""
    try:
        return disk.bytes_of(path, RecordsError).decode()
    except UnicodeDecodeError as error:
        raise RecordsError(f"{path}: cannot be read: {error}") from error


def _stale(folder: Path, recomputed: Mapping[str, str | bytes]) -> Iterator[str]:
    """A note on each file among the tables and figures that is not made of this run."""
    rooms = (disk.within(folder, name) for name in ("tables", "figures"))
    paths = chain.from_iterable(map(disk.files_below, rooms))
    for name in sorted(path.relative_to(folder).as_posix() for path in paths):
        if name not in recomputed:
            yield f"{units.escape(name)} is not made of this run (any more), and was not compared"


def _copies(folder: Path) -> list[str]:
    figures = disk.within(folder, "figures")
    ends = {path.name.partition(".")[2] for path in figures.glob("*.*")}
    return [name for name in drawing.COPIES if name in ends]


def _apart_from_records(miscounts: Iterable[Miscount]) -> Iterator[Difference]:
    for where, what, recorded, counted in miscounts:
        yield Difference(where, what, f"{recorded:,}", f"{counted:,}")


# --- comparing ------------------------------------------------------------------------------------


def _compare(
    subject: Subject,
    shown: Mapping[str, str | bytes],
    files: Mapping[str, str | bytes],
    inside: Sequence[Embedded],
    stale: Iterable[str] = (),
    others: Iterable[Difference] = (),
) -> Verification:
    """Every file that is made held against the one that is shown; `inside` is what the page holds,
    run by run, `stale` are notes on files that are not made any more, `others` more differences."""
    apart = {name: pair for run in inside for name, pair in run.versions_apart.items()}
    notes = [
        f"the page was rendered with {package} {then}, recomputed with {now}"
        for package, (then, now) in apart.items()
    ]
    drawn_by = [package for package in apart if package != "cmx-bench"]
    if drawn_by:
        notes.append(f"drawings were not compared: versions of {', '.join(drawn_by)} differ")
    count, differences = 0, list(others)
    for name, recomputed in files.items():
        given = shown.get(name)
        if drawn_by and name.startswith("figures/"):
            if isinstance(given, str) and (odd := oddity(given)):
                differences.append(Difference(name, "the drawing", odd, "a drawing alone"))
        elif given is None:
            differences.append(Difference(name, "the file", _NOTHING, "a file"))
        elif isinstance(recomputed, bytes):
            assert isinstance(given, bytes)
            count += 1
            differences += _in_bytes(name, given, recomputed)
        else:
            assert isinstance(given, str)
            places, named = _in_text(name, given, recomputed, drawn_alike=not drawn_by)
            count += places
            differences += named
            if name.endswith(".html"):
                strays = embedded.strays(given, inside)
                differences += [
                    Difference(name, f"block of data {n}", *pair) for n, *pair in strays
                ]
    if differences:
        notes += dict.fromkeys(_made_by_other_code(inside))
    return Verification(
        subject.content_hash, len(files), count, tuple(differences), (*notes, *stale)
    )


def _made_by_other_code(inside: Sequence[Embedded]) -> Iterator[str]:
    """Where a page's differences may come from, and what to do."""
    for run in inside:
        if run.code != (here := embedded.code()):
            yield (
                f"the page was made by other code of cmx-bench ({run.code}; "
                f"this is {here}), which may show the same samples otherwise: render it anew "
                "(cmx-bench report RUN), or verify it with the code that made it"
            )


def _in_bytes(name: str, shown: bytes, recomputed: bytes) -> list[Difference]:
    if shown == recomputed:
        return []
    if not name.endswith(".gz"):
        return [Difference(name, "the drawing", "another", "this one")]
    ours = gzip.decompress(recomputed)  # another zlib writes other bytes for the same text
    stream = zlib.decompressobj(wbits=31)
    try:
        given = stream.decompress(shown, len(ours) + 1)
        if not stream.eof or stream.unused_data:
            raise zlib.error("it is longer, or cut off")
        return _in_text(name, given.decode(), ours.decode())[1]
    except (zlib.error, UnicodeDecodeError) as error:
        return [Difference(name, "the file", f"what cannot be read: {error}", "a table")]


def _in_text(
    name: str, shown: str, recomputed: str, drawn_alike: bool = True
) -> tuple[int, list[Difference]]:
    """How many places a text has, and each that differs; where none does, what may hide one."""
    if name.endswith(".html"):
        shown = without_site(embedded.without(shown))
        recomputed = embedded.without(recomputed)
        if not drawn_alike:
            shown, recomputed = (without_drawings(text) for text in (shown, recomputed))
    read = PLACES[PurePath(name).suffix]
    ours = read(recomputed)
    if shown == recomputed:
        return ours.count, []
    if len(shown) > _MUCH_LONGER * max(len(recomputed), 2**20):
        return ours.count, [Difference(name, "the file", shown, recomputed)]
    named = [Difference(name, *apart) for apart in _apart(read(shown), ours)]
    return ours.count, named or [Difference(name, "the markup", shown, recomputed)]


def _apart(shown: Places, recomputed: Places) -> Iterator[tuple[str, str, str]]:
    for table in dict.fromkeys((*recomputed.tables, *shown.tables)):
        theirs, ours = (places.tables.get(table, []) for places in (shown, recomputed))
        heading = (ours or theirs)[0]
        empty: list[str] = []
        for number, (their_row, our_row) in enumerate(zip_longest(theirs, ours, fillvalue=empty)):
            row = f"row {number} ({(our_row or their_row or [''])[0]})" if number else "heading"
            for place, (their, our) in enumerate(zip_longest(their_row, our_row, fillvalue="")):
                if their != our:
                    column = heading[place] if place < len(heading) else place + 1
                    yield f"{table}{row}, column {column}", their or _NOTHING, our or _NOTHING
    for name in dict.fromkeys((*recomputed.drawings, *shown.drawings)):
        their, our = (places.drawings.get(name, _NOTHING) for places in (shown, recomputed))
        if their != our:
            yield f"figure {name}, drawing", their, our
    yield from _lines_apart(shown.lines, recomputed.lines)


def _lines_apart(shown: Sequence[str], recomputed: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Each line that differs; all of them as one place where it would take long to tell them
    apart, which takes the product of their numbers and more."""
    begin = _alike(zip(shown, recomputed, strict=False))
    after = _alike(zip(reversed(shown[begin:]), reversed(recomputed[begin:]), strict=False))
    theirs, ours = (these[begin : len(these) - after] for these in (shown, recomputed))
    if len(theirs) * len(ours) > _MOST_PAIRS:
        yield f"lines {begin + 1} to {begin + len(theirs)}", "\n".join(theirs), "\n".join(ours)
        return
    matcher = difflib.SequenceMatcher(None, theirs, ours, autojunk=False)
    for kind, start, end, first, last in matcher.get_opcodes():
        if kind != "equal":
            lines = zip_longest(theirs[start:end], ours[first:last])
            for number, (their, our) in enumerate(lines, begin + start + 1):
                yield f"line {number}", their or _NOTHING, our or _NOTHING


def _alike(pairs: Iterable[tuple[str, str]]) -> int:
    """How many pairs are alike before the first that is not."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


_ROOM = 120


def lines(verification: Verification) -> Iterator[str]:
    """A line for each difference and each note, and a last one with the verdict."""
    for difference in verification.differences:
        shown, recomputed = _narrow(difference.shown, difference.recomputed)
        place = units.escape(difference.place[:_ROOM]).replace("\n", " ")
        yield f"{difference.file}: {place}: shows {shown!r}, the raw samples give {recomputed!r}"
    yield from verification.notes
    places, files = verification.places, verification.files
    compared = f"{units.tally(places, 'place')} in {units.tally(files, 'file')}"
    if verification.differences:
        yield f"{len(verification.differences):,} of {compared} differ from the raw samples"
    else:
        yield f"{compared} show what the raw samples give; SHA-256 {verification.content_hash}"


def _narrow(shown: str, recomputed: str) -> tuple[str, str]:
    """Two texts around the first character in which they differ, where they are long."""
    if max(len(shown), len(recomputed)) <= _ROOM:
        return shown, recomputed
    start = max(0, _alike(zip(shown, recomputed, strict=False)) - _ROOM // 3)
    end = start + _ROOM
    shown, recomputed = (
        f"{'…' * (start > 0)}{text[start:end]}{'…' * (end < len(text))}"
        for text in (shown, recomputed)
    )
    return shown, recomputed
