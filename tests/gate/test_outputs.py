"""Each output against its golden file, and against names that try to break out of it.

To write the golden files anew, after looking at the difference:

    CMX_GOLDEN=1 python -m pytest tests/gate/test_outputs.py
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.gate.outputs import OUTPUTS, console, github, write
from cmx_bench.gate.outputs.comparisons import table
from cmx_bench.gate.outputs.sentences import headline, title, why, worded
from cmx_bench.gate.verdict import Comparison, Policy, State, Verdict
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


def made(model: str, state: State, metric: str = "throughput", **fields: Any) -> Comparison:
    given: dict[str, Any] = {"label": model.capitalize(), "setting": SETTING, "against": "base"}
    return Comparison(model=model, state=state, metric=METRICS[metric], **(given | fields))


def slower(model: str = "resnet18", state: State = "FAIL", **fields: Any) -> Comparison:
    given: dict[str, Any] = {
        "label": "ResNet-18", "base": 42.0, "head": 42.0 / 1.072, "slowdown": 0.072, "low": 0.051,
        "high": 0.093, "detectable": 0.031, "n": (8, 8),
    }  # fmt: skip
    return made(model, state, **(given | fields))


def even(model: str, state: State = "PASS", **fields: Any) -> Comparison:
    given: dict[str, Any] = {
        "slowdown": 0.004, "low": -0.012, "high": 0.02, "base": 30.0, "head": 29.88,
        "detectable": 0.028, "n": (10, 10),
    }  # fmt: skip
    return made(model, state, **(given | fields))


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
        made("gone", "INCOMPARABLE", reason="not in the baseline"),
        even("resmlp", slowdown=-0.081, low=-0.09, high=-0.07, head=32.6, against="anchor"),
        made("resnet18", "PASS", "params", base=11_689_512.0, head=11_689_512.0, slowdown=0.0),
        made("resnet18", "FAIL", "planned_memory", base=48_168_960.0, head=60_211_200.0,
             slowdown=0.25, n=(1, 1)),
        unsure(),
        made("new", "NEW", head=12.5, n=(0, 5), reason="not in the baseline",
             setting="cuda-fp16-nchw-eager-b64-r128"),
        slower(),
        slower("resnet34", "FAIL", slowdown=None, head=None, low=None, high=None, n=(8, 0),
               detectable=None, label="ResNet-34", reason="out of memory"),
    )  # fmt: skip


def awkward() -> Verdict:
    comparisons = [
        made(f"m {name}", state, label=name, setting=f"s {name}", against=name, reason=name,
             base=1.0, head=2.0, slowdown=0.5, low=0.4, high=0.6)
        for name, state in zip(AWKWARD, ("FAIL", "INCONCLUSIVE", "PASS", "NEW", "INCOMPARABLE") * 2,
                               strict=True)
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


# --- title and headline ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            [slower(), *(even(f"m{place}") for place in range(19))],
            "FAIL: 1 of 20 comparisons slower (ResNet-18 throughput: 7.2 % slower, "
            "95 % interval 5.1 to 9.3 %, threshold 5 %)",
        ),
        (
            [unsure(), even("deit")],
            "INCONCLUSIVE: 1 of 2 comparisons undecided (Mixer throughput: 3.0 % slower, 95 % "
            "interval −2.0 to 8.0 %, threshold 5 %); about 40 s more measuring would decide",
        ),
        (
            [unsure(), unsure("deit", seconds_more=None, slowdown=0.01)],
            "INCONCLUSIVE: 2 of 2 comparisons undecided (worst: Mixer throughput: 3.0 % slower, "
            "95 % interval −2.0 to 8.0 %, threshold 5 %); about 40 s more measuring would decide "
            "1 of them",
        ),
        (
            [*(even(f"m{place}") for place in range(19)), even("deit", detectable=0.031)],
            "PASS: 20 comparisons, none slower by 5 %; smallest detectable change 3.1 %",
        ),
        ([even("deit")], "PASS: 1 comparison, not slower by 5 %; smallest detectable change 2.8 %"),
        (
            [even("deit", slowdown=-0.081, low=-0.09, high=-0.07), even("mixer")],
            "PASS: 2 comparisons, none slower by 5 %; 1 better (Deit throughput: 8.1 % faster, "
            "95 % interval 7.0 to 9.0 %); smallest detectable change 2.8 %",
        ),
        (
            [made(f"m{place}", "INCOMPARABLE") for place in range(20)],
            "NOTHING COMPARED: no metric of any model can be judged (20 incomparable)",
        ),
        ([], "NOTHING COMPARED: neither side has any values"),
        (
            [made("deit", "FAIL", "params", base=10.0, head=11.0, slowdown=0.1), unsure()],
            "FAIL: 1 of 2 comparisons worse (Deit parameters: 10 → 11, 10 % higher); "
            "1 inconclusive",
        ),
    ],
)
def test_headline(found: list[Comparison], expected: str) -> None:
    assert headline(verdict(*found)) == expected


def test_the_title_says_what_was_compared_on_what_and_by_which_threshold() -> None:
    sides = {"head": ".", "base": "../base", "anchor": "../old\n"}
    assert title("ci", sides, "AMD EPYC", 0.05) == (
        "ci: head . against base ../base and anchor ../old on AMD EPYC, threshold 5 %"
    )


def test_what_was_not_judged_is_counted_in_the_headline() -> None:
    found = verdict(even("deit"), made("new", "NEW"), made("gone", "INCOMPARABLE"))
    assert headline(found).endswith("; not judged: 1 incomparable, 1 new")


@pytest.mark.parametrize(
    ("slowdown", "metric", "expected"),
    [
        (0.05, "throughput", "5.0 % slower"),
        (-0.05, "latency_p50", "5.0 % faster"),
        (0.05, "peak_memory", "5.0 % higher"),
        (-0.05, "params", "5.0 % lower"),
        (0.0, "params", "unchanged"),
    ],
)
def test_a_change_in_the_words_of_its_metric(slowdown: float, metric: str, expected: str) -> None:
    assert worded(slowdown, METRICS[metric]) == expected


def test_no_evidence_is_a_result() -> None:
    assert why(even("deit")) == "no evidence of a change"
    assert why(even("deit", low=0.001)) == "slower, but by less than the threshold"
    assert why(unsure(seconds_more=None)) == "no reasonable amount of measuring would decide"


# --- the table ------------------------------------------------------------------------------------


def test_every_comparison_has_a_row_and_what_failed_is_first() -> None:
    rows = table(mixed()).rows
    assert [row[-2].text for row in rows] == [
        "FAIL", "FAIL", "FAIL", "INCONCLUSIVE", "PASS", "PASS", "PASS", "NEW", "INCOMPARABLE",
    ]  # fmt: skip


def test_exact_values_are_not_rounded() -> None:
    texts = [entry.text for row in table(mixed()).rows for entry in row]
    assert "60,211,200 B" in texts and "11,689,512" in texts


def test_a_difference_of_an_exact_metric_is_shown_however_small_it_is() -> None:
    """32 of 25.6 million parameters were "0 %", beside FAIL."""
    found = verdict(
        made("resnet50", "FAIL", "params", base=25_557_032.0, head=25_557_064.0,
             slowdown=32 / 25_557_032, reason="an exact metric changed"),
        made("resnet50", "FAIL", "planned_memory", base=0.0, head=64.0),
    )  # fmt: skip
    shown = table(found)
    place = [column.key for column in shown.columns].index("slowdown")
    params, memory = (row[place] for row in shown.rows)
    assert (params.text, params.detail) == ("+32", "+0.00013 %")
    assert (memory.text, memory.detail) == ("+64 B", "")
    assert "+32 (+0.00013 %)" in console.text(found, 120)
    assert "25,557,032 → 25,557,064, 0.00013 % higher" in headline(verdict(found.comparisons[0]))
    for name in ("verdict.md", "verdict.html"):
        assert "+32" in OUTPUTS[name](found) and "+0.00013 %" in OUTPUTS[name](found)


@pytest.mark.parametrize(("slowdown", "text"), [(3e-5, "+0.0030 %"), (-3e-5, "−0.0030 %")])
def test_a_sampled_difference_is_none_only_where_it_is_zero(slowdown: float, text: str) -> None:
    shown = table(verdict(even("deit", slowdown=slowdown)))
    place = [column.key for column in shown.columns].index("slowdown")
    assert shown.rows[0][place].text == text
    same = table(verdict(even("deit", slowdown=0.0)))
    assert same.rows[0][place].text == "0 %"


def test_the_other_side_is_a_column_only_where_there_are_several() -> None:
    assert "against" in [column.key for column in table(mixed()).columns]
    assert "against" not in [column.key for column in table(verdict(slower(), unsure())).columns]


# --- each format ----------------------------------------------------------------------------------


def test_every_output_shows_the_sides_and_the_notes() -> None:
    texts = [output(mixed()) for name, output in OUTPUTS.items() if name != "benchmark.json"]
    for text in (*texts, console.text(mixed(), 200)):
        assert "commit 1234567, torch 2.14" in text
        assert "One thread on a shared machine." in text


def test_markdown_tables_are_rectangular_and_hold_no_markup_from_names() -> None:
    text = OUTPUTS["verdict.md"](awkward())
    counts = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines()]
    for one, other in pairwise(counts):
        assert 0 in (one, other) or one == other
    assert set(re.findall(r"</?(\w+)", text)) == {"br", "sub"}
    assert "[link](" not in text and "@somebody" not in text


def test_the_page_needs_no_network_and_runs_nothing() -> None:
    text = OUTPUTS["verdict.html"](awkward())
    assert not re.search(r"https?:|//\w", text)
    assert "<script" not in text and 'onmouseover="' not in text
    assert "default-src 'none'" in text and "prefers-color-scheme: dark" in text
    text.encode()


@pytest.mark.parametrize("found", [mixed(), awkward()])
def test_junit_tells_each_state(found: Verdict) -> None:
    root = ElementTree.fromstring(OUTPUTS["junit.xml"](found).encode())
    suite = root.find("testsuite")
    assert suite is not None
    cases, counts = suite.findall("testcase"), found.counts
    assert len(cases) == len(found.comparisons) == int(suite.attrib["tests"])
    for attribute, path, states in (
        ("failures", "failure[@type='regression']", ("FAIL",)),
        ("errors", "error[@type='inconclusive']", ("INCONCLUSIVE",)),
        ("skipped", "skipped", ("NEW", "INCOMPARABLE")),
    ):
        there = [case.find(path) for case in cases if case.find(path) is not None]
        assert len(there) == int(suite.attrib[attribute]) == sum(counts[s] for s in states)
        assert all(one is not None and one.attrib["message"] for one in there)
    names = [(case.attrib["classname"], case.attrib["name"]) for case in cases]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("policy", ["pass", "warn"])
def test_what_is_let_through_makes_nothing_red(policy: Policy) -> None:
    found = verdict(unsure(), even("deit"), policy=policy)
    suite = ElementTree.fromstring(OUTPUTS["junit.xml"](found).encode()).find("testsuite")
    assert suite is not None
    assert {name: suite.attrib[name] for name in ("failures", "errors", "skipped")} == {
        "failures": "0", "errors": "0", "skipped": "1",
    }  # fmt: skip
    [skipped] = suite.findall("testcase/skipped")
    assert "more measuring would decide" in skipped.attrib["message"]
    for text in (OUTPUTS["verdict.md"](found), console.text(found, 160)):
        assert "INCONCLUSIVE: 1 of 2" in text and f"as --inconclusive {policy} asks" in text


def test_a_regression_is_red_whatever_the_policy() -> None:
    found = verdict(slower(), unsure(), policy="warn")
    suite = ElementTree.fromstring(OUTPUTS["junit.xml"](found).encode()).find("testsuite")
    assert suite is not None and (suite.attrib["failures"], suite.attrib["errors"]) == ("1", "0")
    assert not found.let_through


def test_junit_is_red_where_nothing_was_compared() -> None:
    for found in (verdict(), verdict(made("a", "INCOMPARABLE"))):
        suite = ElementTree.fromstring(OUTPUTS["junit.xml"](found).encode()).find("testsuite")
        assert suite is not None
        assert suite.attrib["failures"] == "1"
        [failure] = suite.findall("testcase/failure")
        assert failure.attrib["message"].startswith("NOTHING COMPARED: ")


def test_charts_get_what_is_better_higher_each_once() -> None:
    found = json.loads(OUTPUTS["benchmark.json"](mixed()))
    assert len(found) == 5  # the failed and the incomparable one have no value
    assert found[1] == {
        "name": f"resmlp throughput {SETTING}", "unit": "images/s", "value": 32.6,
        "extra": "n = 10, PASS against anchor", "range": "change ± 1.1 %",
    }  # fmt: skip
    twice = verdict(slower(), slower(against="anchor"))
    assert len(json.loads(OUTPUTS["benchmark.json"](twice))) == 1


def test_the_terminal_keeps_to_its_width() -> None:
    for width in (60, 80, 120):
        assert max(map(len, console.text(mixed(), width).splitlines())) <= width
    assert "\x1b" not in console.text(awkward(), 80)


def test_the_terminal_says_of_how_many_models_each_metric_is_equal() -> None:
    """MACs of one model failed: both metrics are not "of 2 models"."""
    one, other = (made(name, "PASS", "params", slowdown=0.0) for name in ("resnet18", "deit"))
    macs = made("deit", "PASS", "macs", slowdown=0.0)
    trainable = [made(name, "PASS", "trainable_params", slowdown=0.0) for name in ("a", "b")]
    text = console.text(verdict(one, other, macs, *trainable), 120)
    assert (
        "equal, as they must be: Parameters, Trainable parameters of 2 models; MACs of 1 model"
    ) in text


def test_every_output_for_people_says_in_which_setting_all_was_measured() -> None:
    found = verdict(slower(), even("deit"))
    texts = [OUTPUTS[name](found) for name in ("verdict.md", "verdict.html")]
    for text in (*texts, console.text(found, 100)):
        assert "Measured in" in text and SETTING in text


# --- GitHub ---------------------------------------------------------------------------------------


def test_annotations_are_escaped() -> None:
    name = "50 %: a,b\nc"
    found = verdict(slower(label=name), unsure(), even("deit"))
    assert github.workflow_commands(found) == [
        "::error title=FAIL%3A 50 %25%3A a%2Cb c throughput::"
        "7.2 %25 slower, 95 %25 interval 5.1 to 9.3 %25, threshold 5 %25",
        "::warning title=INCONCLUSIVE%3A Mixer throughput::3.0 %25 slower, "
        "95 %25 interval −2.0 to 8.0 %25, threshold 5 %25; about 40 s more measuring would decide",
    ]
    assert not any("\n" in line for line in github.workflow_commands(awkward()))


@pytest.mark.parametrize(
    ("policy", "kind"), [("fail", "warning"), ("warn", "warning"), ("pass", "notice")]
)
def test_an_undecided_comparison_is_annotated_by_the_policy(policy: Policy, kind: str) -> None:
    [line] = github.workflow_commands(verdict(unsure(budget=130.0), policy=policy))
    assert line.startswith(f"::{kind} title=INCONCLUSIVE%3A Mixer throughput::3.0 %25 slower")
    assert line.endswith("about 40 s more measuring would decide, as --budget 3m would have")


def test_a_verdict_on_nothing_is_an_error_too() -> None:
    assert github.workflow_commands(verdict()) == [
        "::error title=NOTHING COMPARED::NOTHING COMPARED: neither side has any values"
    ]
    assert github.workflow_commands(verdict(even("deit"))) == []


def test_the_summary_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n", encoding="utf-8")
    assert github.append_summary(mixed(), path)
    assert path.read_text(encoding="utf-8") == "before\n" + OUTPUTS["verdict.md"](mixed())


def test_a_summary_is_cut_by_whole_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(github, "_MOST_BYTES", 2**13)
    path = tmp_path / "summary.md"
    found = verdict(slower(), *(even(f"m{place}") for place in range(200)))
    assert github.append_summary(found, path)
    text = path.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert 2**13 - 300 < len(text.encode()) <= 2**13
    assert f"There is no room for {203 - len(rows)} more rows here" in text
    assert not github.append_summary(found, path)  # no room is left
    assert path.read_text(encoding="utf-8") == text


# --- files ----------------------------------------------------------------------------------------


def test_write_leaves_every_output(tmp_path: Path) -> None:
    write(awkward(), tmp_path / "deep" / "out")
    assert sorted(path.name for path in (tmp_path / "deep" / "out").iterdir()) == sorted(OUTPUTS)


def test_write_says_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RecordsError, match=r"file.*: cannot be written: "):
        write(mixed(), tmp_path / "file" / "out")


def test_what_would_decide_is_said_once() -> None:
    early = unsure(slowdown=None, low=None, high=None, reason="fewer than 4 pairs", budget=130.0)
    assert headline(verdict(early)).count("more measuring would decide, as --budget 3m") == 1


def test_the_threshold_is_shown_as_it_was_given() -> None:
    assert "threshold 12.5 %" in headline(dataclasses.replace(verdict(slower()), threshold=0.125))
