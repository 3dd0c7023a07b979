"""Keeps a record readable: what nobody would read again is recorded as a failure."""

from __future__ import annotations

from dataclasses import asdict, replace

from cmx_bench.results.contradictions import refuse_in_record
from cmx_bench.results.records import RECORDS, SCHEMA, Record
from cmx_bench.results.validation import DamageError, decoded
from cmx_bench.spec import disk


def make_sound(record: Record) -> Record:
    """The record as it is or, where it holds what cannot be, a failed one that says so: a reader
    would refuse the whole run."""
    try:
        refuse_in_record(decoded(RECORDS, disk.json_of(asdict(record)), SCHEMA), None, None)
    except DamageError as error:
        reason = f"what was measured cannot be: {error.at('')}"
        return replace(
            record, status="failed", values={}, reason=reason, covariates={}, discarded={},
            details={},
        )  # fmt: skip
    return record
