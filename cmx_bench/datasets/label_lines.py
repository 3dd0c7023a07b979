"""Reads a file of labels: a line for each image with its class, as people and programs write it."""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from cmx_bench.datasets import key_of
from cmx_bench.datasets.tree import SUFFIXES, Tree
from cmx_bench.errors import DataError

# The class of an image: its number, its name, or None where the image has none.
Word: TypeAlias = int | str | None

NAMES = ("labels.txt", "labels.csv")
_NO_CLASS = -1  # as in timm
_MOST_CLASSES = 2**31
_SEPARATOR = re.compile(r"\Asep=.\r?\n?")  # a line for Excel
# What programs put around the digits of a number, or between them: ="5", 1,000, 5 %, 1 000.
_DRESS = re.compile(r"[\s=\"'`,_%\u2212\u200b-\u200f\u2060\ufeff]")


@dataclass(frozen=True, slots=True)
class Lines:
    """The class of each image of a tree, and those of files that are not there, as far as they can
    be read. Classes of images are all numbers, or all names."""

    of: tuple[Word, ...]
    absent: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """A class as it was read and as it was written, with the number of its line."""

    word: Word
    text: str
    number: int


def file_in(folder: Path) -> Path | None:
    """The file of labels in a folder.

    Raises:
        DataError: there are two.
    """
    files = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(files) > 1:
        raise DataError(f"{folder}: {' and '.join(NAMES)} may say different things; keep one")
    return files[0] if files else None


def read(file: Path, tree: Tree) -> Lines:
    """The classes that a file gives to the images of a tree.

    Raises:
        DataError: the file cannot be read; an image has no line, or several that differ; a line is
            about a file that is no image by its suffix; numbers and names are mixed.
    """
    paths = [_same(image.path) for image in tree.images]
    others = {_same(path) for path in tree.others}
    by_name = defaultdict(list)
    for path in paths:
        by_name[path].append(path)
        if "/" in path:
            by_name[path.rpartition("/")[2]].append(path)
    classes: dict[str, _Found] = {}
    absent: dict[str, Word] = {}
    for place, (number, written, text) in enumerate(_rows(file)):
        where, name = f"{file}:{number}: {key_of(written)}", _same(written)
        if name not in by_name:
            if name in others:
                kinds = ", ".join(SUFFIXES)
                raise DataError(f"{where} is there and is not read (read are {kinds}); convert "
                                f"it, or remove its line")  # fmt: skip
            if place:  # the first line may be a heading
                absent[name] = None
                with suppress(DataError):
                    absent[name] = _word(text, where)
            continue
        path = name if by_name[name].count(name) == 1 else by_name[name][0]
        if path != name and len(by_name[name]) > 1:
            raise DataError(f"{where} is in several folders; name the folder too")
        this = _Found(_word(text, where), text, number)
        if classes.setdefault(path, this).word != this.word:
            raise DataError(f"{where} has two classes, {classes[path].text} and {text}")
    _refuse_mixture(file, list(classes.values()))
    for path in paths:
        if path not in classes:
            like = [name for name in absent if name.casefold() == path.casefold()] or [*absent]
            hint = f" (it has one for {key_of(like[0])})" if like else ""
            raise DataError(f"{file}: has no line for {key_of(path)}{hint}; add one, or take the "
                            f"image away")  # fmt: skip
    return Lines(tuple(classes[path].word for path in paths), tuple(absent.values()))


def _same(path: str) -> str:
    """What is equal for two ways to write one path: with \\ or ./, with composed letters or not."""
    return compose(str(PurePosixPath(path.replace("\\", "/"))))


def compose(text: str) -> str:
    """A name with composed letters: Macs write accents apart, and others do not."""
    return unicodedata.normalize("NFC", text)


def _word(text: str, where: str) -> Word:
    """A class as it is written: 5, 5.0, +5 and 5e0 are one number."""
    number = _number(text) if "_" not in text else None
    if number is None:
        if not text or any("\udc80" <= letter <= "\udcff" for letter in text):
            raise DataError(f"{where} has no class that can be read; write {_NO_CLASS} where an "
                            f"image has none")  # fmt: skip
        bare = _number(_DRESS.sub("", text))
        if bare is not None and math.isfinite(bare):
            raise DataError(f"{where} has the class {key_of(text)}, neither the number of a class "
                            f"nor a name; write digits alone")  # fmt: skip
        return compose(text)
    if number == _NO_CLASS:
        return None
    if not 0 <= number < _MOST_CLASSES or number != int(number):
        raise DataError(f"{where} has the class {text}, neither the number of a class nor a name; "
                        f"write {_NO_CLASS} where an image has none")  # fmt: skip
    return int(number)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _refuse_mixture(file: Path, classes: Sequence[_Found]) -> None:
    names = [each for each in classes if isinstance(each.word, str)]
    numbers = [each for each in classes if isinstance(each.word, int)]
    if names and numbers:
        (odd, *_), (usual, *_) = sorted((names, numbers), key=len)
        raise DataError(f"{file}:{odd.number}: the class {odd.text} is unlike classes such as "
                        f"{usual.text}; give all as numbers or all as names, and {_NO_CLASS} to "
                        f"an image that has none")  # fmt: skip


def text_of(file: Path) -> str:
    """The text of a file that names files or classes, as the system has these, whatever their
    bytes.

    Raises:
        DataError: it cannot be read.
    """
    try:
        content = file.read_bytes()
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # as Windows writes "Unicode"
            return content.decode("utf-16")
        return content.decode("utf-8-sig", "surrogateescape")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error


def _rows(file: Path) -> Iterator[tuple[int, str, str]]:
    text = _SEPARATOR.sub("\n", text_of(file), count=1)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = next((mark for mark in "\t,;" if mark in first), None)
    if separator == ";":
        raise DataError(f"{file}: its columns are separated by semicolons; save it with commas")
    for number, row in _split(file, text, separator):
        if len(row) != 2 or not row[0]:
            raise DataError(f"{file}:{number}: expected two columns, FILE and CLASS, got "
                            f"{key_of(repr(row))}")  # fmt: skip
        name, word = row
        yield number, name, word


def _split(file: Path, text: str, separator: str | None) -> Iterator[tuple[int, Sequence[str]]]:
    if separator is None:  # names of files may have spaces
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                name, _, word = line.strip().rpartition(" ")
                yield number, [name.strip().strip('"'), word.strip('"')]
        return
    rows = csv.reader(io.StringIO(text, newline=None), delimiter=separator, skipinitialspace=True)
    try:
        for row in rows:
            if any(map(str.strip, row)):
                yield rows.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise DataError(f"{file}:{rows.line_num}: cannot be read: {error}") from error
