"""Each output against its golden file, and against names that try to break out of it.

To write the golden files anew, after looking at the difference:

    CMX_GOLDEN=1 python -m pytest tests/gate/test_outputs.py
"""

from __future__ import annotations

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.gate.outputs import OUTPUTS, console, write
from cmx_bench.gate.verdict import Comparison, State, Verdict
from cmx_bench.metrics import METRICS

GOLDEN = Path(__file__).parent / "golden"
AWKWARD = (
    "<script>alert(1)</script>",
    "a|b|c",
    "_under_ *star* `tick` [link](javascript:x) #1 @somebody",
    "100 %, & more: \\ \"quoted\" 'single'",
    "emoji 🤖 und Umlaute äöü",
    "x" * 200,
    "two\nlines\r\n::error::three",
    "bell\x07, \x00 and lone surrogate \ud800",
    "]]> --> <!-- ",
    '" onmouseover="alert(1)',
)
SETTING = "cpu-fp32-nchw-eager-b1-r128-t1"


def make_comparison(
    model: str, state: State, metric: str = "throughput", **fields: Any
) -> Comparison:
    given: dict[str, Any] = {"label": model.capitalize(), "setting": SETTING, "against": "base"}
    return Comparison(model=model, state=state, metric=METRICS[metric], **(given | fields))


def slower(model: str = "resnet18", state: State = "FAIL", **fields: Any) -> Comparison:
    given: dict[str, Any] = {
        "label": "ResNet-18", "base": 42.0, "head": 42.0 / 1.072, "slowdown": 0.072, "low": 0.051,
        "high": 0.093, "detectable": 0.031, "n": (8, 8),
    }  # fmt: skip
    return make_comparison(model, state, **(given | fields))


def even(model: str, state: State = "PASS", **fields: Any) -> Comparison:
    given: dict[str, Any] = {
        "slowdown": 0.004, "low": -0.012, "high": 0.02, "base": 30.0, "head": 29.88,
        "detectable": 0.028, "n": (10, 10),
    }  # fmt: skip
    return make_comparison(model, state, **(given | fields))


def unsure(model: str = "mixer", **fields: Any) -> Comparison:
    given = {"slowdown": 0.03, "low": -0.02, "high": 0.08, "seconds_more": 40.0}
    return even(model, "INCONCLUSIVE", **(given | fields))


def verdict(*comparisons: Comparison, **fields: Any) -> Verdict:
    given: dict[str, Any] = {
        "title": "base against head",
        "threshold": 0.05,
        "sides": (("base", "commit 1234567, torch 2.14"), ("head", "commit 89abcde, torch 2.14")),
        "notes": ("One thread on a shared machine.",),
        "command": "cmx-bench ab --base a --head b",
    }
    return Verdict(comparisons=comparisons, **(given | fields))


def mixed() -> Verdict:
    """Every state once, exact metrics, two settings and two sides to be held against."""
    return verdict(
        even("deit"),
        make_comparison("gone", "INCOMPARABLE", reason="not in the baseline"),
        even("resmlp", slowdown=-0.081, low=-0.09, high=-0.07, head=32.6, against="anchor"),
        make_comparison("resnet18", "PASS", "params", base=11_689_512.0, head=11_689_512.0,
                        slowdown=0.0),
        make_comparison("resnet18", "FAIL", "planned_memory", base=48_168_960.0, head=60_211_200.0,
                        slowdown=0.25, n=(1, 1)),
        unsure(),
        make_comparison("new", "NEW", head=12.5, n=(0, 5), reason="not in the baseline",
                        setting="cuda-fp16-nchw-eager-b64-r128"),
        slower(),
        slower("resnet34", "FAIL", slowdown=None, head=None, low=None, high=None, n=(8, 0),
               detectable=None, label="ResNet-34", reason="out of memory"),
    )  # fmt: skip


def awkward() -> Verdict:
    comparisons = [
        make_comparison(f"m {name}", state, label=name, setting=f"s {name}", against=name,
                        reason=name, base=1.0, head=2.0, slowdown=0.5, low=0.4, high=0.6)
        for name, state in zip(AWKWARD, get_args(State) * 2, strict=True)
    ]  # fmt: skip
    return verdict(*comparisons, title=AWKWARD[0], notes=AWKWARD, command=AWKWARD[3],
                   sides=tuple((name, name) for name in AWKWARD))  # fmt: skip


@pytest.mark.parametrize("name", [*OUTPUTS, "terminal.txt"])
def test_golden(name: str) -> None:
    text = console.text(mixed(), 100) if name == "terminal.txt" else OUTPUTS[name](mixed())
    # The report's style and its hash, in any case.
    text = re.sub(r"<style>.*?</style>\n|'sha256-.*?'", "", text, flags=re.DOTALL)
    if os.environ.get("CMX_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_output_shows_the_sides_and_the_notes() -> None:
    texts = [output(mixed()) for name, output in OUTPUTS.items() if name != "benchmark.json"]
    for text in (*texts, console.text(mixed(), 200)):
        assert "commit 1234567, torch 2.14" in text
        assert "One thread on a shared machine." in text


def test_write_leaves_every_output(tmp_path: Path) -> None:
    write(awkward(), tmp_path / "deep" / "out")
    assert sorted(path.name for path in (tmp_path / "deep" / "out").iterdir()) == sorted(OUTPUTS)


def test_write_says_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RecordsError, match=r"file.*: cannot be written: "):
        write(mixed(), tmp_path / "file" / "out")


def test_markdown_tables_are_rectangular_and_hold_no_markup_from_names() -> None:
    text = OUTPUTS["verdict.md"](awkward())
    counts = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines()]
    for count, other in pairwise(counts):
        assert 0 in (count, other) or count == other
    assert set(re.findall(r"</?(\w+)", text)) == {"br", "sub"}
    assert "[link](" not in text and "@somebody" not in text


def test_the_page_needs_no_network_and_runs_nothing() -> None:
    text = OUTPUTS["verdict.html"](awkward())
    assert not re.search(r"https?:|//\w", text)
    assert "<script" not in text and 'onmouseover="' not in text
    assert "default-src 'none'" in text and "prefers-color-scheme: dark" in text
    text.encode()


def test_every_output_for_people_says_in_which_setting_all_was_measured() -> None:
    judged = verdict(slower(), even("deit"))
    texts = [OUTPUTS[name](judged) for name in ("verdict.md", "verdict.html")]
    for text in (*texts, console.text(judged, 100)):
        assert "Measured in" in text and SETTING in text


def test_charts_get_what_is_better_higher_each_once() -> None:
    rows = json.loads(OUTPUTS["benchmark.json"](mixed()))
    assert len(rows) == 5  # the failed and the incomparable one have no value
    assert rows[1] == {
        "name": f"resmlp throughput {SETTING}", "unit": "images/s", "value": 32.6,
        "extra": "n = 10, PASS against anchor", "range": "change ± 1.1 %",
    }  # fmt: skip
    twice = verdict(slower(), slower(against="anchor"))
    assert len(json.loads(OUTPUTS["benchmark.json"](twice))) == 1
