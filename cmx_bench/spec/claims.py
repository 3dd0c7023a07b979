"""Claims: a sentence about models, and the small grammar of the check that decides it.

    check      = all { "or" all }
    all        = comparison { "and" comparison }
    comparison = sum ( "<" | "<=" | ">" | ">=" ) sum
               | sum "in" "[" number "," number "]"
               | "(" check ")"
    sum        = product { ( "+" | "-" ) product }
    product    = factor { ( "*" | "/" ) factor }
    factor     = [ "-" ] ( number | metric "(" model ")" | "(" sum ")" )
    number     = digits with a point or an exponent, and "%" for hundredths: 3, 0.5, 1e6, 10%

`×`, `÷`, `−`, `≤` and `≥` stand for `*`, `/`, `-`, `<=` and `>=`. Values are in base units:
images/s, bytes, seconds, fractions. Nothing of a check is ever run as Python.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from cmx_bench.errors import MOST_OF_A_QUOTE, cut, nearest, quote
from cmx_bench.metrics import METRICS

_SHORT = {"memory": "peak_memory"}
METRIC_WORDS = (*METRICS, *_SHORT)

# So that reading and judging a check never nest deeper than Python does.
MOST_TOKENS = 100


@dataclass(frozen=True, slots=True)
class Claim:
    say: str
    check: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Value:
    metric: str
    model: str


@dataclass(frozen=True, slots=True)
class Operation:
    """Two quantities added, subtracted, multiplied or divided."""

    sign: Literal["+", "-", "*", "/"]
    left: Quantity
    right: Quantity


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two quantities, one of which is claimed to be larger."""

    sign: Literal["<", "<=", ">", ">="]
    left: Quantity
    right: Quantity


@dataclass(frozen=True, slots=True)
class Within:
    """A quantity that is claimed to lie between two numbers, or on one of them."""

    quantity: Quantity
    low: Number
    high: Number


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions of which all ("and") or one ("or") must hold."""

    word: Literal["and", "or"]
    parts: tuple[Condition, ...]


Quantity: TypeAlias = Number | Value | Operation
Condition: TypeAlias = Comparison | Within | Joined
_Node: TypeAlias = Quantity | Condition


class CheckError(ValueError):
    """What is wrong with a check, and after how many of its characters."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at


def parse(check: str, models: Collection[str]) -> Condition:
    """The condition that a check states about `models`.

    Raises:
        CheckError: it is none, or names a metric or a model that is not known.
    """
    reader = _Reader(tuple(_tokens(check, models)))
    expression = _parse(reader)
    end = reader.next
    if end.kind != "end":
        raise CheckError(end.at, f"expected 'and', 'or' or the end, got {end.shown}")
    if not isinstance(expression, Condition):
        raise CheckError(0, f"{_show(expression)} is a number; expected a comparison such as "
                         f"{_show(expression)} > 1")  # fmt: skip
    return expression


def values(node: Condition | Quantity) -> Iterator[Value]:
    """Each metric of a model that a check names, in its order."""
    match node:
        case Value():
            yield node
        case Operation() | Comparison():
            yield from values(node.left)
            yield from values(node.right)
        case Within():
            yield from values(node.quantity)
        case Joined():
            for part in node.parts:
                yield from values(part)


def words(quantity: Quantity) -> str:
    """A quantity as its check could say it."""
    if isinstance(quantity, Number):
        return quantity.text
    if isinstance(quantity, Value):
        return f"{quantity.metric}({quantity.model})"
    tight = quantity.sign in "*/"
    left = _bracket(quantity.left, "+-" if tight else "")
    right = _bracket(quantity.right, "+-*/" if tight else "+-")
    return f"{left} {quantity.sign} {right}"


def _show(quantity: Quantity) -> str:
    return cut(words(quantity), MOST_OF_A_QUOTE)


def _bracket(quantity: Quantity, loose: str) -> str:
    text = words(quantity)
    return f"({text})" if isinstance(quantity, Operation) and quantity.sign in loose else text


# --- tokens ---------------------------------------------------------------------------------------

_Kind: TypeAlias = Literal["number", "value", "word", "sign", "end"]
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?%?)
    | (?P<value>(?!(?:and|or|in)\b)(?P<metric>[A-Za-z_]\w*)
                \s*\(\s*(?P<model>[A-Za-z0-9][\w.\-]*)\s*\))
    | (?P<word>[A-Za-z_]\w*)
    | (?P<sign><=|>=|.)
    )""",
    re.VERBOSE,
)
_SAME = {"×": "*", "÷": "/", "−": "-", "≤": "<=", "≥": ">="}
_SIGNS = ("<", "<=", ">", ">=", "+", "-", "*", "/", "(", ")", "[", "]", ",")


@dataclass(frozen=True, slots=True)
class _Token:
    """One word of a check, and how many characters stand before it; `text` is normalised."""

    kind: _Kind
    text: str
    at: int
    node: Quantity | None = None

    @property
    def shown(self) -> str:
        return "the end" if self.kind == "end" else quote(self.text)


def _tokens(check: str, models: Collection[str]) -> Iterator[_Token]:
    text, place, count = check.rstrip(), 0, 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        assert match is not None  # a sign may be any character
        count += 1
        at, place = match.start(cast(str, match.lastgroup)), match.end()
        if count > MOST_TOKENS:
            raise CheckError(
                at, f"is longer than {MOST_TOKENS} words and signs; make it two claims"
            )
        yield _token(match, at, models)
    yield _Token("end", "", len(text))


def _token(match: re.Match[str], at: int, models: Collection[str]) -> _Token:
    if text := match["number"]:
        number = Number(float(text.rstrip("%")) / (100 if text.endswith("%") else 1), text)
        is_tiny = number.value < sys.float_info.min and re.match(r"[0.]*[1-9]", text)
        if is_tiny or math.isinf(number.value):
            size = "small" if is_tiny else "large"
            raise CheckError(at, f"{cut(text, MOST_OF_A_QUOTE)} is too {size} for a number")
        return _Token("number", text, at, number)
    if text := match["value"]:
        _refuse_unknown("metric", match, METRIC_WORDS)
        _refuse_unknown("model", match, models)
        metric = match["metric"]
        return _Token("value", text, at, Value(_SHORT.get(metric, metric), match["model"]))
    if text := match["word"]:
        return _Token("word", text, at)
    text = _SAME.get(match["sign"], match["sign"])
    if text not in _SIGNS:
        raise CheckError(at, f"{text!r} is no sign of a check (known: {' '.join(_SIGNS)})")
    return _Token("sign", text, at)


def _refuse_unknown(what: str, match: re.Match[str], known: Collection[str]) -> None:
    word = match[what]
    if word not in known:
        listed = f" (known: {', '.join(known)})" if what == "metric" else ""
        hint = nearest(word, known)
        place = "" if hint or listed else "; the suite has none of that name"
        raise CheckError(match.start(what), f"unknown {what} {quote(word)}{hint}{listed}{place}")


# --- grammar --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Reader:
    """The tokens of a check, and how many of them are read."""

    tokens: Sequence[_Token]
    place: int = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self, *texts: str) -> _Token | None:
        """The next token, if it is one of these words or signs."""
        token = self.next
        if token.kind in ("word", "sign") and token.text in texts:
            self.place += 1
            return token
        return None

    def expect(self, text: str) -> None:
        if self.take(text) is None:
            raise CheckError(self.next.at, f"expected {text!r}, got {self.next.shown}")


# What joins the parts of a check, from the loosest to the tightest.
_LEVELS = (("or",), ("and",), ("<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/"))


def _parse(reader: _Reader, level: int = 0) -> _Node:
    """What the words and signs of a level, and of those behind it, join."""
    if level == len(_LEVELS):
        if minus := reader.take("-"):
            return Operation("*", Number(-1, "-1"), _quantity(_primary(reader), minus))
        return _primary(reader)
    left = _parse(reader, level + 1)
    parts = [left]
    while token := reader.take(*_LEVELS[level]):
        if token.text == "in":
            return _within(reader, _quantity(left, token))
        if token.text in _LEVELS[2]:
            right = _parse(reader, level + 1)
            order = cast(Literal["<", "<=", ">", ">="], token.text)
            return Comparison(order, _quantity(left, token), _quantity(right, token))
        if token.kind == "sign":
            first, second = _quantity(left, token), _parse(reader, level + 1)
            sign = cast(Literal["+", "-", "*", "/"], token.text)
            left = Operation(sign, first, _quantity(second, token))
            continue
        parts.append(_parse(reader, level + 1))
        for part in parts[-2:]:
            if not isinstance(part, Condition):
                told = f"{token.text!r} joins comparisons; {_show(part)} is a number"
                raise CheckError(token.at, told)
    if len(parts) == 1:
        return left
    word = cast(Literal["and", "or"], _LEVELS[level][0])
    return Joined(word, tuple(cast(list[Condition], parts)))


def _within(reader: _Reader, quantity: Quantity) -> Within:
    reader.expect("[")
    low = _parse_bound(reader)
    reader.expect(",")
    at, high = reader.next.at, _parse_bound(reader)
    reader.expect("]")
    if low.value > high.value:
        raise CheckError(
            at, f"nothing lies in [{_show(low)}, {_show(high)}]; give the smaller one first"
        )
    return Within(quantity, low, high)


def _parse_bound(reader: _Reader) -> Number:
    negative = reader.take("-") is not None
    token = reader.next
    if not isinstance(token.node, Number):
        raise CheckError(token.at, f"expected a number, got {token.shown}")
    reader.place += 1
    number = token.node
    return Number(-number.value, f"-{number.text}") if negative else number


def _primary(reader: _Reader) -> _Node:
    token = reader.next
    if token.node is not None:
        reader.place += 1
        return token.node
    if reader.take("("):
        inside = _parse(reader)
        reader.expect(")")
        return inside
    if token.kind == "word":
        hint = "" if token.text in METRIC_WORDS else nearest(token.text, METRIC_WORDS)
        raise CheckError(token.at, f"expected a metric of a model such as params(resnet50), got "
                                f"{token.shown}{hint}")  # fmt: skip
    raise CheckError(token.at, f"expected a number or a metric of a model, got {token.shown}")


def _quantity(node: _Node, token: _Token) -> Quantity:
    if isinstance(node, Condition):
        raise CheckError(token.at, f"{token.text!r} needs numbers, and one side is a comparison")
    return node
