"""Sweeps: an entry with a list where one value is expected stands for an entry for each value.

The result is the suite that names every variant by hand, and its reader knows nothing of sweeps.
Each value keeps the place of its element in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import TypeAlias, cast

from cmx_bench.cell import Scalar, spell
from cmx_bench.designs import FAMILIES
from cmx_bench.errors import MOST_OF_A_QUOTE, SuiteError, cut, nearest, quote
from cmx_bench.spec.document import Document, Location, Value, Variant
from cmx_bench.spec.model_entries import SOURCES
from cmx_bench.spec.schema import MOST_ITEMS, kind

Entry: TypeAlias = dict[str, Value]
_Value: TypeAlias = Scalar | Sequence[Scalar]
_SCALAR = (str, int, float, bool)

# Where lists of entries stand, and what an entry stands for.
_LISTS: Mapping[Location, str] = {
    ("models",): "models",
    ("settings", "cuda"): "settings",
    ("settings", "cpu"): "settings",
}
# What stands before a value in a name, as in keys of settings; other keys are written out.
_SHORT = {
    "kernel_size": "k", "patch_size": "p", "batch_size": "b", "image_size": "r", "threads": "t",
    "precision": "", "layout": "",
}  # fmt: skip


def expand(source: Document) -> Document:
    """The document with an entry for each variant in place of a swept one, in the order of the
    values; of two swept keys the first changes last.

    Raises:
        SuiteError: a sweep has no value, one twice or one that is a list itself, stands for too
            many entries, or its name does not tell these apart.
    """
    for where, what in _LISTS.items():
        source = _expand(source, where, what)
    return source


@dataclass(frozen=True, slots=True)
class _Sweep:
    """An entry with lists, `swept` by their place in it; `location` is its own in `source`."""

    source: Document
    location: Location
    entry: Entry
    swept: Mapping[Location, Sequence[Value]]

    @property
    def size(self) -> int:
        return prod(len(values) for values in self.swept.values())

    def error(self, inside: Location, message: str) -> SuiteError:
        """The error to raise about the value at a place in the entry."""
        return self.source.error((*self.location, *inside), message)


def _expand(source: Document, where: Location, what: str) -> Document:
    entries = source.value
    for key in where:
        entries = entries.get(str(key)) if isinstance(entries, dict) else None
    if not isinstance(entries, list):
        return source
    expanded: list[Value] = []
    variants: list[Variant] = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not (swept := _find_swept(entry, what)):
            expanded.append(entry)
            variants.append((index, {}))
            continue
        sweep = _Sweep(source, (*where, index), entry, swept)
        _refuse_values(sweep)
        _refuse_shared_weights(sweep)
        if (count := len(variants) + sweep.size) > MOST_ITEMS:
            raise sweep.error(
                (), f"with this sweep there are {count:,} {what}; expected at most {MOST_ITEMS:,}"
            )
        for places in product(*(range(len(values)) for values in swept.values())):
            chosen = dict(zip(swept, places, strict=True))
            expanded.append(_variant(sweep, chosen))
            variants.append((index, chosen))
    value = _with(source.value, where, expanded)
    return replace(source, value=value, variants={**source.variants, where: variants})


def _with(value: Value, where: Location, part: Value) -> Value:
    if not where:
        return part
    assert isinstance(value, dict)
    return value | {str(where[0]): _with(value[str(where[0])], where[1:], part)}


def _find_swept(entry: Entry, what: str) -> dict[Location, list[Value]]:
    """The lists in an entry that stand where one value is expected, by their place in it."""
    if what == "settings":
        return {(key,): value for key, value in entry.items()
                if key != "name" and isinstance(value, list)}  # fmt: skip
    if "match" in entry:
        return {}
    return {
        (source, key): value
        for source in (*FAMILIES, "args")
        if isinstance(arguments := entry.get(source), dict)
        for key, value in arguments.items()
        if isinstance(value, list)
    }


def _refuse_values(sweep: _Sweep) -> None:
    for inside, values in sweep.swept.items():
        key = cut(str(inside[-1]), MOST_OF_A_QUOTE)
        if not values:
            raise sweep.error(inside, f"{key}: expected a value or several to sweep, got none")
        before: set[str] = set()
        for index, value in enumerate(values):
            _refuse_value(sweep, (*inside, index), value)
            if (text := repr(value)) in before:
                twice = f"{key}: {cut(str(value), MOST_OF_A_QUOTE)} is given twice"
                advice = "a list stands for an entry for each value, so keep one"
                raise sweep.error((*inside, index), f"{twice}; {advice}")
            before.add(text)


def _refuse_value(sweep: _Sweep, inside: Location, value: Value) -> None:
    """A value is a scalar or, of `args`, a list of scalars."""
    takes_lists = inside[0] == "args"
    items: dict[Location, Value] = {inside: value}
    if takes_lists and isinstance(value, list):
        if not 1 <= len(value) <= MOST_ITEMS:
            raise sweep.error(
                inside, f"a list in a sweep has 1 to {MOST_ITEMS:,} items; got {len(value):,}"
            )
        items = {(*inside, place): item for place, item in enumerate(value)}
    for place, item in items.items():
        if not isinstance(item, _SCALAR):
            key = cut(str(inside[-2]), MOST_OF_A_QUOTE)
            lists = ", or lists of these" if takes_lists else ""
            swept = f"{key}: a list is a sweep over numbers, text, true or false{lists}"
            raise sweep.error(place, f"{swept}; got {kind(item)} in it")


def _refuse_shared_weights(sweep: _Sweep) -> None:
    """Of a family no weights fit two variants; those of timm may fit others of its arguments."""
    weights = sweep.entry.get("weights")
    families = [inside for inside in sweep.swept if inside[0] in FAMILIES]
    if families and isinstance(weights, str) and not _PATTERN.search(weights):
        key = cut(str(families[0][-1]), MOST_OF_A_QUOTE)
        raise sweep.error(
            ("weights",),
            f"weights: each variant of a sweep has its own; put {{{key}}} into the file's name, "
            f"or leave weights out and give --weights MODEL=FILE",
        )


def _variant(sweep: _Sweep, chosen: Mapping[Location, int]) -> Entry:
    """The entry that has the values at these places, with a name of its own."""
    entry: Entry = {
        key: dict(value) if isinstance(value, dict) else value for key, value in sweep.entry.items()
    }
    given: dict[str, _Value] = {}
    for (*above, key), place in chosen.items():
        part = entry[str(above[0])] if above else entry
        value = sweep.swept[*above, key][place]
        assert isinstance(part, dict)
        part[str(key)] = value
        given[str(key)] = cast("_Value", value)  # see `_refuse_value`
    if any(inside[0] == "args" for inside in chosen) and not {*SOURCES} & entry.keys():
        entry["timm"] = sweep.entry.get("name")  # a timm name is enough
    texts: Entry = {
        key: _fill(sweep, key, text, given)
        for key in ("name", "label", "weights")
        if isinstance(text := entry.get(key), str)
    }
    if "python" in entry and isinstance(name := entry.get("name"), str):
        # One's own model is a family by its name: its variants are one family, not one each.
        entry.setdefault("family", _PATTERN.sub("", name).strip("-_.") or name)
    return entry | texts


# --- names ----------------------------------------------------------------------------------------

_MOST_OF_A_LIST = 200
_PATTERN = re.compile(r"\{([^{}]*)\}")


def _fill(sweep: _Sweep, key: str, text: str, given: Mapping[str, _Value]) -> str:
    """A name, a label or weights of the variant with these values.

    `{kernel_size}` in it stands for a value; to a name or a label without any all are added.
    """
    words = _PATTERN.findall(text)
    for word in words:
        if word not in given:
            raise sweep.error(
                (key,),
                f"{key}: {quote('{' + word + '}')} is not swept{nearest(word, given)} "
                f"(swept: {cut(', '.join(given), _MOST_OF_A_LIST)})",
            )
    if key != "weights" and not words:
        return text + "".join(_spell_values(key, given))
    if key != "weights" and (left := [name for name in given if name not in words]):
        first = cut(left[0], MOST_OF_A_QUOTE)
        raise sweep.error((key,), f"{key}: does not tell variants apart; add {{{first}}} to it")
    return _PATTERN.sub(lambda word: _text(given[word[1]], key), text)


def _spell_values(key: str, given: Mapping[str, _Value]) -> Iterator[str]:
    """What each value adds to a name, `-k3`, or to a label, ` k3`: by alphabet, so that a name does
    not depend on the order of keys."""
    for argument in sorted(given):
        text, short = _text(given[argument], key), _SHORT.get(argument)
        if short is not None:
            yield ("-" if key == "name" else " ") + short + text
        elif key == "name":
            number = type(given[argument]) in (int, float)
            yield f"-{argument}{'' if number else '_'}{text}"
        else:
            yield f" {argument} {text}"


def _text(value: _Value, key: str) -> str:
    """A value as YAML writes it; in a name without what names do not hold."""
    text = spell(value)
    return re.sub(r"[^A-Za-z0-9_.\-]+", "_", text) if key == "name" else text
