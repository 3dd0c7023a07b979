"""A document held against a schema of pydantic models: strict, and explained in a user's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from cmx_bench import units
from cmx_bench.errors import MOST_OF_A_QUOTE, SuiteError, cut, nearest, quote
from cmx_bench.spec.document import Document, Location
from cmx_bench.units import tally

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}$"
Name = Annotated[str, Field(pattern=NAME)]
Label = Annotated[str, Field(min_length=1, max_length=200)]
# Whole numbers end beyond all use: there a plan would take hours, and torch overflows.
Positive = Annotated[int, Field(ge=1, le=2**20)]
Depth = Annotated[int, Field(ge=1, le=1000)]
ImageSize = Annotated[int, Field(ge=1, le=2**13)]
# A file, from the suite's folder on.
File = Annotated[str, Field(min_length=1, max_length=1000)]
_Item = TypeVar("_Item")
# A list may be long, and no list is endless.
MOST_ITEMS = 1000
Some = Annotated[list[_Item], Field(max_length=MOST_ITEMS)]


def _with_point(value: object) -> object:
    """A number as YAML may write it: `lr: 1` is one too, and text is none."""
    return float(value) if type(value) is int else value


# Behind bounds, not before them: pydantic has no JSON Schema for bounds of what a function gives.
POINT = BeforeValidator(_with_point)
Share = Annotated[float, Field(ge=0, le=1), POINT]
PartOfOne = Annotated[float, Field(ge=0, lt=1), POINT]
# Far from the largest number of single precision, in which models are trained.
Above0 = Annotated[float, Field(gt=0, le=1e6), POINT]
NotNegative = Annotated[float, Field(ge=0, le=1e6), POINT]
Seconds = Annotated[float, Field(gt=0, le=units.MOST_SECONDS), POINT]


class Strict(BaseModel):
    """What every model of a schema is: frozen, without unknown keys or numbers made of text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: object) -> object:
        """Refuses an unknown key with those that are known, which pydantic does not tell."""
        for key in value if isinstance(value, dict) else ():
            if key not in cls.model_fields:
                known = list(cls.model_fields)
                raise PydanticCustomError("unknown_key", "{key}", {"key": key, "known": known})
        return value


_Model = TypeVar("_Model", bound=Strict)


def text_as(parse: Callable[[str], float], pattern: str) -> BeforeValidator:
    """Reads text of a `pattern` with `parse`; a number in its place is refused in the same
    words."""

    def read(value: object) -> float:
        try:
            return parse(value if isinstance(value, str) else "")
        except ValueError as error:
            raise ValueError(f"{error}, got {show(value)}") from None

    return BeforeValidator(read, json_schema_input_type=Annotated[str, Field(pattern=pattern)])


def written_as(kind: Any) -> BeforeValidator:
    """Tells the JSON Schema what a file may hold in place of a value. Its reader replaces that by
    the value before anything is validated."""
    return BeforeValidator(lambda value: value, json_schema_input_type=kind)


def validate(model: type[_Model], source: Document, value: object) -> _Model:
    """`value`, of the document `source`, as an instance of `model`.

    Raises:
        SuiteError: with file, line, column, what was expected, and the nearest valid word.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _explain(source, error, model.model_fields) from None


def show(value: object) -> str:
    """A value with its kind, for errors: `text 'x'`."""
    if isinstance(value, str):
        return f"{kind(value)} {quote(value)}"
    told = cut(repr(value), MOST_OF_A_QUOTE)
    return f"{kind(value)} {told}" if isinstance(value, int | float) else kind(value)


def kind(value: object) -> str:
    """What a value is, in a user's words."""
    names = {str: "text", bool: "a boolean", int: "a number", float: "a number", dict: "keys"}
    return names.get(type(value), "a list" if isinstance(value, list) else "nothing")


# What is expected, by the kinds of pydantic's errors.
EXPECTED = {
    "string_type": "text",
    "string_unicode": "text of whole characters",
    "string_pattern_mismatch": "a name of letters, digits, '_', '-' and '.', 100 at most",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "keys and values"),
}


# What people write for a key, which is nearer to another one.
_MEANT = {"gpu": "cuda"}


def _explain(source: Document, error: ValidationError, outermost: Collection[str]) -> SuiteError:
    """The first problem that pydantic found, in a user's words and at its place in the file.

    Args:
        outermost: the keys of the file itself.
    """
    errors = error.errors(include_url=False)
    # A mistyped key is also a missing one: name the word that is there.
    first = next((each for each in errors if each["type"] == "unknown_key"), errors[0])
    # A number or the word auto: of a wrong word, the words that would do are more help.
    others = [each for each in errors if each["loc"][:-1] == first["loc"][:-1]]
    if first["type"] == "int_type" and isinstance(first["input"], str):
        first = next((each for each in others if each["type"] == "literal_error"), first)
    location: Location = ()
    for part in first["loc"]:  # those of union branches stand nowhere in the file
        location = (*location, part) if source.has((*location, part)) else location
    problem, context = first["type"], first.get("ctx", {})
    keys = [part for part in location if isinstance(part, str)]
    name = cut(keys[-1], MOST_OF_A_QUOTE) if keys else "the file"
    if problem == "unknown_key":
        word, known = context["key"], context["known"]
        hint = nearest(_MEANT.get(word, word), known)
        hint = "; write it at the top of the file" if word in outermost else hint
        return source.error(
            (*location, word, "<key>"),
            f"unknown key {quote(word)}{hint} (known: {', '.join(known)})",
        )
    if problem == "missing":
        return source.error(location, f"the key {first['loc'][-1]!r} is missing")
    got = first["input"]
    if problem == "literal_error":
        or_number = any(each["type"] == "int_type" for each in others)
        expected = f"expected {context['expected']}{' or a whole number' * or_number}"
        words = re.findall(r"'(.*?)'", expected)
        told = f"{expected}, got {show(got)}{nearest(got, words) if isinstance(got, str) else ''}"
    elif problem in ("too_short", "too_long"):
        bound = "least" if problem == "too_short" else "most"
        size = context["min_length" if problem == "too_short" else "max_length"]
        told = f"expected at {bound} {tally(size, 'item')}, got {len(got)}"
    elif problem == "value_error":
        told = str(context["error"])
    else:
        expected = f"expected {EXPECTED[problem]}" if problem in EXPECTED else first["msg"]
        told = f"{expected.removeprefix('Input ').strip()}, got {show(got)}"
    return source.error(location, f"{name}: {told}")
