"""The content hash of a run, which proves that a report was made from these records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TypeVar

from pydantic import TypeAdapter

from cmx_bench.results.records import RECORDS, RUNS, Record, Run

_Noun = TypeVar("_Noun", Run, Record)


def content_hash(run: Run, kept: Iterable[Record]) -> str:
    """SHA-256 of the run's request and of all its measurements, in hexadecimal digits.

    What holds its default counts as absent: fields of a later schema change no earlier hash.
    """
    content = [_tell(RUNS, run), *(_tell(RECORDS, record) for record in kept)]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _tell(adapter: TypeAdapter[_Noun], noun: _Noun) -> object:
    return adapter.dump_python(noun, mode="json", exclude_defaults=True, exclude={"schema"})
