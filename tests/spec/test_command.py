"""Suites as a command line makes them: models beside those of a file or alone, and quick ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cmx_bench.errors import SuiteError
from cmx_bench.spec import suite
from cmx_bench.spec.model_entries import ModelEntry
from cmx_bench.spec.settings import USUAL

from ..conftest import TINY


def test_models_need_no_file() -> None:
    alone = suite.load(None, added=["resnet50", "mine.models:net"])
    assert alone.suite.name == "resnet50-mine.models.net"
    assert alone.suite.title == "resnet50, mine.models.net"
    assert alone.suite.models == [
        ModelEntry(name="resnet50"), ModelEntry(name="mine.models.net", python="mine.models:net"),
    ]  # fmt: skip
    assert (alone.suite.measures, alone.suite.settings) == (suite.USUAL_MEASURES, USUAL)
    assert alone.words == ["--model=resnet50", "--model=mine.models:net"]
    assert suite.load(None, added=["a", "b", "c"]).suite.name == "a-and-2-more"
    assert suite.load(None, added=["a" * 99, "b"]).suite.name == "a" * 99 + "-"


def test_models_stand_beside_those_of_a_suite(write_suite: Callable[..., Path]) -> None:
    path = str(write_suite())
    more = suite.load(path, added=["resnet18"])
    assert more.suite.named == ["mixer", "net", "resnet18"]
    assert more.suite.hash != suite.load(path).suite.hash
    assert more.words == [path, "--model=resnet18"]


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (["resnet50", "resnet50"], "--model resnet50: 'resnet50' is given twice; keep one"),
        (["a/b"], "--model a/b: name: expected a name of letters, digits, "),
        ([""], "--model : name: expected a name of letters"),
        (["a:b:c"], "--model a:b:c: models: python is 'module:callable', got 'a:b:c'"),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_a_mistake_is_placed_on_the_command_line(
    write_suite: Callable[..., Path], added: list[str], message: str, alone: bool
) -> None:
    with pytest.raises(SuiteError) as error:
        suite.load(None if alone else str(write_suite()), added=added)
    assert str(error.value).startswith(message)


def test_a_mistake_in_the_file_keeps_its_place(write_suite: Callable[..., Path]) -> None:
    path = write_suite(TINY.replace("dim: 8", "dim: eight"))
    with pytest.raises(SuiteError, match=f"{path}:3:60: dim: expected a whole number"):
        suite.load(str(path), added=["resnet18"])


def test_a_quick_suite_is_another(write_suite: Callable[..., Path]) -> None:
    """Even of one that asks for two rounds in a minute itself."""
    text = TINY.replace("replicates: 3", "replicates: 2\nbudget: 1m")
    for path in (write_suite(TINY + "precision: 1%\n"), write_suite(text)):
        whole, quick = (suite.load(str(path), quick=quick) for quick in (False, True))
        asked = quick.suite
        assert (asked.replicates, asked.precision, asked.budget) == (2, None, 60.0)
        assert quick.hash != whole.hash == whole.suite.hash
        assert quick.words == [str(path), "--quick"]
