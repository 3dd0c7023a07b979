"""Finds the code of `python:` models, by one rule for all processes of a run.

The working folder comes first, as it does for `python -m`, with one exception: a file there that is
called like a module of Python's, or of what this package is built on, would break the processes
that measure. So such modules are never taken from it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.metadata
import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from itertools import chain
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, TypeAlias

from packaging.requirements import Requirement

from cmx_bench.models import digest_of

# A variable of processes that look into the working folder last: the sides of `ab`, whose own
# modules must not be hidden by a folder that may be the other side's checkout.
LAST = "CMX_WORKING_FOLDER_LAST"
_LIBRARY = Path(sysconfig.get_path("stdlib"))
_INSTALLED = {"site-packages", "dist-packages"}
# The file that a model was built from, as seen from the working folder or from the one beside it
# that holds it: a report shows it, and must not show the user's own folders. And the SHA-256 of its
# content or, where it imports others of its folder, reads data, belongs to an installed package, or
# imports one, of all together: of packages that it imports their versions.
Origin: TypeAlias = Mapping[str, str]
_SETTINGS = (".json", ".yaml", ".yml", ".toml", ".ini", ".cfg")
_RECORDED = {"torch", "torchvision", "timm"}  # their versions are part of an environment
_OPENERS = ("torch.serialization.", "torch.hub.", "numpy.", "pandas.")  # for whoever calls them
_OF_THE_SYSTEM = tuple(map(Path, ("/proc", "/sys", "/dev", "/etc", "/usr", sys.prefix)))


def module_of(name: str) -> ModuleType:
    """The module that a user calls so, imported.

    Raises:
        ImportError: there is none, or the working folder has one that is hidden.
    """
    here = Path.cwd()
    first = LAST not in os.environ
    finders = [finder for finder in sys.meta_path if not isinstance(finder, _WorkingFolder)]
    before = [_WorkingFolder(here, True)] if first else []
    sys.meta_path[:] = [*before, *finders, _WorkingFolder(here, False)]
    with noting_reads():
        module = importlib.import_module(name)
    outer = name.partition(".")[0]
    mine = [file for _, file in _files([outer], here)]
    if first and mine and _is_needed(outer) and _file(sys.modules[outer]) not in mine:
        raise ImportError(
            f"{mine[0].relative_to(here)} in the working folder is called like a module that "
            f"Python or cmx-bench itself needs; rename it"
        )
    return module


class _WorkingFolder(MetaPathFinder):
    """Finds modules in the working folder: before all others, or after them."""

    def __init__(self, folder: Path, first: bool) -> None:
        self._folder, self._first = str(folder), first

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None:  # of a package, which knows where its modules are
            return None
        spec = PathFinder.find_spec(fullname, [self._folder])
        if spec is None or not self._first:
            return spec
        # A folder without code, such as data, hides no package of that name.
        return None if spec.loader is None or _is_needed(fullname) else spec


@cache
def _is_needed(name: str) -> bool:
    """Whether an outermost module is Python's, or belongs to what this package is built on."""
    if name in sys.stdlib_module_names or name == "cmx_bench":
        return True
    if PathFinder.find_spec(name) is None:  # which is quick to know, as owners are not
        return False
    owners = importlib.metadata.packages_distributions().get(name, [])
    return any(_plain(owner) in _built_on() for owner in owners)


@cache
def _built_on() -> frozenset[str]:
    """The names of the distributions that this one requires, and of those that they require."""
    known: set[str] = set()
    left = ["cmx-bench", "torch", "torchvision", "timm"]  # a checkout has no requirements
    while left:
        name = _plain(left.pop())
        if name not in known:
            known.add(name)
            with suppress(importlib.metadata.PackageNotFoundError):
                needs = importlib.metadata.requires(name) or []
                left += [Requirement(need).name for need in needs if "extra ==" not in need]
    return frozenset(known)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# --- the file that a model came from --------------------------------------------------------------


def origin(target: str) -> Origin:
    """What a `module:callable` was built from; nothing where it has no file, or where this process
    has not imported it."""
    name = target.partition(":")[0]
    if name not in sys.modules:
        return {}
    file, top = _file(sys.modules[name]), _file(sys.modules[name.partition(".")[0]])
    root = top.parent.parent if top.name == "__init__.py" else top.parent
    if not file.is_file():
        return {}
    others = _of_package(name, root) if _is_installed(root) else _collect_imports(name, root)
    files = sorted({file} | others)  # the file itself need not be a text
    digests = list(map(digest_of, files))
    lines = [
        f"{digest} {path.relative_to(root) if path.is_relative_to(root) else path.name}"
        for digest, path in zip(digests, files, strict=True)
    ]
    if not _is_installed(root):
        lines += _versions(files)
    whole = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    beside = Path.cwd() if file.is_relative_to(Path.cwd()) else root.parent
    return {
        "file": file.relative_to(beside).as_posix(),
        "sha256": digests[0] if len(lines) == 1 else whole,
    }


@dataclass(slots=True)
class _Noted:
    """The files of data that were opened to read, each with the file of the user's code that did;
    of Python's code the texts tell."""

    files: set[tuple[Path, Path]] = field(default_factory=set)
    is_on: bool = False

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Python calls this for whatever happens in this process."""
        if not self.is_on or not (path := opened_to_read(event, arguments)):
            return
        if not path.endswith((".py", ".pyc")):
            with suppress(OSError):  # the working folder is gone
                file = Path(os.path.abspath(path))  # noqa: PTH100  # links stay
                self.files.add((file, _opener(sys._getframe(1))))


@cache
def _noted() -> _Noted:
    """What this process has noted; no hook that sees files opened can be taken back."""
    noted = _Noted()
    sys.addaudithook(noted.see)
    return noted


@contextmanager
def noting_reads() -> Iterator[None]:
    """Within it the files that are read are part of what models are made of."""
    noted = _noted()
    before, noted.is_on = noted.is_on, True
    try:
        yield
    finally:
        noted.is_on = before


def opened_to_read(event: str, arguments: tuple[Any, ...]) -> str:
    """The path that an event of Python's tells of, where it opens a file only to read it."""
    if event != "open":
        return ""
    path, _, flags = arguments
    reads = isinstance(path, str) and flags & os.O_ACCMODE == os.O_RDONLY
    return path if reads else ""


def _opener(frame: FrameType | None) -> Path:
    """The file of the user's code that opens one, by itself or by what opens files for others; no
    path where an installed package does."""
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        module = f"{frame.f_globals.get('__name__')}."
        installed = _INSTALLED & {*file.parts}
        of_python = not file.is_absolute() or (file.is_relative_to(_LIBRARY) and not installed)
        if not of_python and not module.startswith(_OPENERS):
            return Path() if installed else file
        frame = frame.f_back
    return Path()


def _is_data(path: Path, opener: Path, root: Path) -> bool:
    """Whether a file is data of the code below `root`: that code opens it, or it lies there, in no
    hidden folder, where libraries keep what they find out."""
    if path.is_relative_to(root):
        is_hidden = any(part.startswith(".") for part in path.relative_to(root).parent.parts)
        is_data = not is_hidden or opener.is_relative_to(root)
    else:
        of_system = any(path.is_relative_to(place) for place in _OF_THE_SYSTEM)
        is_data = opener.is_relative_to(root) and not of_system
    return is_data and path.is_file()


def _file(module: ModuleType) -> Path:
    """The file of a module; the folder of one that has none."""
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    return Path(next(filter(None, places), ""))


def _is_installed(folder: Path) -> bool:
    return _INSTALLED & {*folder.parts} != set() or folder == _LIBRARY


def _of_package(name: str, root: Path) -> set[Path]:
    """The code and the settings of the installed package that a module belongs to: to follow what
    so many files import would take seconds in every process. Of what this package is built on the
    module alone, for a version says the rest."""
    top = name.partition(".")[0]
    if not (root / top).is_dir() or _is_needed(top):
        return {_file(sys.modules[name])}
    return {path for path in (root / top).rglob("*.*") if path.suffix in {".py", *_SETTINGS}}


def _collect_imports(name: str, root: Path) -> set[Path]:
    """The files below `root` of a module, of what its text imports, and of what that imports; with
    the data that they read."""
    kept = {path for path, opener in _noted().files if _is_data(path, opener, root)}
    left = dict(_files(_with_parents(name), root))
    while left:
        module, file = left.popitem()
        if file not in kept and not _is_needed(module.partition(".")[0]):
            kept.add(file)
            left |= _files(_names(module, file), root)
    return kept


def _names(module: str, file: Path) -> Iterator[str]:
    """All that a module's text may import: `a` and `a.b` where it imports `a.b`."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in _nodes(file):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(filter(None, (above, node.module)))
            for alias in node.names:
                yield from _with_parents(f"{base}.{alias.name}")
        elif isinstance(node, ast.Call) and (name := _find_import(node)):
            yield from _with_parents(name)
            yield from _with_parents(f"{package}.{name}" if package else name)


def _nodes(file: Path) -> Iterator[ast.AST]:
    """All that a module's text says; nothing where it is none that this Python can import."""
    with suppress(SyntaxError, ValueError):
        yield from ast.walk(ast.parse(file.read_bytes()))


def _versions(files: Iterable[Path]) -> Iterator[str]:
    """Name and version of each installed package that files import and that is called as its
    module; not of what this process has loaded, which differs from cell to cell."""
    outer: set[str] = set()
    for node in chain.from_iterable(map(_nodes, files)):
        if isinstance(node, ast.Import):
            outer |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            outer.add(str(node.module).partition(".")[0])
    for name in sorted(outer - _RECORDED - sys.stdlib_module_names):
        with suppress(importlib.metadata.PackageNotFoundError):
            yield f"{name} {importlib.metadata.version(name)}"


def _find_import(call: ast.Call) -> str:
    """The module that a call of `import_module` or `__import__` names; empty of others."""
    function = getattr(call.func, "attr", getattr(call.func, "id", ""))
    name = getattr(call.args[0], "value", None) if call.args else None
    if function not in {"import_module", "__import__"} or not isinstance(name, str):
        return ""
    return name.strip(".") if re.fullmatch(r"[\w.]+", name) else ""


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _files(names: Iterable[str], root: Path) -> Iterator[tuple[str, Path]]:
    """Of names of modules those that lie below a folder, with their files."""
    for name in dict.fromkeys(names):
        place = root.joinpath(*name.split("."))
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                yield name, file
