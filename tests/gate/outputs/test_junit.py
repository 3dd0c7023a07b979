"""junit.xml: each state as CI systems know it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from cmx_bench.gate.outputs import OUTPUTS, console
from cmx_bench.gate.verdict import Policy, State, Verdict

from ..test_outputs import awkward, even, make_comparison, mixed, slower, unsure, verdict


@pytest.mark.parametrize("judged", [mixed(), awkward()])
def test_junit_tells_each_state(judged: Verdict) -> None:
    root = ElementTree.fromstring(OUTPUTS["junit.xml"](judged).encode())
    suite = root.find("testsuite")
    assert suite is not None
    cases, counts = suite.findall("testcase"), judged.counts
    assert len(cases) == len(judged.comparisons) == int(suite.attrib["tests"])
    states: tuple[State, ...]
    for attribute, path, states in (
        ("failures", "failure[@type='regression']", ("FAIL",)),
        ("errors", "error[@type='inconclusive']", ("INCONCLUSIVE",)),
        ("skipped", "skipped", ("NEW", "INCOMPARABLE")),
    ):
        there = [case.find(path) for case in cases if case.find(path) is not None]
        assert len(there) == int(suite.attrib[attribute]) == sum(counts[s] for s in states)
        assert all(case is not None and case.attrib["message"] for case in there)
    names = [(case.attrib["classname"], case.attrib["name"]) for case in cases]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("policy", ["pass", "warn"])
def test_what_is_let_through_makes_nothing_red(policy: Policy) -> None:
    judged = verdict(unsure(), even("deit"), policy=policy)
    suite = ElementTree.fromstring(OUTPUTS["junit.xml"](judged).encode()).find("testsuite")
    assert suite is not None
    assert {name: suite.attrib[name] for name in ("failures", "errors", "skipped")} == {
        "failures": "0", "errors": "0", "skipped": "1",
    }  # fmt: skip
    [skipped] = suite.findall("testcase/skipped")
    assert "more measuring would decide" in skipped.attrib["message"]
    for text in (OUTPUTS["verdict.md"](judged), console.text(judged, 160)):
        assert "INCONCLUSIVE: 1 of 2" in text and f"as --inconclusive {policy} asks" in text


def test_a_regression_is_red_whatever_the_policy() -> None:
    judged = verdict(slower(), unsure(), policy="warn")
    suite = ElementTree.fromstring(OUTPUTS["junit.xml"](judged).encode()).find("testsuite")
    assert suite is not None and (suite.attrib["failures"], suite.attrib["errors"]) == ("1", "0")
    assert not judged.let_through


def test_junit_is_red_where_nothing_was_compared() -> None:
    for judged in (verdict(), verdict(make_comparison("a", "INCOMPARABLE"))):
        suite = ElementTree.fromstring(OUTPUTS["junit.xml"](judged).encode()).find("testsuite")
        assert suite is not None
        assert suite.attrib["failures"] == "1"
        [failure] = suite.findall("testcase/failure")
        assert failure.attrib["message"].startswith("NOTHING COMPARED: ")


@pytest.mark.parametrize(("policy", "tag"), [("fail", "error"), ("warn", "skipped")])
def test_junit_shows_that_no_timing_could_be_judged(policy: Policy, tag: str) -> None:
    exact = make_comparison("a", "PASS", "params", base=1.0, head=1.0, slowdown=0.0)
    judged = verdict(exact, make_comparison("a", "INCOMPARABLE", reason="elsewhere"), policy=policy)
    suite = ElementTree.fromstring(OUTPUTS["junit.xml"](judged).encode()).find("testsuite")
    assert suite is not None and suite.attrib["tests"] == "3"
    outcome = suite.find(f"testcase[@name='compared']/{tag}")
    assert outcome is not None
    assert outcome.attrib["message"].startswith("INCONCLUSIVE: 1 comparison of exact metrics, ")
