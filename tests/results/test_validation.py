"""Damaged records and runs: each is refused in one line that names file, line and field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import RecordsError
from cmx_bench.results import records, validation
from cmx_bench.results.records import Record, Run
from cmx_bench.spec import disk
from cmx_bench.spec.claims import Claim

from ..conftest import append_record
from .whole import (
    EVALUATED,
    FILES,
    MATCHED,
    MIXED,
    NULLABLE,
    NUMBERS,
    PASSED,
    PLACES,
    RUN,
    SETTING,
    TIMED,
    Where,
    damage,
    everywhere,
    name_of,
    path_of,
    plain,
    refusals,
)


@pytest.fixture
def refused(tmp_path: Path) -> Any:
    return refusals(tmp_path)


def test_what_is_whole_is_read(tmp_path: Path) -> None:
    records.write_run(tmp_path, RUN)
    for record in (TIMED, EVALUATED, PASSED):
        append_record(tmp_path, record)
    assert records.read_run(tmp_path) == RUN
    lines = records.read(tmp_path)
    assert lines == [TIMED, EVALUATED, PASSED]
    assert [type(sample) for sample in lines[0].values["throughput"]] == [float, int, float]


def test_every_field_holds_something() -> None:
    """What is not there cannot be damaged below."""
    for noun in (RUN, RUN.models[0], SETTING, RUN.claims[0], TIMED):
        empty = {
            field.name for field in fields(noun) if getattr(noun, field.name) in ((), {}, None, "")
        }
        assert empty <= {"reason", "details"}


@pytest.mark.parametrize("where", [where for where, _ in PLACES], ids=name_of)
def test_another_type(refused: Any, where: Where) -> None:
    message = refused(where[0], damage(where, [[]]))
    assert message.startswith(path_of(where)) and "got a list" in message


@pytest.mark.parametrize(
    "where", [where for where, _ in PLACES if not NULLABLE.fullmatch(path_of(where))], ids=name_of
)
def test_null(refused: Any, where: Where) -> None:
    message = refused(where[0], damage(where, None))
    assert message.startswith(f"{path_of(where)}: expected ") and message.endswith("got null")


@pytest.mark.parametrize(
    "where", [where for where in NUMBERS if not MIXED.match(path_of(where))], ids=name_of
)
@pytest.mark.parametrize("text", ["fast", "3", True])
def test_what_is_no_number(refused: Any, where: Where, text: object) -> None:
    message = refused(where[0], damage(where, text))
    shown = "true" if text is True else repr(text)
    assert re.fullmatch(
        rf"{re.escape(path_of(where))}: expected a (whole )?number( or null)?, got {shown}", message
    )


@pytest.mark.parametrize("where", NUMBERS, ids=name_of)
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_json_does_not_have(refused: Any, where: Where, number: str) -> None:
    message = refused(where[0], damage(where, number).replace(f'"{number}"', number))
    if number == "1e999":
        assert message.startswith(f"{path_of(where)}: expected ")
    else:
        assert message == f"is not valid JSON: {number} is no number"


@pytest.mark.parametrize(
    "where",
    [
        where
        for where in NUMBERS
        if re.search("values|discarded|elapsed|budget|resid", path_of(where))
    ],
    ids=name_of,
)
@pytest.mark.parametrize(
    ("number", "said"), [(1e308, r"at most 1e\+100"), (-1e308, r"at least -1e\+100")]
)
def test_a_number_whose_sums_and_squares_overflow(
    refused: Any, where: Where, number: float, said: str
) -> None:
    message = refused(where[0], damage(where, number))
    assert re.fullmatch(
        rf"{re.escape(path_of(where))}: expected {said}( or null)?, got .*", message
    )


@pytest.mark.parametrize("where", NUMBERS, ids=name_of)
def test_a_whole_number_that_nothing_computes_with(refused: Any, where: Where) -> None:
    message = refused(where[0], damage(where, 10**400))
    assert re.match(rf"{re.escape(path_of(where))}(: expected | 10+…)", message)
    assert len(message) < 200


def objects(name: str) -> Iterator[Where]:
    """The places of the keys that a dataclass or a part of details has."""
    closed = r"models\.\d|settings\.\d|claims\.\d|details\..*(geometry|best|curve\.0|linear|other)"
    for location, value in everywhere(plain(name)):
        if isinstance(value, dict) and re.fullmatch(closed, path_of((name, location))):
            yield from ((name, (*location, key)) for key in value if key != "fill")
    yield from ((name, (key,)) for key in plain(name))


KEYS = [where for name in FILES for where in objects(name)]


def is_optional(where: Where) -> bool:
    """Whether the key has a default, which a file of an earlier version leaves to the reader."""
    name, location = where
    nouns = {"models": Model, "settings": Setting, "claims": Claim, "details": None}
    noun = (Run if name == "run" else Record) if len(location) == 1 else nouns[str(location[0])]
    has_default = noun is not None and {
        field.name: field.default is not MISSING or field.default_factory is not MISSING
        for field in fields(noun)
    }
    return bool(has_default and has_default[str(location[-1])]) and location != ("schema",)


def without(where: Where) -> str:
    value = plain(where[0])
    del reduce(getitem, where[1][:-1], value)[where[1][-1]]
    return json.dumps(value)


@pytest.mark.parametrize("where", [key for key in KEYS if not is_optional(key)], ids=name_of)
def test_a_missing_key(refused: Any, where: Where) -> None:
    assert refused(where[0], without(where)) == f"{path_of(where)}: is missing"


@pytest.mark.parametrize("key", MATCHED)
def test_a_match_without_one_of_its_parts(refused: Any, key: str) -> None:
    location = ("models", 0, "matched", key)
    assert refused("run", without(("run", location))) == f"{path_of(('run', location))}: is missing"


@pytest.mark.parametrize("where", [key for key in KEYS if is_optional(key)], ids=name_of)
def test_a_key_that_an_earlier_version_did_not_write(where: Where) -> None:
    """It reads as its default, or contradicts what is there: it is never said to be missing."""
    name, _ = where
    values = json.loads(without(where))
    try:
        if name == "run":
            records.run_of(values, "here")
        else:
            records.records_of([values], "here", RUN)
    except RecordsError as error:
        assert not str(error).endswith(f"{path_of(where)}: is missing")


@pytest.mark.parametrize(
    "where",
    [
        where
        for where in NUMBERS
        if re.search(r"replicate|_size|images$|seed|epoch|elapsed|corr|^(val|dis)", path_of(where))
    ],
    ids=name_of,
)
def test_a_number_below_what_can_be(refused: Any, where: Where) -> None:
    message = refused(where[0], damage(where, -1))
    assert message.startswith(path_of((where[0], where[1][:2])))
    assert re.search(r"expected (at least [01]|nothing below 0)", message)


@pytest.mark.parametrize(
    "where",
    [
        ("run", ("title_",)),
        ("run", ("models", 0, "labels")),
        ("run", ("settings", 0, "colour")),
        ("run", ("claims", 0, "colour")),
        ("timed", ("colour",)),
        ("passed", ("details", "work", "linear", "colour")),
        ("evaluated", ("details", "training", "curve", 0, "colour")),
    ],
    ids=name_of,
)
def test_an_unknown_key(refused: Any, where: Where) -> None:
    assert refused(where[0], damage(where, 1)) == f"{path_of(where)}: unknown key"


def test_a_mistyped_key_is_named_with_the_missing_one(refused: Any) -> None:
    text = json.dumps(plain("timed")).replace('"reason"', '"raeson"')
    assert refused("timed", text) == "raeson: unknown key, did you mean 'reason'?"


@pytest.mark.parametrize("name", FILES)
def test_a_key_that_is_given_twice(refused: Any, name: str) -> None:
    text = json.dumps(plain(name))
    key = next(iter(plain(name)))
    assert f"the key {key!r} is given twice" in refused(name, f'{{"{key}": "x", {text[1:]}')


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not valid JSON: Expecting value"),
        ("{]", "is not valid JSON: Expecting property name"),
        ("[]", "expected keys and values, got a list"),
        ("[" * 100_000, "is not valid JSON: nested too deeply"),
        ('{"schema": ' + "1" * 5000 + "}", "is not valid JSON: Exceeds the limit"),
        ('{"schema": 99}', "schema 99 was written by a newer cmx-bench; this one reads 3 alone"),
        ('{"schema": 2}', "schema 2 was written by an older cmx-bench; this one reads 3 alone"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_neither(refused: Any, name: str, text: str, message: str) -> None:
    if name == "run" or text:
        assert message in refused(name, text)


def test_a_lone_surrogate(refused: Any) -> None:
    text = json.dumps(plain("timed")).replace('"reason": ""', r'"reason": "\ud800"')
    assert refused("timed", text).startswith("is not valid JSON: ")


def test_a_line_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_bytes(json.dumps(plain("timed")).encode() + b'\n{"\xff\n')
    with pytest.raises(RecordsError, match="jsonl:2: is not valid JSON: 'utf-8' codec"):
        records.read(tmp_path)


def test_a_key_never_breaks_the_line(refused: Any) -> None:
    message = refused("timed", damage(("timed", ("values", "a\nb")), ["fast"]))
    assert message == r"""values."a\nb".0: expected a number, got 'fast'"""


def test_the_line_of_a_long_run_is_named(tmp_path: Path) -> None:
    value = plain("run")
    value["models"][1]["label"] = None
    text = json.dumps(value, indent=1)
    (tmp_path / "run.json").write_text(text)
    line = 1 + text[: text.index('"label": null')].count("\n")
    with pytest.raises(RecordsError) as error:
        records.read_run(tmp_path)
    path = tmp_path / "run.json"
    assert str(error.value) == f"{path}:{line}: models.1.label: expected text, got null"


@pytest.mark.parametrize("name", ["run.json", "records.jsonl"])
def test_a_huge_file_is_not_read(tmp_path: Path, name: str) -> None:
    records.write_run(tmp_path, RUN)
    with (tmp_path / name).open("wb") as file:
        file.truncate(disk.LARGEST + 1)
    with pytest.raises(
        RecordsError,
        match=f"{name}: cannot be read: it has 268,435,457 bytes; expected 268,435,456 at most",
    ):
        records.read_run(tmp_path)
        records.read(tmp_path)


def test_places_and_values_are_cut() -> None:
    assert validation.show("x" * 59) == f"'{'x' * 58}…"
    message = str(validation.DamageError(("k" * 300,), "m" * 500).at("f"))
    assert message == f"f: {'k' * 199}…: {'m' * 399}…"


def test_keys_stay_in_their_order(tmp_path: Path) -> None:
    """A page holds the records; rendered again it has the same bytes."""
    turned = replace(EVALUATED, details=dict(reversed([*EVALUATED.details.items()])))
    run = replace(RUN, accuracy=dict(reversed([*RUN.accuracy.items()])))
    records.write_run(tmp_path, run)
    append_record(tmp_path, turned)
    [record] = records.read(tmp_path)
    assert list(record.details) == list(turned.details) != list(EVALUATED.details)
    assert list(records.read_run(tmp_path).accuracy) == list(run.accuracy)


def test_what_measures_tell_beside_is_kept(tmp_path: Path) -> None:
    record = replace(PASSED, details={**PASSED.details, "more": {"of": [1, 0.5, None, "x"]}})
    append_record(tmp_path, record)
    assert records.read(tmp_path) == [record]


def test_values_in_a_page_are_refused_by_its_name() -> None:
    with pytest.raises(RecordsError, match="page.html: models.0.label: expected text, got 3"):
        value = plain("run")
        value["models"][0]["label"] = 3
        records.run_of(value, "page.html")
    place = "page.html: line 2 of its records"
    for field, value, message in (
        ("replicate", -1, "replicate: expected at least 0, got -1"),
        ("environment", "f", "environment: the run has no 'f'"),
    ):
        with pytest.raises(RecordsError, match=f"{place}: {message}"):
            records.records_of(
                [plain("evaluated"), plain("timed") | {field: value}], "page.html", RUN
            )


MANY = [*map(str, range(200_000))]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": "x" * 70_000}, "title: expected shorter text, got 'xxx"),
        ({"cells": [1] * 200_000}, "cells.0: expected text, got 1"),
        (dict.fromkeys(MANY, 1), "has about 200,"),
        (
            {"claims": [{"say": "", "check": "1 > 0"}] * 1001},
            "claims: expected fewer values, got a list",
        ),
        ({"environments": {"a": dict.fromkeys(MANY, ())}}, "has about 200,"),
    ],
    ids=["text", "list", "keys", "claims", "environment"],
)
def test_much_that_is_wrong_is_refused_at_once(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    """Each mistake would be an error of pydantic's, of a kilobyte."""
    assert message in refusals(tmp_path)("run", json.dumps(plain("run") | change))


@pytest.mark.parametrize(
    "text",
    ["2026-01-02T03:30:00+09:00", "2026-01-01T18:30:00Z", "2026-01-01 18:30+00:00",
     "2026-01-01T18:30:00+00:00"],
)  # fmt: skip
def test_a_time_of_any_zone_is_read_as_utc(tmp_path: Path, text: str) -> None:
    records.write_run(tmp_path, replace(RUN, created=text))
    assert records.read_run(tmp_path).created == "2026-01-01T18:30:00+00:00"
