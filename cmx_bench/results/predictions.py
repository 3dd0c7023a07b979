"""The predictions of models for each image, kept in a run's folder: five classes with their scores.

`predictions/images.csv` lists the images with their labels and a digest of their content,
`predictions/classes.csv` the names of classes where these are known;
`predictions/MODEL.SETTING.npz` holds, in the same order, `state`, `top5` and `score` of every
image. While a cell is evaluated, its rows lie in a file that grows chunk by chunk, so that an
interrupted one goes on where it was.
"""

from __future__ import annotations

import csv
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cmx_bench.errors import RecordsError
from cmx_bench.results.records import Record
from cmx_bench.spec import disk

# What numpy raises for a file that is missing, damaged, or of other arrays.
UNREADABLE = (
    OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error
)  # fmt: skip

_Row = TypeVar("_Row")
BROKEN, PREDICTED = 0, 1
_FOLDER = "predictions"
_OF_IMAGES, _OF_CLASSES = ("key", "labels", "digest"), ("number", "name")
# `image` is `checksum`'s; classes are -1 where a model has fewer than five, and for a broken image.
ROW = np.dtype([("image", "<u4"), ("state", "u1"), ("top5", "<i4", (5,)), ("score", "<f4", (5,))])


@dataclass(frozen=True, slots=True)
class Images:
    """The images that were evaluated, in order. An image is right with any of its labels, and
    counts for nothing where it has none (ImageNet-ReaL). `names` are those of classes, as far as
    the data set knows them; `digests` are of the images' content, empty for broken ones, or ()
    where nobody knows them."""

    keys: tuple[str, ...]
    labels: tuple[tuple[int, ...], ...]
    names: Mapping[int, str] = field(default_factory=dict)
    digests: tuple[str, ...] = ()

    def changed(self, now: Images) -> str | None:
        """The first image that is another `now`; None where all are as they were. One that was
        broken may have been mended."""
        for was, is_now in zip_longest(self.rows(), now.rows()):
            if was is None or is_now is None or was[:2] != is_now[:2]:
                return (is_now or was)[0]
            if was[2] and is_now[2] and was[2] != is_now[2]:
                return is_now[0]
        return None

    def rows(self) -> Iterator[tuple[str, tuple[int, ...], str]]:
        """Each image's key, labels and digest."""
        digests = self.digests or ("",) * len(self.keys)
        return zip(self.keys, self.labels, digests, strict=True)


def home(folder: Path, replicate: int) -> Path:
    """Where a run keeps the predictions of a replicate: those of the first are the run's own."""
    return disk.within(folder, f"replicate-{replicate}") if replicate else folder


def folder_of(folder: Path) -> Path:
    """Where a run keeps its predictions."""
    return disk.within(folder, _FOLDER)


def path(folder: Path, model: str, setting: str) -> Path:
    """The file of one model in one setting."""
    return disk.within(folder, f"{_FOLDER}/{model}.{setting}.npz")


def checksum(key: str, labels: Sequence[int], digest: str) -> int:
    """A checksum that ties a row to its image. It shows whether images were added, removed,
    renamed, relabelled or changed between two sessions."""
    return zlib.crc32(f"{key} {' '.join(map(str, labels))} {digest}".encode())


def append(part: Path, rows: NDArray[np.void]) -> None:
    """Adds a chunk to the rows of an unfinished cell; it is on the disk when this returns."""
    with disk.appending(part) as file:
        file.write(rows.tobytes())
        file.flush()
        os.fsync(file.fileno())


def resume(part: Path, size: int) -> NDArray[np.void]:
    """The rows of an unfinished cell, in whole chunks of `size`. Half a chunk is cut off, and so is
    all that follows the first broken image, for that may have been mended."""
    if not part.exists():
        return np.empty(0, ROW)
    with disk.appending(part) as file:
        file.seek(0)
        rows = np.fromfile(file, ROW)
        end = next(iter(np.flatnonzero(rows["state"] == BROKEN)), len(rows))
        rows = rows[: end // size * size]
        file.truncate(rows.nbytes)
    return rows


def finish(rows: NDArray[np.void], target: Path) -> None:
    """Writes the rows of a finished cell into its file, at once or not at all."""
    with disk.replacing(target) as draft, draft.open("wb") as file:
        np.savez_compressed(file, **{name: rows[name] for name in ROW.names or ()})  # type: ignore[arg-type]


def forget_rows(folder: Path, record: Record) -> None:
    """Removes the rows that grew, once the record of a cell that is well is kept."""
    if record.status == "ok":
        grown = folder_of(home(folder, record.replicate))
        for part in grown.glob(f"{record.model}.{record.setting}.*.rows"):
            part.unlink()


def read(path: Path, images: int) -> NDArray[np.void]:
    """The rows of a finished cell, for this many images.

    Raises:
        RecordsError: the file is not there, is damaged, or has rows of another number of images.
    """
    rows = np.empty(images, ROW)
    try:
        with disk.open_file(path) as file, zipfile.ZipFile(file) as packed:
            for name in ROW.names or ():
                rows[name] = _unpack(packed, name, rows[name])
    except UNREADABLE as error:
        raise RecordsError(f"{path}: cannot be read as predictions: {error}") from error
    return rows


def _unpack(
    packed: zipfile.ZipFile, name: str, expected: NDArray[np.generic]
) -> NDArray[np.generic]:
    """An array that numpy packed. It has the shape and the type of another: what it says of itself
    is read before it is unpacked, for a few bytes may say that they are terabytes.

    Raises:
        ValueError: it has not, or is packed in another way.
    """
    info = packed.getinfo(f"{name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is packed by another program")
    with packed.open(info) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"{name} is of another version of numpy's format")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if (shape[1:], dtype) != (expected.shape[1:], expected.dtype):
            raise ValueError(f"{name} has {dtype} of the shape {shape}")
        if shape != expected.shape:
            raise ValueError(f"of {shape[0]:,} images, and images.csv lists {len(expected):,}")
        content = file.read(expected.nbytes + 1)
    return np.frombuffer(content, dtype).reshape(shape)


def images_path(folder: Path) -> Path:
    return disk.within(folder, f"{_FOLDER}/images.csv")


def write_images(folder: Path, images: Images) -> None:
    """Lists the images; `labels` of one are separated by spaces. Beside them the names of classes,
    where there are any."""
    rows = ((key, " ".join(map(str, labels)), digest) for key, labels, digest in images.rows())
    _write(images_path(folder), _OF_IMAGES, rows)
    if images.names:
        _write(_classes_path(folder), _OF_CLASSES, sorted(images.names.items()))


def _classes_path(folder: Path) -> Path:
    return disk.within(folder, f"{_FOLDER}/classes.csv")


def _write(path: Path, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([heading, *rows])
    disk.write(path, text.getvalue())


def read_images(folder: Path) -> Images:
    """The images of a run.

    Raises:
        RecordsError: there is no list of them, or it cannot be read.
    """
    expected = "a key and the labels of an image, and a digest"
    rows = list(_read(images_path(folder), _OF_IMAGES, expected, _of_image))
    path, expected = _classes_path(folder), "a number and the name of a class"
    names = dict(_read(path, _OF_CLASSES, expected, _of_class) if path.exists() else ())
    keys, labels = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
    return Images(keys, labels, names, tuple(row[2] for row in rows))


def _of_image(fields: list[str]) -> tuple[str, tuple[int, ...], str]:
    key, words, digest = fields
    return key, tuple(map(_label, words.split())), digest


def _of_class(fields: list[str]) -> tuple[int, str]:
    number, name = fields
    return _label(number), name


def _read(
    path: Path, heading: Sequence[str], expected: str, of: Callable[[list[str]], _Row]
) -> Iterator[_Row]:
    """What the rows of a list are, by their fields."""
    rows = csv.reader(io.StringIO(disk.text_of(path, RecordsError), newline=""))
    try:
        if next(rows, []) != [*heading]:
            raise ValueError(f"the first line is not {','.join(heading)}")
        for fields in rows:
            yield of(fields)
    except (ValueError, csv.Error) as error:
        raise RecordsError(f"{path}:{rows.line_num}: expected {expected}: {error}") from error


def _label(word: str) -> int:
    if not 0 <= (label := int(word)) < 2**31:
        raise ValueError(f"{word} is no label")
    return label


def find_labelled(labels: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
    """Which images have a label to be right about."""
    return np.array([bool(own) for own in labels], dtype=np.bool_)


def correct(rows: NDArray[np.void], labels: Sequence[Sequence[int]], k: int) -> NDArray[np.bool_]:
    """Whether a label of each image is among its `k` likeliest classes."""
    return among(rows["top5"][:, :k], labels)


def among(classes: NDArray[np.int32], labels: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
    """Whether a label of each image is among the classes `(n, k)` named for it."""
    most = max(map(len, labels), default=0)
    table = np.full((len(labels), max(1, most)), -2, dtype=np.int32)
    for place, own in enumerate(labels):
        table[place, : len(own)] = own
    hits = classes[:, :, None] == table[:, None, :]
    right: NDArray[np.bool_] = hits.any(axis=(1, 2))
    return right
