"""Small harm done to a YAML file: to its text, or to the values that it holds."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import yaml

TEXTS = (
    "x" * 5000, "", " ", "\0", "\x1b[31m", "\ud800", "é" * 300, "../../etc/passwd", "/dev/zero",
    "\\input{x}", "::error::x", "=1+1", "a/b", "-", "1e400", "nan", "9" * 400, "99999999999h",
    "99999999999M", "0x10", "10%", "1/0", "params(a)", "(" * 99, "hfds/x", "os:system",
    "2024-13-45", "true", "null", "convmixer_768_32", "resnet50.a1_in1k", "digits", "auto",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 3, 7, 1000, 10**5, 10**9, 10**12, 2**31, 2**63, 10**400, -(10**30),
    0.0, -0.0, 0.5, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None, True, False, [], {}, [[]], [None] * 2000, {"a": 1}, {"": ""}, {"name": []}, [1, "a", {}],
)  # fmt: skip
PIECES = (
    "[", "]", "{", "}", ":", ": ", "- ", "&a ", "*a", "!!python/name:os.system ", "!!int ", "|\n",
    ">\n", "? ", "#", "'", '"', "\\", "\t", "\n", "\r", "\x00", "\ufeff", "\u2028", "<<: ", "---\n",
    "...\n", "%YAML 9.9\n", "@", "`", "~", "\x85", "[" * 400, "{a: " * 400, "9" * 5000, "é" * 99,
)  # fmt: skip


def of_text(text: str, random: Random) -> str:
    """`text` with a piece put in, taken out, doubled or moved."""
    first, second = sorted(random.randrange(len(text) + 1) for _ in range(2))
    second = min(second, first + 40)
    piece = text[first:second]
    harm = random.randrange(4)
    if harm == 0:
        return text[:first] + random.choice(PIECES) + text[first:]
    if harm == 1:
        return text[:first] + text[second:]
    if harm == 2:
        return text[:first] + piece * random.choice((2, 3, 50)) + text[second:]
    place = random.randrange(len(text) + 1)
    return text[:place] + piece + text[place:]


def of_values(text: str, random: Random) -> str:
    """The YAML `text` with one value replaced, taken out, doubled, or renamed."""
    value = copy.deepcopy(yaml.safe_load(text))
    holders = [holder for holder in _holders(value) if holder]
    if not holders:
        return text
    holder = random.choice(holders)
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key, harm = random.choice(keys), random.randrange(5)
    if harm == 0:
        del holder[key]
    elif harm == 1 and isinstance(holder, dict):
        holder[str(random.choice((*TEXTS, "args", "weights", "train")))] = holder.pop(key)
    elif harm == 1:
        holder.append(copy.deepcopy(holder[key]))
    elif harm == 2:
        holder[key] = copy.deepcopy(random.choice(holders))
    else:
        holder[key] = random.choice(TEXTS + NUMBERS + ODD)
    return _dump(value)


def _holders(value: Any) -> list[Any]:
    """All lists and mappings inside."""
    if isinstance(value, dict):
        return [value, *(holder for item in value.values() for holder in _holders(item))]
    if isinstance(value, list):
        return [value, *(holder for item in value for holder in _holders(item))]
    return []


def _dump(value: Any) -> str:
    try:
        return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False))
    except RecursionError:  # a holder that holds itself
        return "name: [" * 3
