"""junit.xml: one test case for each comparison, which every CI system can show."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from cmx_bench.gate.outputs import code_in_use
from cmx_bench.gate.outputs.sentences import explain, headline, one_line
from cmx_bench.gate.verdict import Outcome, State, Verdict

# The element of a state, and its type; what passed has no element.
_ELEMENTS: dict[State | Outcome, tuple[str, str]] = {
    "FAIL": ("failure", "regression"),
    "NOTHING COMPARED": ("failure", "nothing"),
    "INCONCLUSIVE": ("error", "inconclusive"),
    "INCOMPARABLE": ("skipped", "incomparable"),
    "NEW": ("skipped", "new"),
}
# Where undecided comparisons are let through, no CI system may turn red for them.
_LENIENT = _ELEMENTS | {"INCONCLUSIVE": ("skipped", "inconclusive")}


def render(verdict: Verdict) -> str:
    """The verdict as JUnit's XML; sides and notes are properties of the test suite."""
    elements = _ELEMENTS if verdict.policy == "fail" else _LENIENT
    states: list[State | Outcome] = [comparison.state for comparison in verdict.comparisons]
    if verdict.is_bare:  # it has a case too, for no other one is red
        states.append(verdict.state)
    tags = Counter(elements[state][0] for state in states if state in elements)
    suite = ElementTree.Element(
        "testsuite",
        name=one_line(verdict.title),
        tests=str(len(states)),
        failures=str(tags["failure"]),
        errors=str(tags["error"]),
        skipped=str(tags["skipped"]),
    )
    properties = ElementTree.SubElement(suite, "properties")
    facts = [
        ("verdict", headline(verdict)), *verdict.sides,
        *((fact.term, fact.text) for fact in code_in_use.facts(verdict)),
        *(("note", note) for note in verdict.notes),
    ]  # fmt: skip
    for name, value in facts:
        ElementTree.SubElement(properties, "property", name=one_line(name), value=one_line(value))
    against = verdict.several_sides
    for comparison in verdict.in_order:
        name = f"{comparison.model} {comparison.metric.name}"
        name += f" against {comparison.against}" * against
        case = ElementTree.SubElement(
            suite, "testcase", classname=one_line(comparison.setting), name=one_line(name)
        )
        _add_outcome(case, elements.get(comparison.state), explain(comparison, verdict.threshold))
    if verdict.is_bare:
        case = ElementTree.SubElement(suite, "testcase", classname="verdict", name="compared")
        _add_outcome(case, elements.get(verdict.state), headline(verdict))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add_outcome(case: ElementTree.Element, element: tuple[str, str] | None, text: str) -> None:
    if element is None:
        ElementTree.SubElement(case, "system-out").text = text
        return
    tag, kind = element
    outcome = ElementTree.SubElement(case, tag, message=text)
    if tag != "skipped":  # JUnit's skipped has no type
        outcome.set("type", kind)
