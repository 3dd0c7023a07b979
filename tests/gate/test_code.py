"""What differs between what two sides ran, and how that is said."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from cmx_bench.gate import code
from cmx_bench.gate.code import Ran
from cmx_bench.gate.outputs import code_in_use, github, junit
from cmx_bench.gate.outputs.sentences import headline
from cmx_bench.gate.pairs import PairError, Worker
from cmx_bench.gate.verdict import Comparison, Contrast, Verdict
from cmx_bench.metrics import METRICS
from cmx_bench.results import checkouts

from .conftest import cell_of, stand_in_processes

ENVIRONMENT = {"device": "cpu", "device_name": "A CPU", "python": "3.11.7", "torch": "2.15"}
FILES = {"net.py": "depth = 2", "net.json": "{}", "unused.py": "", "lib.so": "\x7fELF"}

Side: TypeAlias = Callable[..., Ran]


@pytest.fixture
def side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Side:
    """Writes the checkout of a side, of which a model ran all but `unused.py`."""
    monkeypatch.chdir(tmp_path)
    code._is_equal.cache_clear()

    def write(
        name: str, of: Mapping[str, str] = FILES, ran: Iterable[str] = ("net.py", "net.json"),
        **parts: Any,
    ) -> Ran:  # fmt: skip
        package = tmp_path / name / "mypkg"
        package.mkdir(parents=True)
        for file, text in of.items():
            (package / file).write_text(text)
        paths = {f"mypkg/{file}": str(package / file) for file in of}
        modules = {file: path for file, path in paths.items() if file.endswith(".py")}
        given: dict[str, Any] = {
            "files": {file: path for file, path in paths.items() if Path(file).name in ran},
            "imported": modules,
            "libraries": {file: path for file, path in paths.items() if file.endswith(".so")},
            "versions": {"mypkg": "1.0"},
            "environment": ENVIRONMENT,
        }
        return Ran(**(given | parts))

    return write


def contrast(base: Ran, head: Ran) -> Contrast:
    by_side = {"base": {"net": base}, "head": {"net": head}}
    return code.contrast(by_side, {"base": "one", "head": "other"}, {"net": "My net"})


def said(*contrasts: Contrast, comparisons: tuple[Comparison, ...] = ()) -> dict[str, str]:
    verdict = Verdict("t", 0.05, (), comparisons, contrasts=contrasts)
    return {fact.term: fact.text for fact in code_in_use.facts(verdict)}


def test_the_same_code_in_two_checkouts(side: Side) -> None:
    contrasted = contrast(side("one"), side("other"))
    assert contrasted.is_empty
    assert said(contrasted) == {
        "Same code": "compiled libraries (1 file), mypkg (2 files, from one and from other)"
    }
    verdict = Verdict("t", 0.05, (), (), contrasts=(contrasted,))
    assert verdict.state == "NOTHING COMPARED"
    assert headline(verdict) == (
        "NOTHING COMPARED: 1 model uses the same code on both sides (3 files and all versions are "
        "equal); with --expect-equal it is measured nevertheless"
    )
    assert github.workflow_commands(verdict)[0].startswith("::error title=NOTHING COMPARED::")
    assert 'failures="1"' in junit.render(verdict)


@pytest.mark.parametrize(
    ("file", "text"), [("net.py", "depth = 3"), ("net.json", '{"a": 1}'), ("lib.so", "\x7fELF2")]
)
def test_one_file_that_differs(side: Side, file: str, text: str) -> None:
    """Of code, of settings that it reads, of compiled code."""
    contrasted = contrast(side("one"), side("other", FILES | {file: text}))
    assert not contrasted.is_empty
    assert f" in use (mypkg/{file})" in said(contrasted)["Code that differs"]


def test_a_file_that_differs_and_that_nobody_runs(side: Side) -> None:
    contrasted = contrast(side("one"), side("other", FILES | {"unused.py": "pass"}))
    assert contrasted.is_empty
    verdict = Verdict("t", 0.05, (), (), contrasts=(contrasted,))
    assert "mypkg/unused.py differs, and no model uses it" in headline(verdict)


def test_checkouts_from_which_nothing_ran(side: Side) -> None:
    nothing: dict[str, Any] = {"libraries": {}, "versions": {}}
    contrasted = contrast(side("one", ran=(), **nothing), side("other", ran=(), **nothing))
    assert contrasted.is_empty and contrasted.idle == ("one", "other")
    verdict = Verdict("t", 0.05, (), (), contrasts=(contrasted,))
    assert "no model uses a file of one or of other" in headline(verdict)


def test_a_file_that_ran_on_one_side_alone(side: Side) -> None:
    """No difference where the other side has the same, and could have run it."""
    assert contrast(side("one"), side("other", ran=("net.py", "net.json", "unused.py"))).is_empty
    more = FILES | {"new.py": ""}
    contrasted = contrast(side("base"), side("head", more, ran=("net.py", "net.json", "new.py")))
    assert said(contrasted)["Code that differs"].startswith(
        "mypkg: 1 of 3 files in use (mypkg/new.py)"
    )


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"versions": {"mypkg": "1.1"}}, "mypkg 1.0 → 1.1: 0 of 2 files in use"),
        ({"environment": ENVIRONMENT | {"python": "3.12.1"}}, "python 3.11.7, now 3.12.1"),
        ({"environment": ENVIRONMENT | {"OMP_NUM_THREADS": "1"}}, "OMP_NUM_THREADS not set, now 1"),
    ],
)
def test_versions_and_variables_that_differ(side: Side, parts: dict[str, Any], text: str) -> None:
    contrasted = contrast(side("one"), side("other", **parts))
    assert not contrasted.is_empty
    assert said(contrasted)["Code that differs"].startswith(text)


def test_the_installed_version_is_not_that_of_a_checkout(side: Side) -> None:
    """A version that changes with files that no model runs is no difference."""
    assert contrast(side("one"), side("other", environment=ENVIRONMENT | {"timm": "2"})).is_empty


def test_what_is_read_elsewhere_is_of_a_moment(side: Side, tmp_path: Path) -> None:
    """But what lies in the checkout, beside its packages, is not."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "net.yaml").write_text(name)
    base, head = side("one/src"), side("other/src")
    for ran, place in ((base, "/tmp/one"), (head, "/tmp/other")):
        ran.files[place] = place  # type: ignore[index]
    assert contrast(base, head).is_empty
    for ran, name in ((base, "one"), (head, "other")):
        path = str(tmp_path / name / "net.yaml")
        ran.files[path] = path  # type: ignore[index]
    assert "(net.yaml)" in said(contrast(base, head))["Code that differs"]


def test_only_some_models_differ(side: Side) -> None:
    first, other = side("one"), side("other", FILES | {"net.py": "depth = 3"})
    by_side = {"base": {"net": first, "mixer": first}, "head": {"net": other, "mixer": first}}
    paths = {"base": "one", "head": "other"}
    contrasted = code.contrast(by_side, paths, {"net": "My net", "mixer": "Mixer", "gone": "Gone"})
    assert (contrasted.same, contrasted.is_empty) == (("Mixer",), False)
    assert "all that Mixer uses" in said(contrasted)["Same code"]
    assert "what Gone uses on the side of base: it failed there" in said(contrasted)["Not known"]


def test_of_several_sides_one_is_not_compared(side: Side) -> None:
    first, other = side("one"), side("other", FILES | {"net.py": "depth = 3"})
    same = contrast(first, first)
    differs = replace(contrast(other, first), against="anchor")
    passed = Comparison("net", "My net", "r56", METRICS["params"], "anchor", "PASS")
    facts = said(same, differs, comparisons=(passed,))
    assert facts["Nothing compared (base)"].startswith("1 model uses the same code on both sides")
    assert "mypkg/net.py" in facts["Code that differs (anchor)"]
    assert "Nothing compared (anchor)" not in facts


def test_a_side_that_does_not_tell_is_not_the_same(side: Side) -> None:
    by_side: code.RanBySide = {"head": {"net": side("other")}}
    contrasted = code.contrast(by_side, {"base": "one", "head": "other"}, {"net": "My net"})
    assert not contrasted.is_empty


def test_what_several_processes_of_a_model_tell_is_put_together(side: Side) -> None:
    by_side: code.RanBySide = {}
    for file in ("net.py", "net.json"):
        ran = side(file, ran=(file,))
        sources = {part: getattr(ran, part) for part in code._PARTS} | {"of_later": 1}
        code.keep(by_side, "base", cell_of("net"), {"environment": ENVIRONMENT, "sources": sources})
    assert [*by_side["base"]["net"].files] == ["mypkg/net.py", "mypkg/net.json"]
    contrasted = code.contrast(by_side, {"base": "one", "head": "other"}, {"net": "My net"})
    assert [*contrasted.files["base"]["My net"]] == ["mypkg/net.py", "mypkg/net.json"]


def test_the_commit_of_a_side(side: Side, tmp_path: Path) -> None:
    ran = side("one")
    assert code.describe("one", [ran], ENVIRONMENT) == "one: A CPU (cpu), python 3.11.7, torch 2.15"
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path / "one"))
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "first")):
        subprocess.run([*git, *words], check=True)
    commit = checkouts.commit_of(tmp_path / "one")
    assert commit is not None
    assert code.describe("one", [ran], {}) == f"one, commit {commit}: nothing ran"
    (tmp_path / "one" / "mypkg" / "net.py").write_text("depth = 4")
    described = code.describe("one", [ran], {})
    assert described == f"one, commit {commit} with uncommitted changes: nothing ran"
    assert checkouts.commit_of(tmp_path) is None


def test_a_process_that_died_before_it_told_what_ran_has_a_second_try(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = side("one")
    sources = {part: getattr(ran, part) for part in code._PARTS}
    deaths = [PairError({"head": "it was killed"}, lost=True)]

    def ask(worker: Worker, order: object) -> Mapping[str, Any]:
        if worker.side.name == "head" and deaths:
            raise deaths.pop()
        return {"environment": ENVIRONMENT, "sources": sources}

    by_side: code.RanBySide = {}
    code.trace(cell_of("net"), *stand_in_processes(monkeypatch, ask), by_side)
    assert [*by_side] == ["base", "head"]
