"""Which code both sides ran, in words; tests/gate/test_code.py holds how that is found."""

from __future__ import annotations

from cmx_bench.gate.outputs import code_in_use
from cmx_bench.gate.verdict import Contrast, Package, Verdict

SAME = Package("torch", 900, (), ("2.15", "2.15"), ("installed", "installed"))
NEWER = Package("timm", 40, (), ("1.0", "1.1"), ("installed", "installed"))
MINE = Package(
    "mypkg",
    6,
    ("mypkg/a.py", "mypkg/b.py", "mypkg/c.py", "mypkg/d.py"),
    (None, None),
    ("base", "."),
)


def facts(*contrasts: Contrast) -> dict[str, str]:
    verdict = Verdict("t", 0.05, (), (), contrasts=contrasts)
    return {fact.term: fact.text for fact in code_in_use.facts(verdict)}


def test_what_differs_is_counted_and_some_of_it_named() -> None:
    contrast = Contrast("base", ("A", "B"), ("A",), (SAME, NEWER, MINE), {"python": ("3.11", None)})
    assert facts(contrast) == {
        "Code that differs": (
            "timm 1.0 → 1.1: 0 of 40 files in use; mypkg: 4 of 6 files in use (mypkg/a.py, "
            "mypkg/b.py, mypkg/c.py and 1 more), from base and from .; python 3.11, now not set"
        ),
        "Same code": "torch (900 files); all that A uses",
    }


def test_what_nobody_knows_or_uses_is_told() -> None:
    contrast = Contrast("base", ("A", "B"), (), unknown={"head": ("A", "B")}, idle=("one", "two"))
    assert facts(contrast) == {
        "Not in use": "no model uses a file of one or of two",
        "Not known": "what A and B use on the side of head: it failed there",
    }


def test_each_of_several_sides_is_named() -> None:
    contrasts = (Contrast("base", ("A",), ("A",), (SAME,)), Contrast("anchor", ("A",), ("A",)))
    assert set(facts(*contrasts)) == {"Same code (base)"}
    assert code_in_use.nothing(Verdict("t", 0.05, (), (), contrasts=contrasts)) == (
        "against base: 1 model uses the same code on both sides (900 files and all versions are "
        "equal); against anchor: 1 model uses the same code on both sides (0 files and all "
        "versions are equal); with --expect-equal it is measured nevertheless"
    )
