"""Finds what a process uses to make and measure a model: files of code, files of data, libraries.

A module may be imported for others' sake (timm is, whatever model is built), so that what counts
is what ran. Places and versions are told and no contents: who asks compares the files.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import FrameType
from typing import Any

from cmx_bench.measures import jiffies
from cmx_bench.models.importing import opened_to_read

_OF_THE_SYSTEM = ("/proc/", "/sys/", "/dev/")
_PREFIXES = (sys.prefix, sys.base_prefix)
_LIBRARY = tuple(f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib"))
_INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")
# Modules as Python keeps them for itself, and what was noted when packages were installed, such as
# the hashes of scripts that name their environment.
_BOOKKEEPING = re.compile(r"\.pyc$|\.(dist|egg)-info[/\\]")


@dataclass(slots=True)
class Traced:
    """What ran, as names of modules with the files that their code names, and what was opened."""

    ran: set[tuple[str, str]] = field(default_factory=set)
    read: set[str] = field(default_factory=set)


@contextmanager
def tracing() -> Iterator[Traced]:
    """Notes whose code runs, and which files Python opens to read. Once a process: no hook that
    sees files opened can be taken back."""
    noted = Traced()
    is_over = False

    def see_call(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            noted.ran.add((frame.f_globals.get("__name__", ""), frame.f_code.co_filename))

    def see_event(event: str, arguments: tuple[Any, ...]) -> None:
        if not is_over and (path := opened_to_read(event, arguments)):
            noted.read.add(path)

    sys.addaudithook(see_event)
    threading.setprofile(see_call)
    sys.setprofile(see_call)
    try:
        yield noted
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        is_over = True


def describe(noted: Traced) -> dict[str, Any]:
    """What was traced, as plain data.

    `files` are what ran or was read, `imported` all modules, `libraries` the compiled code that is
    loaded, the interpreter among it: paths, by names that are the same wherever a package lies;
    what lies in no package has its whole path for a name. `versions` are those of the packages that
    ran. Of Python's own library nothing is told: its version says it.
    """
    modules = _modules()
    names = {path: _name(module, path) for module, path in modules.items()}
    roots = _roots(names)
    ran = {path for module, file in noted.ran for path in (modules.get(module), _file(file))}
    read = {_file(path) for path in noted.read if not _BOOKKEEPING.search(path)} - names.keys()
    files = {path for path in ran | read if path and not _is_pythons(path)}
    libraries = {path for path in _libraries() if not _is_pythons(path)}
    packages = {module.partition(".")[0] for module, _ in noted.ran if module in modules}
    return {
        "files": {names.get(path) or _below(roots, path): path for path in sorted(files)},
        "imported": {name: path for path, name in names.items()},
        "libraries": {_below(roots, path): path for path in sorted(libraries)},
        "versions": {name: version for name in sorted(packages) if (version := _version(name))},
    }


def _modules() -> dict[str, str]:
    """The file of each imported module that has one and is not Python's own."""
    places = {
        name: _file(path) for name, module in list(sys.modules.items())
        if isinstance(path := getattr(module, "__file__", None), str) and name != "__main__"
    }  # fmt: skip
    return {name: path for name, path in places.items() if path and not _is_pythons(path)}


def _file(path: str) -> str | None:
    """The whole path of a file, of the archive for what lies in one; None where there is none."""
    whole = Path(path).absolute()
    while not whole.is_file():
        if whole.is_dir():
            return None
        whole = whole.parent
    return None if str(whole).startswith(_OF_THE_SYSTEM) else str(whole)


def _is_pythons(path: str) -> bool:
    return path.startswith(_LIBRARY) and not _INSTALLED.search(path)


def _name(module: str, path: str) -> str:
    """`timm/models/convmixer.py`: where a module lies, seen from where its package was found."""
    *packages, last = module.split(".")
    file = Path(path).name
    return str(Path(*packages, *([last] if file.startswith("__init__.") else []), file))


def _roots(names: Mapping[str, str]) -> list[str]:
    """The folders that modules and libraries may have been found in, the longest first."""
    found_in = {path.removesuffix(name) for path, name in names.items() if path.endswith(name)}
    given = {f"{Path(place).absolute()}{os.sep}" for place in (*sys.path, *_PREFIXES) if place}
    return sorted(found_in | given, key=len, reverse=True)


def _below(roots: Sequence[str], path: str) -> str:
    return next((path.removeprefix(root) for root in roots if path.startswith(root)), path)


def _libraries() -> set[str]:
    """The files of compiled code that this process has loaded, the interpreter among them: by what
    Linux says, elsewhere the extension modules."""
    paths = {
        path for module in list(sys.modules.values())
        if (path := getattr(module, "__file__", None)) and path.endswith(tuple(EXTENSION_SUFFIXES))
    }  # fmt: skip
    lines = jiffies.system_text(Path("/proc/self/maps")).splitlines()
    mapped = [line.split(maxsplit=5) for line in lines]  # addresses, rights, …, path
    paths |= {fields[5] for fields in mapped if len(fields) == 6 and "x" in fields[1]}
    return {path for path in map(_file, paths) if path}


def _version(package: str) -> str | None:
    """What a package says itself, for a checkout's comes first; else what was installed says."""
    said = getattr(sys.modules.get(package), "__version__", None)
    if said is not None:
        return str(said)
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return None
