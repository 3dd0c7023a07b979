"""Annotations and the summary of a job on GitHub."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmx_bench.gate.outputs import OUTPUTS, github
from cmx_bench.gate.verdict import Policy

from ..test_outputs import awkward, even, make_comparison, mixed, slower, unsure, verdict


def test_annotations_are_escaped() -> None:
    name = "50 %: a,b\nc"
    judged = verdict(slower(label=name), unsure(), even("deit"))
    assert github.workflow_commands(judged) == [
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
    github.append_summary(mixed(), path)
    assert path.read_text(encoding="utf-8") == "before\n" + OUTPUTS["verdict.md"](mixed())


def test_of_too_long_a_summary_there_is_the_headline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "summary.md"
    monkeypatch.setattr(github, "_MOST_BYTES", 2**9)
    github.append_summary(verdict(slower()), path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("FAIL: 1 of 1 comparison slower (ResNet-18 throughput: 7.2 % slower")
    assert text.endswith("; verdict.md has the table.\n")
    monkeypatch.setattr(github, "_MOST_BYTES", len(text))
    github.append_summary(verdict(slower()), path)
    assert path.read_text(encoding="utf-8") == text  # no room is left


@pytest.mark.parametrize(("policy", "kind"), [("fail", "warning"), ("pass", "notice")])
def test_an_annotation_says_that_no_timing_could_be_judged(policy: Policy, kind: str) -> None:
    exact = make_comparison("a", "PASS", "params", base=1.0, head=1.0, slowdown=0.0)
    judged = verdict(exact, make_comparison("a", "INCOMPARABLE", reason="elsewhere"), policy=policy)
    [command] = github.workflow_commands(judged)
    assert command.startswith(f"::{kind} title=INCONCLUSIVE::INCONCLUSIVE: 1 comparison of exact")
