"""Sentences on code: which code both sides ran, how it differs, or that it does not."""

from __future__ import annotations

from collections.abc import Iterator

from cmx_bench.gate.verdict import Contrast, Package, Verdict
from cmx_bench.present.content import Fact
from cmx_bench.units import first_few, tally

_MOST_NAMES = 3


def nothing(verdict: Verdict) -> str:
    """Why nothing was compared: "2 models use the same code on both sides (…)"."""
    several = len(verdict.contrasts) > 1
    reasons = (
        f"against {contrast.against}: " * several + _sameness(contrast)
        for contrast in verdict.contrasts
    )
    return f"{'; '.join(reasons)}; with --expect-equal it is measured nevertheless"


def _sameness(contrast: Contrast) -> str:
    models = contrast.models
    uses = f"{tally(len(models), 'model')} use{'s' * (len(models) == 1)}"
    files = tally(sum(package.files for package in contrast.packages), "file")
    parts = [f"{uses} the same code on both sides ({files} and all versions are equal)"]
    if contrast.idle:
        parts.append(_idle(contrast))
    if contrast.not_run:
        verb, them = ("differs", "it") if len(contrast.not_run) == 1 else ("differ", "them")
        parts.append(f"{first_few(contrast.not_run, _MOST_NAMES)} {verb}, and no model uses {them}")
    return "; ".join(parts)


def _idle(contrast: Contrast) -> str:
    return f"no model uses a file of {' or of '.join(contrast.idle)}"


def facts(verdict: Verdict) -> Iterator[Fact]:
    """What differs, what is the same, what nobody knows, each in a line; and against which of
    several sides nothing was compared."""
    compared = {comparison.against for comparison in verdict.comparisons}
    for contrast in verdict.contrasts:
        several = f" ({contrast.against})" * (len(verdict.contrasts) > 1)
        left_out = bool(compared) and contrast.against not in compared
        lines = {
            "Nothing compared": _sameness(contrast) if left_out else "",
            "Code that differs": "; ".join(_differences(contrast)),
            "Same code": "; ".join(_same(contrast)),
            "Not in use": _idle(contrast) if contrast.idle else "",
            "Not known": "; ".join(_unknown(contrast)),
        }
        yield from (Fact(f"{term}{several}", text) for term, text in lines.items() if text)


def _differences(contrast: Contrast) -> Iterator[str]:
    for package in contrast.packages:
        if package.differing or _is_other_version(package):
            yield _difference(package)
    for name, (then, now) in contrast.facts.items():
        yield f"{name} {_value(then)}, now {_value(now)}"


def _difference(package: Package) -> str:
    """ "mypkg 1.0 → 1.1: 2 of 3 files (mypkg/net.py, mypkg/blocks.py)"."""
    old, new = package.versions
    version = f" {old} → {new}" if _is_other_version(package) else ""
    of_all = f"{len(package.differing)} of {tally(package.files, 'file')} in use"
    names = f" ({first_few(package.differing, _MOST_NAMES)})" if package.differing else ""
    return f"{package.name}{version}: {of_all}{names}{_places(package)}"


def _same(contrast: Contrast) -> Iterator[str]:
    """The packages of which nothing differs, and the models where only some have the same code."""
    packages = [
        f"{package.name} ({tally(package.files, 'file')}{_places(package)})"
        for package in contrast.packages
        if not package.differing and not _is_other_version(package)
    ]
    if packages:
        yield ", ".join(packages)
    if contrast.same and contrast.same != contrast.models:
        yield f"all that {' and '.join(contrast.same)} use{'s' * (len(contrast.same) == 1)}"


def _unknown(contrast: Contrast) -> Iterator[str]:
    for side, models in contrast.unknown.items():
        yield (
            f"what {' and '.join(models)} use{'s' * (len(models) == 1)} on the side of {side}: it "
            "failed there"
        )


def _is_other_version(package: Package) -> bool:
    old, new = package.versions
    return None not in package.versions and old != new


def _places(package: Package) -> str:
    """Where the files are from; nothing where both sides have them installed."""
    old, new = package.places
    if old == new:
        return "" if old in {None, "installed"} else f", from {old}"
    return f", from {old or 'nowhere'} and from {new or 'nowhere'}"


def _value(value: object) -> object:
    return "not set" if value is None else value
