"""The code that models run on each side: from where, and what of it differs.

A gate on code that nobody runs would pass for ever. So a process of each side tells for each model
which files ran (worker/sources.py), and their contents are compared here.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

from cmx_bench.cell import Cell
from cmx_bench.execute import interpreters
from cmx_bench.execute.interpreters import Server
from cmx_bench.gate import pairs
from cmx_bench.gate.pairs import PairError
from cmx_bench.gate.verdict import Contrast, Package
from cmx_bench.results import checkouts, environment
from cmx_bench.results.records import Environment

LIBRARIES = "compiled libraries"
_INSTALLED = {"site-packages", "dist-packages"}
_PARTS = ("files", "imported", "libraries", "versions")
# What packages tell of themselves: a checkout's version is not the installed one.
_VERSIONS = ("torch", "timm", "cmx_bench")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a model ran on one side: paths and versions as `worker.sources` names them."""

    files: Mapping[str, str]
    imported: Mapping[str, str]
    libraries: Mapping[str, str]
    versions: Mapping[str, str]
    environment: Environment


# By the side's name and the model's.
RanBySide: TypeAlias = dict[str, dict[str, Ran]]


def trace(cell: Cell, base: Server, head: Server, by_side: RanBySide) -> None:
    """Has a fresh process of each side make the cell's model and run it once; `by_side` gets what
    ran. Of a side that fails it gets nothing: the measurement will say why."""
    order = {**pairs.describe(cell), "trace": True}
    for side in (base, head):
        with suppress(PairError):
            keep(by_side, side.name, cell, pairs.ask_once(side, order))


def keep(by_side: RanBySide, side: str, cell: Cell, answer: Mapping[str, Any]) -> None:
    """Adds what a process of a side tells of what ran."""
    of_side, model = by_side.setdefault(side, {}), cell.model.name
    parts = {part: answer["sources"][part] for part in _PARTS}
    more = Ran(environment=answer["environment"], **parts)
    of_side[model] = _whole([of_side[model], more]) if model in of_side else more


def contrast(by_side: RanBySide, paths: Mapping[str, str], models: Mapping[str, str]) -> Contrast:
    """What of the code that models ran differs between two sides.

    Args:
        paths: of the sides by their names, head last.
        models: labels of those that were to run, by their names.
    """
    sides = {
        side: {model: _below(ran, path) for model, ran in by_side.get(side, {}).items()}
        for side, path in paths.items()
    }
    base, head = sides.values()
    both = [model for model in models if model in base and model in head]
    same = [model for model in both if _is_same(base[model], head[model])]
    old, new = _whole([base[model] for model in both]), _whole([head[model] for model in both])
    return Contrast(
        against=next(iter(paths)),
        models=tuple(models.values()),
        same=tuple(models[model] for model in same),
        packages=_packages(old, new, [*paths.values()]),
        facts=_facts(old, new),
        unknown={
            side: silent for side, ran in sides.items()
            if (silent := tuple(label for model, label in models.items() if model not in ran))
        },
        idle=tuple(
            paths[side] for side, ran in sides.items()
            if ran and interpreters.is_checkout(paths[side]) and _is_idle(paths[side], ran.values())
        ),
        not_run=tuple(
            name for name in sorted(old.imported.keys() & new.imported.keys())
            if name not in old.files and name not in new.files
            and not _is_equal(old.imported[name], new.imported[name])
        ) if len(same) == len(models) else (),
        files={
            side: {models[model]: used.files for model, used in ran.items()}
            for side, ran in sides.items()
        },
    )  # fmt: skip


def _whole(ran: Sequence[Ran]) -> Ran:
    return Ran(
        *(
            {name: value for each in ran for name, value in getattr(each, part).items()}
            for part in (*_PARTS, "environment")
        )
    )


def _below(ran: Ran, side: str) -> Ran:
    """`ran` with files by their names in the side's checkout; without those that lie in no package
    and no checkout: what both sides read there is the same, or of a moment."""
    folder = f"{Path(side).resolve()}{os.sep}"
    files = {name.removeprefix(folder): path for name, path in ran.files.items()}
    inside = {name: path for name, path in files.items() if not Path(name).is_absolute()}
    return replace(ran, files=inside)


def _is_idle(checkout: str, ran: Iterable[Ran]) -> bool:
    folder, whole = Path(checkout).resolve(), _whole([*ran])
    every = chain(whole.files.values(), whole.libraries.values())
    return not any(Path(path).is_relative_to(folder) for path in every)


def _is_same(old: Ran, new: Ran) -> bool:
    common = old.versions.keys() & new.versions.keys()
    return not (
        _differing(old, new)
        or any(old.versions[package] != new.versions[package] for package in common)
        or _facts(old, new)
    )


def _differing(old: Ran, new: Ran) -> set[str]:
    """The names of what ran on either side and is not the same on both. Of a file that ran on one
    side alone it is enough that the other side could have run the same."""
    old_has, new_has = ({**ran.imported, **ran.libraries, **ran.files} for ran in (old, new))
    return {
        name for name in chain(old.files, old.libraries, new.files, new.libraries)
        if name not in old_has or name not in new_has
        or not _is_equal(old_has[name], new_has[name])
    }  # fmt: skip


@cache
def _is_equal(old: str, new: str) -> bool:
    """Whether two files have the same content; what cannot be read is not known to be the same."""
    try:
        return Path(old).samefile(new) or filecmp.cmp(old, new, shallow=False)
    except OSError:
        return False


def _facts(old: Ran, new: Ran) -> dict[str, tuple[Any, Any]]:
    """What else of the environments differs: the interpreter, variables, the device's switches."""
    differences = environment.differences(old.environment, new.environment)
    return {name: values for name, values in differences.items() if name not in _VERSIONS}


def _packages(old: Ran, new: Ran, paths: Sequence[str]) -> tuple[Package, ...]:
    """What ran by package, the packages with differences first."""
    differing = _differing(old, new)
    names: dict[str, set[str]] = {}
    for name in chain(old.files, new.files):
        names.setdefault(name.partition(os.sep)[0], set()).add(name)
    names[LIBRARIES] = {*old.libraries, *new.libraries}
    packages = [
        Package(
            package,
            len(of_it),
            tuple(sorted(of_it & differing)),
            (old.versions.get(package), new.versions.get(package)),
            (_place(old, of_it, paths[0]), _place(new, of_it, paths[1])),
        )
        for package, of_it in sorted(names.items())
        if of_it
    ]
    return tuple(sorted(packages, key=lambda package: not package.differing))


def _roots(ran: Ran, names: Iterable[str]) -> Iterator[Path]:
    """The folders in which what has these names was found, of what ran."""
    for name in names:
        if (path := ran.files.get(name, "")).endswith(name):
            yield Path(path.removesuffix(name))


def _place(ran: Ran, names: Iterable[str], side: str) -> str | None:
    """Where a side has a package from, in a few words; None where it ran nothing of it."""
    root = next(_roots(ran, names), None)
    return None if root is None else _shorten(root, side)


def _shorten(root: Path, side: str) -> str:
    """A folder in a few words: a page must not show where on a machine it lies."""
    if _INSTALLED & {*root.parts}:
        return "installed"
    for folder, name in ((Path(side), side), (Path.cwd(), ".")):
        if root.is_relative_to(folder.resolve()):
            return os.path.normpath(Path(name, root.relative_to(folder.resolve())))
    return f"…/{root.name}"


def describe(path: str, ran: Iterable[Ran], machine: Environment) -> str:
    """A side in a line: where it is, of which commits its code is, on what it runs."""
    whole = _whole([*ran])
    roots = {*_roots(whole, whole.files)}
    words = [path]
    if interpreters.is_checkout(path):
        folder = Path(path).resolve()
        roots = {root for root in roots if not root.is_relative_to(folder)}
        words += [checkouts.describe(commit) for commit in [checkouts.commit_of(folder)] if commit]
    commits = {_shorten(root, path): checkouts.commit_of(root) for root in sorted(roots)}
    others = [
        f"{place} at {checkouts.describe(is_at)}" for place, is_at in commits.items() if is_at
    ]
    on = environment.describe(machine) if machine else "nothing ran"
    return f"{', '.join(words)}: {', '.join([on, *others])}"


def name_side(path: str) -> str:
    """A side as a title has it: a checkout with its commit."""
    commit = checkouts.commit_of(Path(path)) if interpreters.is_checkout(path) else None
    return f"{path} ({commit})" if commit else path
