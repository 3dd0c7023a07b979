"""Reads JSON text as the nouns that it was written from. An error names the place and the field."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from cmx_bench.cell import Real, Whole
from cmx_bench.errors import MOST_OF_A_TEXT, RecordsError, cut, nearest
from cmx_bench.spec.document import Location
from cmx_bench.spec.schema import EXPECTED

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from pydantic_core import ErrorDetails

_Noun = TypeVar("_Noun", bound="DataclassInstance")
_Value = TypeVar("_Value")


def _moment(text: str) -> str:
    """A time that is the same on every machine, in UTC: as text, the earlier one comes first."""
    with suppress(ValueError, OverflowError):
        given = datetime.fromisoformat(text)
        if given.tzinfo is not None:
            utc = given.astimezone(UTC).isoformat()
            return text if text.startswith(utc[:19]) and text.endswith("+00:00") else utc
    raise ValueError(f"expected a time such as 2026-01-31T12:00:00+00:00, got {show(text)}")


# Of what is read: every key is known, no number is made of text, each is one.
# A text is shown in many places of a page.
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, str_max_length=MOST_OF_A_TEXT)
# Whole numbers stay whole: 51625960 must not become 51625960.0, whose content hash is another.
Number: TypeAlias = Whole | Real
NotNegative: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]
Amount: TypeAlias = Annotated[Number, Field(ge=0)]
Share: TypeAlias = Annotated[Number, Field(ge=0, le=1)]
Moment: TypeAlias = Annotated[str, AfterValidator(_moment)]


class DamageError(Exception):
    """A text is wrong; says what is wrong, and where."""

    def __init__(self, location: Location, message: str) -> None:
        super().__init__(message)
        self.location = location

    def at(self, place: str) -> RecordsError:
        """The error to raise; `place` is the file, or a line of it."""
        field = cut(".".join(map(_key, self.location)), 200)
        return RecordsError(": ".join(filter(None, (place, field, cut(str(self), 400)))))


def _key(part: str | int) -> str:
    """A key as it is, or quoted where it would break the line."""
    return part if isinstance(part, str) and part.isprintable() else json.dumps(part)


# Each unknown key is an error of its own, of a kilobyte. Runs have a key for each cell at most.
_MOST_KEYS = 100_000


def decode(adapter: TypeAdapter[_Noun], text: str | bytes, schema: int) -> _Noun:
    """The dataclass that a JSON object was written from: every key there once, none unknown.

    A key with a default may be absent, as it is from files that an earlier version wrote.

    Raises:
        DamageError: it was written from something else, or with another `schema`.
    """
    colons = text.count(":") if isinstance(text, str) else text.count(b":")
    if colons > _MOST_KEYS:
        raise DamageError((), f"has about {colons:,} keys; expected {_MOST_KEYS:,} at most")
    raw = parse(text)
    written = raw.get("schema") if isinstance(raw, dict) else None
    if type(written) is int and written != schema:
        age, remedy = ("a newer", "upgrade it") if written > schema else ("an older", "run anew")
        raise DamageError((), f"schema {show(written)} was written by {age} cmx-bench; "
                              f"this one reads {schema} alone, {remedy}")  # fmt: skip
    if isinstance(raw, dict) and "schema" not in raw:
        raise DamageError(("schema",), "is missing")
    return check(adapter, text)


def check(adapter: TypeAdapter[_Value], text: str | bytes) -> _Value:
    """What a JSON text holds, which must be what `adapter` describes.

    Raises:
        DamageError: it is something else.
    """
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        raise _explain(error.errors(include_url=False), parse(text)) from None


def parse(text: str | bytes) -> Any:
    """What a JSON text holds.

    Raises:
        DamageError: it is none, or an object has a key twice, or too many.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode(json.detect_encoding(text), "surrogatepass")
        return _DECODER.decode(text)
    except RecursionError:
        raise DamageError((), "is not valid JSON: nested too deeply") from None
    except json.JSONDecodeError as error:
        what = f"{error.msg} (character {error.pos + 1})"
        raise DamageError((), f"is not valid JSON: {what}") from None
    except ValueError as error:  # no UTF-8, or more digits than Python converts
        raise DamageError((), f"is not valid JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that is there twice, readers of JSON take the last and say nothing."""
    if len(pairs) > _MOST_KEYS:
        raise DamageError((), f"an object has {len(pairs):,} keys; expected {_MOST_KEYS:,} at most")
    values = dict(pairs)
    if len(values) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise DamageError((), f"the key {twice!r} is given twice; keep one")
    return values


def _refuse_constant(text: str) -> None:
    raise DamageError((), f"is not valid JSON: {text} is no number")


# Made once: `json.loads` makes one for each text.
_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse_constant)


# --- the words of an error ------------------------------------------------------------------------

_EXPECTED = EXPECTED | {
    "string_pattern_mismatch": "text of another form",
    "string_too_long": "shorter text",
    "less_than": "a whole number",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "dataclass_type": "keys and values",
    "too_short": "at least one value",
    "too_long": "fewer values",
    "none_required": "null",
}
_OF_FLOATS = {"float_type", "finite_number", "less_than_equal", "greater_than_equal"}
_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")


def _explain(errors: Iterable[ErrorDetails], raw: Any) -> DamageError:
    """The first of pydantic's errors in a user's words, with all that would do at its place."""
    located = [(_location(error["loc"], raw), error) for error in errors]
    # A mistyped key is also a missing one: name the word that is there.
    location, first = next(
        (candidate for candidate in located if candidate[1]["type"] in _UNKNOWN), located[0]
    )
    kind, context = first["type"], first.get("ctx", {})
    if kind in _UNKNOWN:
        missing = (str(error["loc"][-1]) for _, error in located if error["type"] == "missing")
        return DamageError(location, f"unknown key{nearest(str(location[-1]), missing)}")
    if kind == "missing":
        return DamageError(location, "is missing")
    if kind == "json_invalid":  # jiter is stricter than Python: lone surrogates
        return DamageError((), f"is not valid JSON: {context['error']}")
    if kind == "value_error":
        return DamageError(location, str(context["error"]))
    here = {error["type"]: _expect(error) for place, error in located if place == location}
    if here.keys() & _OF_FLOATS:  # a whole number would do too
        here.pop("int_type", None)
    expected = dict.fromkeys(here.values())
    return DamageError(location, f"expected {' or '.join(expected)}, got {show(first['input'])}")


def _expect(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "greater_than_equal":
        return f"at least {context['ge']:g}"
    if kind == "less_than_equal":
        return f"at most {context['le']:g}"
    return _EXPECTED.get(kind, error["msg"])


def _location(path: tuple[int | str, ...], raw: Any) -> Location:
    """Where an error is, without the members of unions that pydantic counts in."""
    location: Location = ()
    for part in path:
        if isinstance(raw, Mapping):
            location, raw = (*location, part), raw.get(str(part))
        elif isinstance(raw, list) and isinstance(part, int):
            location, raw = (*location, part), raw[part]
        else:
            break
    return location


def show(value: object) -> str:
    """A value for an error, cut to what a line holds."""
    if isinstance(value, Mapping | list):
        return "a list" if isinstance(value, list) else "keys and values"
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return cut(text, 60)
