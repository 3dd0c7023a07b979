"""What lies in a folder or a tar of images: each image with the folders above it, in timm's order,
and what is passed over."""

from __future__ import annotations

import os
import re
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from threading import Lock

from cmx_bench.datasets import key_of
from cmx_bench.errors import DataError
from cmx_bench.units import tally

SUFFIXES = (".png", ".jpg", ".jpeg")  # those that timm reads
# Hidden names, and those of what systems and programs leave next to a user's images.
_HIDDEN = re.compile(r"\..*|__MACOSX|@eaDir|lost\+found")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class File:
    """An image: its path from the root, the folders in that, how to read it."""

    path: str
    folders: tuple[str, ...]
    read: Callable[[], bytes]


@dataclass(slots=True)
class Tree:
    """What lies below `root`. `folders` are all of them, the empty ones too, each as its path's
    parts; `others` are files that are no images by their suffix, `loops` links to folders above
    them, `linked` images that are links to others of them, `targets` the files behind links."""

    root: Path
    images: list[File] = field(default_factory=list)
    folders: set[tuple[str, ...]] = field(default_factory=set)
    others: list[str] = field(default_factory=list)
    hidden: int = 0
    loops: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    targets: set[Path] = field(default_factory=set)

    def add(self, path: str, folders: tuple[str, ...], read: Callable[[], bytes]) -> None:
        """Adds a file."""
        if PurePosixPath(path).suffix.lower() in SUFFIXES:
            self.images.append(File(path, folders, read))
        else:
            self.others.append(path)

    def told(self, aside: tuple[str, ...]) -> str:
        """How many images there are and which other files were passed over, in words.

        Args:
            aside: names of files that were read, and are no images.
        """
        others = [path for path in self.others if path not in aside]
        suffixes = Counter(PurePosixPath(path).suffix.lower() or "no suffix" for path in others)
        shown = ", ".join(sorted(suffixes)[:_SHOWN]) + (", …" if len(suffixes) > _SHOWN else "")
        parts = [tally(len(self.images), "image")]
        if others:
            files = tally(len(others), "file of another kind", "files of other kinds")
            parts.append(f"{files} passed over ({key_of(shown)})")
        if self.hidden:
            parts.append(f"{tally(self.hidden, 'hidden entry', 'hidden entries')} passed over")
        if self.loops:
            links = tally(len(self.loops), "link to a folder above it", "links to folders above")
            parts.append(f"{links} passed over ({key_of(min(self.loops))})")
        if self.linked:
            links = tally(len(self.linked), "image that is a link", "images that are links")
            parts.append(f"{links} to others of them ({key_of(min(self.linked))})")
        return ", ".join(parts)


def read(root: Path) -> Tree:
    """What lies in a folder, or in a `.tar`, the tars in that included.

    Raises:
        DataError: it cannot be read, holds no image, or one folder twice.
    """
    tree = Tree(root)
    try:
        if root.is_dir():
            _of_folder(tree, root, root.resolve(), (), {})
        elif root.suffix == ".tar":
            _of_tar(tree, tarfile.TarFile(root), (), Lock())
        else:
            raise DataError(f"{root}: expected a folder or a .tar of images; unpack any other "
                            f"archive")  # fmt: skip
    except (OSError, tarfile.TarError) as error:
        hint = "; if it is compressed, unpack it" if isinstance(error, tarfile.TarError) else ""
        raise DataError(f"{root}: cannot be read: {error}{hint}") from error
    if not tree.images:
        kinds = ", ".join(SUFFIXES)
        raise DataError(f"{root}: no images found in it; expected files {kinds} in a folder for "
                        f"each class ({tree.told(())})")  # fmt: skip
    once = {image.path: image for image in tree.images}  # a tar may hold a file's later versions
    tree.images = sorted(once.values(), key=lambda image: natural_order(image.path))
    return tree


def natural_order(text: str) -> tuple[list[int | str], str]:
    """timm's `natural_key`, by which 2 comes before 10; that raises an error for "²", and leaves it
    to chance in which order names come that differ in capitals alone."""
    parts = re.split(r"(\d+)", text.lower())
    return [int(part) if part.isdecimal() else part for part in parts], text


def _of_folder(
    tree: Tree, folder: Path, real: Path, above: tuple[str, ...], entered: dict[Path, str]
) -> None:
    """Adds what lies in a folder; `real` is its path without links, `entered` those so far."""
    path = "/".join(above)
    if real in entered:
        raise DataError(f"{tree.root}: {key_of(entered[real])} and {key_of(path)} are the same "
                        f"folder, and its images would count twice; take one away")  # fmt: skip
    entered[real] = path
    root = next(iter(entered))
    is_linked = not real.is_relative_to(root)
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            parts = (*above, entry.name)
            if _HIDDEN.fullmatch(entry.name):
                tree.hidden += 1
            elif _is_file(entry):
                tree.add("/".join(parts), above, Path(entry.path).read_bytes)
                if is_linked or entry.is_symlink():
                    _note_link(tree, "/".join(parts), Path(os.path.realpath(entry.path)), root)
            elif not entry.is_dir():  # a pipe, a socket, a device
                tree.others.append("/".join(parts))
            else:
                target = Path(entry.path).resolve() if entry.is_symlink() else real / entry.name
                if real.is_relative_to(target) or root.is_relative_to(target):
                    tree.loops.append("/".join(parts))
                    continue
                tree.folders.add(parts)
                _of_folder(tree, Path(entry.path), target, parts, entered)


def _note_link(tree: Tree, path: str, target: Path, root: Path) -> None:
    """Notes a file that counts once more under another name."""
    is_image = PurePosixPath(path).suffix.lower() in SUFFIXES
    if is_image and (target in tree.targets or target.is_relative_to(root)):
        tree.linked.append(path)
    tree.targets.add(target)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a link to nothing or to itself, which is one that cannot be read."""
    return entry.is_file(follow_symlinks=False) or (
        entry.is_symlink() and (Path(entry.path).is_file() or not Path(entry.path).exists())
    )


def _of_tar(tree: Tree, tar: tarfile.TarFile, above: tuple[str, ...], lock: Lock) -> None:
    """Adds what lies in a tar; of a tar in it, as if that had been unpacked into a folder of its
    name."""
    for member in tar:
        path = PurePosixPath(*above, member.name.lstrip("/"))
        if any(_HIDDEN.fullmatch(part) for part in path.parts):
            tree.hidden += 1
            continue
        folders = path.parts if member.isdir() else path.parts[:-1]
        tree.folders.update(folders[: depth + 1] for depth in range(len(folders)))
        if member.isfile() and path.suffix.lower() == ".tar":
            inner = tarfile.TarFile(fileobj=tar.extractfile(member))
            _of_tar(tree, inner, (*folders, path.stem), lock)
        elif not member.isdir():
            tree.add(str(path), folders, partial(_member, tar, member, lock))
    # Python takes whatever follows a file and is no header of another for the end of a tar; there
    # it has zeros.
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it is damaged or cut off")
    while rest := tar.fileobj.read(tarfile.RECORDSIZE):
        if any(rest):
            raise DataError(f"{tree.root}: more follows after its end, as where two tars were "
                            f"written one behind the other; unpack both")  # fmt: skip


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo, lock: Lock) -> bytes:
    """A file of a tar, whose position in the archive all readers share."""
    with lock:
        file = tar.extractfile(member)
        if file is None:
            raise OSError("is no file")
        return file.read()
