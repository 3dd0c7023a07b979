"""The files of users and runs: read whatever wrote them, replaced at once or not at all.

A run's folder may be a stranger's: nothing in it is followed to elsewhere, and nothing is read that
has no end.
"""

from __future__ import annotations

import errno
import glob
import io
import json
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import BinaryIO, Literal

from cmx_bench.errors import CmxError, RecordsError
from cmx_bench.units import escape

# Larger files are refused before they are read: 4,000 cells of ten records make some 60 MB.
LARGEST = 256 * 2**20  # bytes
_DEEPEST = 100  # folders within each other


def within(folder: Path, name: str) -> Path:
    """A path inside a folder that may be a stranger's, whether there is a file or not.

    Raises:
        RecordsError: it leads out of the folder, a part of it is a link, or it is neither a file
            nor a folder.
    """
    path = folder
    for part in PurePath(name).parts:
        path /= part
        if part == ".." or path.parent == path:
            raise RecordsError(f"{escape(name)}: leads out of {folder}")
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:  # no access, or a zero byte
            reason = error.strerror if isinstance(error, OSError) else error
            raise RecordsError(f"{escape(str(path))}: cannot be read: {reason}") from error
        if stat.S_ISLNK(mode):
            raise RecordsError(f"{path}: is a link, and none is followed here; remove it")
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise RecordsError(f"{path}: is neither a file nor a folder; remove it")
    return path


def walk(
    folder: Path, refuse: Callable[[OSError], object] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Each folder from this one on, with the names of the folders and the files in it, as `os.walk`
    gives them; no link is followed.

    Args:
        refuse: is given the error of each folder that cannot be read.

    Raises:
        RecordsError: folders lie over `_DEEPEST` deep within each other.
    """
    for name, folders, files in os.walk(folder, onerror=refuse):
        place = Path(name)
        if len(place.relative_to(folder).parts) > _DEEPEST:
            raise RecordsError(f"{place}: lies over {_DEEPEST} folders deep; remove it")
        yield place, folders, files


def files_below(folder: Path) -> list[Path]:
    """All in a folder and those below that is no folder, in the order of the names.

    Raises:
        RecordsError: folders lie over `_DEEPEST` deep within each other.
    """
    paths = list[Path]()
    for place, folders, files in walk(folder):
        paths += [place / name for name in files]
        paths += [link for name in folders if (link := place / name).is_symlink()]
    return sorted(paths)


def open_file(path: Path, largest: int = LARGEST) -> BinaryIO:
    """A file to read, which has an end.

    Raises:
        OSError: it is not there, is a pipe or a device, or has more than `largest` bytes.
    """
    file = _regular(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if (size := os.fstat(file.fileno()).st_size) > largest:
        file.close()
        raise OSError(errno.EINVAL, f"it has {size:,} bytes; expected {largest:,} at most")
    return file


def appending(path: Path, buffering: int = -1) -> BinaryIO:
    """A file to append to, made where there is none.

    Args:
        buffering: as of `open`.

    Raises:
        OSError: it cannot be written, or is a link, a pipe or a device.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return _regular(os.open(path, flags, 0o666), "ab+", buffering)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link; remove it") from None
        raise


def _regular(descriptor: int, mode: str, buffering: int = -1) -> BinaryIO:
    if not stat.S_ISREG(mode_of_file := os.fstat(descriptor).st_mode):
        os.close(descriptor)
        what = "a folder" if stat.S_ISDIR(mode_of_file) else "no regular file"
        raise OSError(errno.EINVAL, f"it is {what}")
    return os.fdopen(descriptor, mode, buffering)  # type: ignore[return-value]


def folder_of_user(kind: Literal["cache", "state"]) -> Path:
    """Where this user's programs keep what can be made again, or what they know between runs.

    Raises:
        CmxError: the user has no home.
    """
    import platformdirs  # not needed where nothing is kept

    try:
        of_kind = {"cache": platformdirs.user_cache_path, "state": platformdirs.user_state_path}
        folder = of_kind[kind]("cmx-bench", appauthor=False)
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():
        raise CmxError(f"this user has no home; set HOME, or XDG_{kind.upper()}_HOME, to a folder "
                       f"that can be written")  # fmt: skip
    return folder


@contextmanager
def reading(path: Path, refuse: type[CmxError]) -> Iterator[None]:
    """Says of a file that is read inside the context why it cannot be.

    Raises:
        refuse: it cannot.
    """
    try:
        yield
    except OSError as error:
        raise refuse(f"{path}: cannot be read: {error.strerror}") from error


def bytes_of(path: Path, refuse: type[CmxError], largest: int = LARGEST) -> bytes:
    """The content of a file.

    Raises:
        refuse: it cannot be read, or has more than `largest` bytes.
    """
    with reading(path, refuse), open_file(path, largest) as file:
        return file.read()


def text_of(path: Path, refuse: type[CmxError], largest: int = LARGEST) -> str:
    """The text of a file in UTF-8, whose byte order mark is left out; every line ends with `\\n`.

    Raises:
        refuse: it cannot be read, has more than `largest` bytes, or is no UTF-8; the text names
            the file, and the line.
    """
    content = bytes_of(path, refuse, largest)
    try:
        with io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig") as text:
            return text.read()
    except UnicodeDecodeError as error:
        line, byte = error.object.count(b"\n", 0, error.start) + 1, error.object[error.start]
        raise refuse(
            f"{path}:{line}: the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
        ) from error


_SURROGATES = re.compile("[\ud800-\udfff]+")


def json_of(value: object, indent: int | None = None) -> str:
    """A line of JSON, or lines, that every reader takes: bytes of a file's name that are no UTF-8,
    and other halves of characters, are text in it (`units.escape`).

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent)
    return _SURROGATES.sub(lambda match: json.dumps(escape(match[0]))[1:-1], text) + "\n"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Says of a file or a folder that is written inside the context why it cannot be.

    Raises:
        RecordsError: it cannot.
    """
    try:
        yield
    except OSError as error:
        is_no_folder = isinstance(error, FileExistsError)  # where one is to be made
        reason = "it is no folder" if is_no_folder else error.strerror
        raise RecordsError(f"{path}: cannot be written: {reason}") from error


def refuse_unwritable(folder: Path) -> None:
    """Refuses a folder that cannot be there, before what takes long is done for it.

    Raises:
        RecordsError: what it would lie in is no folder, or may not be written.
    """
    with writing(folder):
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not there.is_dir():
            raise FileExistsError
        Path(tempfile.mkdtemp(dir=there)).rmdir()


_DRAFT = re.compile(r"\.(\d{1,9})-[0-9a-f]{8}\.part")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A draft to write, which takes the file's place at the end; where that fails, it is removed,
    and where its process was killed, by the next.

    No link is written through: the draft is new, and a link in the file's place is replaced.
    """
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        if named := _DRAFT.fullmatch(left.name.removeprefix(path.name)):
            import psutil  # needed only where something was killed

            if not psutil.pid_exists(int(named[1])):
                left.unlink(missing_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """Replaces the content of a file; text is written as UTF-8.

    Raises:
        RecordsError: it cannot be written.
    """
    with writing(path), replacing(path) as draft:
        draft.write_bytes(
            content if isinstance(content, bytes) else content.encode(errors="backslashreplace")
        )
