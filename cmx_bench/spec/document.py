"""YAML text as plain values, each with the line and column it came from.

YAML 1.2's core rules decide what a plain word is: `on`, `off`, `yes` and `no` are text, `1e1` is a
number, `true` and `false` are the only booleans. Duplicate keys, tags and merge keys are errors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, TypeAlias

import yaml

from cmx_bench.errors import MOST_OF_A_QUOTE, SuiteError, cut, quote
from cmx_bench.spec import disk

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"
Location: TypeAlias = tuple[str | int, ...]
Variant: TypeAlias = tuple[int, Mapping[Location, int]]

# A suite of a thousand models has 100 kB and some ten thousand values; an alias bomb has billions.
MOST_BYTES = 2**18
MOST_VALUES = 100_000
DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its values, and where each key and value stands (1-based line, column).

    `options` has the option of the command line for each value that no file holds. Without a file
    `path` is a name in the working folder at which there is nothing. An entry of `value` may be a
    variant of an entry in the file (see `sweeps`). For the place of such a list `variants` has a
    pair for each of its entries: the number of the entry in the file, and which element it took of
    each list in there.
    """

    path: Path
    value: Value
    marks: Mapping[Location, tuple[int, int]]
    lines: tuple[str, ...]
    options: Mapping[Location, str] = field(default_factory=dict)
    variants: Mapping[Location, Sequence[Variant]] = field(default_factory=dict)

    def has(self, location: Location) -> bool:
        """Whether a value is written there, in the file or on the command line."""
        return self._in_file(location) in self.marks or location in self.options

    def _in_file(self, location: Location) -> Location:
        """Where the file has what stands at a place of `value`."""
        for where, variants in self.variants.items():
            size = len(where)
            number = location[size] if location[:size] == where != location else None
            if not isinstance(number, int) or number >= len(variants):
                continue
            (own, chosen), inside = variants[number], location[size + 1 :]
            for depth in (1, 2):  # a key of a setting, an argument of a model
                if inside[:depth] in chosen and inside[depth:] != ("<key>",):
                    inside = (*inside[:depth], chosen[inside[:depth]], *inside[depth:])
            return *where, own, *inside
        return location

    def error(self, location: Location, message: str, inside: str = "") -> SuiteError:
        """The error to raise about the value at `location`, or about its nearest known parent.

        Args:
            inside: the part of a text that stands before the mistake in it.
        """
        while location and not self.has(location):
            location = location[:-1]
        if location in self.options:
            return SuiteError(f"{self.options[location]}: {message}")
        line, column = self.marks[self._in_file(location)]
        if inside:  # the column behind it, if the file writes it as it is
            written = self.lines[line - 1][column - 1 :]
            quote = written[:1] if written[:1] in ("'", '"') else ""
            column += len(quote + inside) * written.startswith(quote + inside)
        return SuiteError(f"{self.path}:{line}:{column}: {message}")


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the implicit types of YAML 1.2's core schema. It is the one in Python:
    older ones in C (libyaml) end the process where brackets are nested a hundred thousand deep."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}  # type: ignore[misc]


_TAG = "tag:yaml.org,2002:"
# What a plain word looks like that is no text, with what it may begin, and how it is read.
_PLAIN: dict[str, tuple[str, list[str], Callable[[str], Value]]] = {
    f"{_TAG}bool": (r"true|True|TRUE|false|False|FALSE", [*"tTfF"], lambda t: t.lower() == "true"),
    f"{_TAG}int": (r"[-+]?[0-9]+", [*"-+0123456789"], int),
    f"{_TAG}float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", [*"-+.0123456789"], float
    ),
    f"{_TAG}null": (r"~|null|Null|NULL|", [*"~nN", ""], lambda _: None),
}  # fmt: skip
_PATTERNS = {tag: re.compile(rf"^(?:{pattern})\Z") for tag, (pattern, *_) in _PLAIN.items()}
for _tag, (_pattern, _first, _read) in _PLAIN.items():
    _Loader.add_implicit_resolver(_tag, _PATTERNS[_tag], _first)

_SCALARS: dict[str, Callable[[str], Value]] = {
    f"{_TAG}str": str, **{tag: read for tag, (*_, read) in _PLAIN.items()}
}  # fmt: skip

# What nothing computes with: a whole number of more than 64 bits, one that is not finite.
_LARGEST = {f"{_TAG}int": 2.0**63, f"{_TAG}float": math.inf}

_TAGS: dict[type[yaml.Node], Collection[str]] = {
    yaml.ScalarNode: _SCALARS,
    yaml.SequenceNode: (f"{_TAG}seq",),
    yaml.MappingNode: (f"{_TAG}map",),
}


def read(path: Path) -> Document:
    """The YAML file at `path`.

    Raises:
        SuiteError: the file cannot be read, is not UTF-8 or not YAML, repeats a key, uses a
            foreign tag, is larger than `MOST_BYTES`, or expands to more than `MOST_VALUES` values
            or `DEEPEST` levels.
    """
    text = disk.text_of(path, SuiteError, MOST_BYTES)
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else f"{path}"
        raise SuiteError(f"{where}: not valid YAML: {cut(str(error.problem), 100)}") from error
    except RecursionError as error:
        raise SuiteError(f"{path}: nested more than {DEEPEST} levels deep") from error
    except yaml.YAMLError as error:
        raise SuiteError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if root is None:
        raise SuiteError(f"{path}:1:1: the file is empty; expected keys and values")
    marks: dict[Location, tuple[int, int]] = {}
    return Document(path, _value(root, (), marks, path), marks, tuple(text.splitlines()))


def _value(
    node: yaml.Node, location: Location, marks: dict[Location, tuple[int, int]], path: Path
) -> Value:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    marks.setdefault(location, (line, column))

    def refuse(what: yaml.Node, message: str) -> SuiteError:
        mark = what.start_mark
        return SuiteError(f"{path}:{mark.line + 1}:{mark.column + 1}: {message}")

    if len(marks) > MOST_VALUES or len(location) > DEEPEST:
        raise refuse(
            node,
            f"expands to more than {MOST_VALUES:,} values or {DEEPEST} levels; use fewer aliases",
        )
    if node.tag not in _TAGS[type(node)]:
        raise refuse(node, f"the tag {quote(node.tag)} is not accepted here; write a plain value")
    if isinstance(node, yaml.ScalarNode):
        if half := _half_character(node.value):
            raise refuse(node, f"{half} is half of a character; write it whole")
        if node.tag in _PATTERNS and not _PATTERNS[node.tag].match(node.value):  # a forced tag
            raise refuse(node, f"{quote(node.value)} is not a {node.tag.removeprefix(_TAG)}")
        if node.tag in _LARGEST and abs(float(node.value)) >= _LARGEST[node.tag]:
            raise refuse(node, f"{cut(node.value, MOST_OF_A_QUOTE)} is too large for a number")
        return _SCALARS[node.tag](node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*location, i), marks, path) for i, item in enumerate(node.value)]
    mapping: dict[str, Value] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise refuse(key_node, "a key must be a plain word")
        key = key_node.value
        if half := _half_character(key):
            raise refuse(key_node, f"{half} is half of a character; write it whole")
        if key in mapping:
            raise refuse(key_node, f"the key {quote(key)} is given twice; keep one")
        # An unknown key is reported where the key stands, a wrong value where the value stands.
        marks[(*location, key, "<key>")] = (
            key_node.start_mark.line + 1,
            key_node.start_mark.column + 1,
        )
        mapping[key] = _value(value_node, (*location, key), marks, path)
    return mapping


def _half_character(text: str) -> str:
    """A lone surrogate, which quotes let in as an escape and no file or terminal takes."""
    half = re.search("[\ud800-\udfff]", text)
    return repr(half[0]) if half else ""
