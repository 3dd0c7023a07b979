"""The content hash of a run, which proves that a report was made from these records."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cmx_bench.results.records import Record, Run

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def content_hash(run: Run, kept: Iterable[Record]) -> str:
    """SHA-256 of the run's request and of all its measurements, in hexadecimal digits.

    What holds its default counts as absent: fields of a later schema change no earlier hash.
    """
    content = [_canonical(run), *map(_told, kept)]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _canonical(mine) for name, mine in _told(value).items()}
    if isinstance(value, Mapping):
        return {key: _canonical(element) for key, element in value.items()}
    return [_canonical(element) for element in value] if isinstance(value, list | tuple) else value


def _told(noun: DataclassInstance) -> dict[str, object]:
    """The fields that do not hold their defaults. Those of a record are JSON as they are."""
    return {
        field.name: mine
        for field in dataclasses.fields(noun)
        if field.name != "schema" and (mine := getattr(noun, field.name)) != _default(field)
    }


def _default(field: dataclasses.Field[Any]) -> object:
    factory = field.default_factory
    return field.default if factory is dataclasses.MISSING else factory()
