"""Keeps a record readable: what nobody would read again is recorded as a failure."""

from __future__ import annotations

from dataclasses import replace

from cmx_bench.results.contradictions import refuse_in_record
from cmx_bench.results.records import RECORDS, SCHEMA, Record, line_of
from cmx_bench.results.validation import DamageError, decode


def make_sound(record: Record) -> tuple[Record, str]:
    """The record as it is or, where it holds what cannot be, a failed one that says so: a reader
    would refuse the whole run. With it its line."""
    line = line_of(record)
    try:
        refuse_in_record(decode(RECORDS, line, SCHEMA), None, None)
    except DamageError as error:
        reason = f"what was measured cannot be: {error.at('')}"
        record = replace(
            record, status="failed", values={}, reason=reason, covariates={}, discarded={},
            details={},
        )  # fmt: skip
        line = line_of(record)
    return record, line
