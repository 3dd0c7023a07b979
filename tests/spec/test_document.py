"""YAML's traps: each is either read as YAML 1.2 has it, or refused at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmx_bench.errors import SuiteError
from cmx_bench.spec import document


def read(tmp_path: Path, text: str | bytes) -> document.Document:
    path = tmp_path / "file.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return document.read(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("No", "No"),
        ("true", True), ("False", False),
        ("1e1", 10.0), ("1.5e-3", 0.0015), (".5", 0.5), ("010", 10), ("-3", -3), ("0x10", "0x10"),
        ("1_000", "1_000"), ("1:30", "1:30"), ("2024-01-01", "2024-01-01"), ("~", None),
        ("null", None), ("", None), ("'1'", "1"), ('"true"', "true"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_plain_words_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    got = read(tmp_path, f"key: {text}\n").value
    assert isinstance(got, dict)
    assert got == {"key": value}
    assert type(got["key"]) is type(value)


def test_every_value_and_key_has_its_place(tmp_path: Path) -> None:
    marks = read(tmp_path, "a: 1\nb:\n  - x\n  - {c: 2}\n").marks
    assert marks["b", 1, "c"] == (4, 9)
    assert marks["b", 1, "c", "<key>"] == (4, 6)
    assert marks["b", 0] == (3, 5)


def test_a_file_of_another_editor_is_the_same(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffa: 1\r\nb: [x]\r\n") == read(tmp_path, "a: 1\nb: [x]\n")


def test_an_alias_stands_for_its_value(tmp_path: Path) -> None:
    assert read(tmp_path, "a: &x [1]\nb: *x\n").value == {"a": [1], "b": [1]}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("a: 1\na: 2\n", "2:1", "'a' is given twice"),
        ("a: &x [*x]\n", "1:4", "use fewer aliases"),
        (BOMB, "", "use fewer aliases"),
        ("a: !!python/object/apply:os.system [x]\n", "1:4", "is not accepted"),
        ("a: !mine {b: 1}\n", "1:4", "is not accepted"),
        ("a: !!int foo\n", "1:4", "'foo' is not a int"),
        ("a: !!map foo\n", "1:4", "is not accepted here"),
        ("a: !!str [foo]\n", "1:4", "is not accepted here"),
        ("a: " + "9" * 5000, "1:4", f"{'9' * 39}… is too large for a number"),
        ("a: 1e400", "1:4", "1e400 is too large for a number"),
        ("a: -9223372036854775809", "1:4", "-9223372036854775809 is too large for a number"),
        ("a: !!float nan", "1:4", "'nan' is not a float"),
        ("a: !!int 1_000", "1:4", "'1_000' is not a int"),
        ("a: !!bool yes", "1:4", "'yes' is not a bool"),
        ("a: !!null x", "1:4", "'x' is not a null"),
        ("[" * 3000, "", "nested more than"),
        ("? [a]\n: 1\n", "1:3", "must be a plain word"),
        ("a: [1\n", "2:1", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "2:1", "not valid YAML"),
        ('a: "\\ud800"\n', "1:4", "'\\ud800' is half of a character"),
        ('"\\udc80": 1\n', "1:1", "'\\udc80' is half of a character"),
        ("#" * document.MOST_BYTES + "\n", "", "it has 262,145 bytes; expected 262,144 at most"),
        ("", "1:1", "is empty"),
        ("a: 1\n".encode("utf-16"), "1:", "the byte 0xff is not UTF-8"),
        (b"a: \x00\n", "", "not valid YAML"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str | bytes, where: str, message: str) -> None:
    with pytest.raises(SuiteError) as error:
        read(tmp_path, text)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'file.yaml'}:{where}")
    assert "\n" not in str(error.value)
