"""Rendered files held against the raw samples: every number recomputed, each that differs named."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from cmx_bench import report
from cmx_bench.report import several
from cmx_bench.report.tables import side_by_side
from cmx_bench.report.verify import places
from cmx_bench.report.verify.places import Places
from cmx_bench.results import embedded, predictions, records
from cmx_bench.results.embedded import Embedded
from cmx_bench.results.nouns import Report

_PAGE = "report.html"  # whatever a single one is called
_NOTHING = "(nothing)"


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
    beside = path / several.PAGE
    if path.is_dir() and ((path / "run.json").exists() or not beside.exists()):
        return _folder(path)
    folder, page = (path, beside) if path.is_dir() else (None, path)
    text = records.text_of(page)
    inside = embedded.unpack_all(text, str(page))
    return _comparison(text, inside, folder) if inside[0].path else _page(text, inside[0])


def _page(text: str, inside: Embedded) -> Verification:
    made = {_PAGE: report.RENDERERS["html"](inside.report)}
    notes, drawn_alike = _versions(inside), _drawn_alike(inside)
    return _compared(_hash(inside.report), {_PAGE: text}, made, notes, drawn_alike)


def _folder(folder: Path) -> Verification:
    found = report.read(folder)
    made = report.files(found, _copies(folder))
    shown = _shown(folder, made)
    notes: tuple[str, ...] = ()
    drawn_alike, others = True, list[Difference]()
    page = shown.get(_PAGE)
    others += _predictions(folder, found)
    if isinstance(page, str):
        inside = embedded.unpack(page, str(folder / _PAGE))
        notes, drawn_alike = _versions(inside), _drawn_alike(inside)
        others += _raw(found, inside.report)
    notes = (*notes, *_stale(folder, made))
    return _compared(_hash(found), shown, made, notes, drawn_alike, others)


def _comparison(text: str, inside: Sequence[Embedded], folder: Path | None) -> Verification:
    """Runs side by side: the page alone, or with all that lies in its folder."""
    paths, reports = [Path(one.path) for one in inside], [one.report for one in inside]
    found = side_by_side.compare(paths, reports)
    digest, notes = several.content_hash(found), _versions(inside[0])
    if folder is None:
        made = {several.PAGE: several.RENDERERS["html"](found)}
        return _compared(digest, {several.PAGE: text}, made, notes)
    files = several.files(found)
    return _compared(digest, _shown(folder, files), files, (*notes, *_stale(folder, files)))


def _hash(found: Report) -> str:
    return records.content_hash(found.run, found.records)


def _shown(folder: Path, made: Mapping[str, str | bytes]) -> dict[str, str | bytes]:
    """What the folder has of the files that are made."""
    return {
        name: path.read_bytes() if isinstance(content, bytes) else records.text_of(path)
        for name, content in made.items()
        if (path := folder / name).exists()
    }


def _stale(folder: Path, made: Mapping[str, str | bytes]) -> Iterator[str]:
    for name in _rendered(folder):
        if name not in made:
            yield f"{name} is of an earlier rendering, and was not compared"


def _copies(folder: Path) -> list[str]:
    """The formats beside SVG that the folder has figures in."""
    from cmx_bench.present import drawing  # matplotlib takes a while to import

    return [one for one in drawing.COPIES if any((folder / "figures").glob(f"*.{one}"))]


def _rendered(folder: Path) -> list[str]:
    """The tables and figures that lie in a run's folder."""
    found = (path for name in ("tables", "figures") for path in (folder / name).glob("*.*"))
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _versions(page: Embedded) -> tuple[str, ...]:
    now = embedded.renderers()
    return tuple(
        f"the page was rendered with {package} {then}, recomputed with {now.get(package)}"
        for package, then in page.rendered_with.items()
        if then != now.get(package)
    )


def _drawn_alike(page: Embedded) -> bool:
    """Whether drawings can be compared byte by byte."""
    return page.rendered_with.get("matplotlib") == embedded.renderers()["matplotlib"]


def _raw(found: Report, inside: Report) -> Iterator[Difference]:
    """The raw samples in the page are those of the folder."""
    mine, theirs = _hash(found), _hash(inside)
    if mine != theirs:
        yield Difference(_PAGE, "content hash of the raw samples in it", theirs, mine)


def _predictions(folder: Path, found: Report) -> Iterator[Difference]:
    """The accuracies of the records are those of the predictions kept image by image."""
    votes = found.votes
    for voter in votes.counted:
        samples = found.samples_of(found.results[(*voter, "top1")])
        ended = samples[samples["status"] == "ok"]
        for replicate, said in zip(ended["replicate"], ended["details"], strict=True):
            path = predictions.path(predictions.home(folder, replicate), *voter)
            where = path.relative_to(folder).as_posix()
            rows = predictions.read(path)
            counted = rows["top5"][:, 0] >= 0  # but for broken images
            counted &= predictions.labelled(votes.images.labels)
            yield from _count(where, "images", said["images"], counted)
            for metric, right in said["correct"].items():
                k = int(metric.removeprefix("top"))
                hits = counted & predictions.correct(rows, votes.images.labels, k)
                yield from _count(where, f"right by top-{k}", right, hits)


def _count(where: str, what: str, said: int, those: NDArray[np.bool_]) -> Iterator[Difference]:
    if said != (count := int(those.sum())):
        yield Difference(where, what, f"{said:,}", f"{count:,}")


def _compared(
    content_hash: str,
    shown: Mapping[str, str | bytes],
    made: Mapping[str, str | bytes],
    notes: tuple[str, ...],
    drawn_alike: bool = True,
    others: Sequence[Difference] = (),
) -> Verification:
    count, differences = 0, list(others)
    if not drawn_alike:
        notes = (*notes, "drawings were not compared: matplotlib's versions differ")
    for name, recomputed in made.items():
        if not drawn_alike and name.startswith("figures/"):
            continue
        given = shown.get(name)
        if given is None:
            differences.append(Difference(name, "the file", _NOTHING, "a file"))
        elif isinstance(given, bytes) or isinstance(recomputed, bytes):
            count += 1
            if given != recomputed:
                differences.append(Difference(name, "the drawing", "another", "this one"))
        else:
            read = places.PLACES[PurePath(name).suffix]
            ours, theirs = read(recomputed), read(given)
            count += len(ours.entries) + len(ours.lines)
            differences += _differences(name, theirs, ours, drawn_alike)
    return Verification(content_hash, len(made), count, tuple(differences), notes)


def _differences(
    name: str, shown: Places, recomputed: Places, drawn_alike: bool
) -> list[Difference]:
    """Each place that differs; where none does, what may hide one."""
    named = list(_named(name, shown, recomputed, drawn_alike))
    if not named and shown.markup != recomputed.markup:
        return [Difference(name, "the markup", shown.markup, recomputed.markup)]
    return named


def _named(name: str, shown: Places, recomputed: Places, drawn_alike: bool) -> Iterator[Difference]:
    for place in dict.fromkeys((*recomputed.entries, *shown.entries)):
        given, ours = (one.entries.get(place, _NOTHING) for one in (shown, recomputed))
        if given != ours and (drawn_alike or not place.endswith(places.DRAWING)):
            yield Difference(name, place, given, ours)
    matcher = difflib.SequenceMatcher(None, shown.lines, recomputed.lines, autojunk=False)
    for kind, start, end, first, last in matcher.get_opcodes():
        if kind == "equal":
            continue
        for at in range(max(end - start, last - first)):
            given = shown.lines[start + at] if start + at < end else _NOTHING
            ours = recomputed.lines[first + at] if first + at < last else _NOTHING
            yield Difference(name, f"line {start + at + 1}", given, ours)


_ROOM = 120


def lines(found: Verification) -> Iterator[str]:
    """A line for each difference, for each note, and what it comes to."""
    for one in found.differences:
        shown, recomputed = _narrowed(one.shown, one.recomputed)
        yield f"{one.file}: {one.place}: shows {shown!r}, the raw samples give {recomputed!r}"
    yield from found.notes
    compared = f"{found.places:,} places in {found.files} {'file' if found.files == 1 else 'files'}"
    if found.differences:
        yield f"{len(found.differences):,} of {compared} differ from the raw samples"
    else:
        yield f"{compared} show what the raw samples give; SHA-256 {found.content_hash}"


def _narrowed(one: str, other: str) -> tuple[str, str]:
    """Two texts around the first character in which they differ, where they are long."""
    if max(len(one), len(other)) <= _ROOM:
        return one, other
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    start = max(0, sum(1 for _ in alike) - _ROOM // 3)
    return _cut(one, start), _cut(other, start)


def _cut(text: str, start: int) -> str:
    end = start + _ROOM
    return f"{'…' * (start > 0)}{text[start:end]}{'…' * (end < len(text))}"
