"""Rounds of pairs until all is decided, with stand-ins for the pairs."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cmx_bench
from cmx_bench import units
from cmx_bench.execute import interpreters
from cmx_bench.gate import ab, code, comparing, pairs, rule
from cmx_bench.gate.ab import Gate
from cmx_bench.gate.blocks import Block
from cmx_bench.gate.pairs import PairError
from cmx_bench.gate.verdict import Comparison
from cmx_bench.metrics import METRICS
from cmx_bench.results import stats

from .conftest import cell_of, normal, pair_of, plan_of, stand_in_processes

PATHS = {"base": "old", "head": "new"}
GATE = Gate(0.05)


def compared(plan: Any, gate: Gate = GATE) -> list[Comparison]:
    return ab.compare(plan, PATHS, gate, Path("log"), lambda *_: None).comparisons()


def by_model(comparisons: list[Comparison]) -> dict[str, Comparison]:
    return {comparison.model: comparison for comparison in comparisons}


def test_each_model_until_it_is_decided(stand_in_pairs: Callable[..., list[str]]) -> None:
    means = {"even": 0.0, "slower": 0.06, "faster": -0.1}
    stand_in_pairs(normal(lambda name, layers: means[name], 0.005))
    comparisons = compared(plan_of(*means))
    assert {name: comparison.state for name, comparison in by_model(comparisons).items()} == {
        "even": "PASS", "slower": "FAIL", "faster": "PASS",
    }  # fmt: skip
    for comparison in comparisons:
        assert comparison.n[0] in rule.LOOKS
        assert comparison.low is not None
        assert comparison.high is not None
        assert comparison.low < comparison.slowdown < comparison.high  # type: ignore[operator]
    decided = by_model(comparisons)
    assert decided["slower"].slowdown == pytest.approx(0.062, abs=0.01)
    assert decided["slower"].base == pytest.approx(2 / 0.02)  # a batch of two in 20 ms


def test_every_round_has_fresh_servers_and_all_undecided_models(
    stand_in_pairs: Callable[..., list[str]],
) -> None:
    order = stand_in_pairs(lambda name, layers: 0.0 if name == "a" else 0.5)
    compared(plan_of("a", "b"))
    rounds = "".join(order).split("|")[1:]
    assert [sorted(names) for names in rounds] == [["a", "b"]] * rule.LOOKS[0]


def test_out_of_budget_is_inconclusive_and_says_what_would_decide(
    stand_in_pairs: Callable[..., list[str]],
) -> None:
    noise = iter([0.1, -0.1, 0.08, -0.06, 0.05, -0.02] * 20)
    stand_in_pairs(lambda name, layers: next(noise))
    [comparison] = compared(plan_of("a"), Gate(0.05, budget=0))
    assert (comparison.state, comparison.n) == ("INCONCLUSIVE", (1, 1))
    assert comparison.reason == "fewer than 4 pairs"
    wide = comparing.judge(
        cell_of("a"), [pair_of("a", ratio) for ratio in (0.1, -0.1, 0.08, -0.06)], 0.05
    )
    assert wide.state == "INCONCLUSIVE"
    assert wide.more is not None
    assert wide.more > 3


def test_more_pairs_than_are_ever_measured_decide_nothing() -> None:
    undecided = [pair_of("a", 0.04 + sign * 0.2) for sign in (1, -1)] * 4
    change = stats.compare_pairs([pair.log_ratio for pair in undecided])
    enough = rule.needed(change, 8, 0.05)
    assert enough is not None and enough > rule.LOOKS[-1]
    assert comparing.judge(cell_of("a"), undecided, 0.05).more is None


def test_what_would_decide_is_priced_by_the_wall(
    stand_in_pairs: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two interpreters take 24 s a round and each of two pairs 3 s, after exact metrics that took
    100 s: three rounds more are 90 s, of which each model has half. The budget that is named for
    them decides."""
    now = 0.0

    def pass_by(seconds: float, result: Any) -> Any:
        nonlocal now
        now += seconds
        return result

    stand_in_pairs(lambda name, layers: 0.1)
    both, measure = ab.both, pairs.measure
    monkeypatch.setattr(ab, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(ab, "both", lambda *given: pass_by(24.0, both(*given)))
    monkeypatch.setattr(pairs, "measure", lambda *given: pass_by(3.0, measure(*given)))
    monkeypatch.setattr(comparing, "judge_untimed", lambda *_: pass_by(50.0, ()))
    comparisons = compared(plan_of("a", "b"), Gate(0.05, budget=29))
    for comparison in comparisons:
        assert (comparison.more, comparison.seconds_more) == (3, 45.0)
    assert len(comparisons) == 2
    [budget] = {comparison.budget for comparison in comparisons}
    assert budget == 30 + 90
    comparisons = compared(plan_of("a", "b"), Gate(0.05, units.seconds(units.budget(budget))))
    assert {comparison.state for comparison in comparisons} == {"FAIL"}


def test_the_columns_say_what_is_judged() -> None:
    """Pairs whose sides' typical times say 0.14 % faster, and whose blocks say 2 % slower."""
    ratio = math.log(1.02)
    turns = [(0.018, 0.018 * 1.02), (0.01808, 0.01808 * 1.02), (0.0195, 0.01805)]
    blocks = tuple(Block(True, (base, base), (head, head)) for base, head in turns)
    pair = replace(pair_of("a", ratio), blocks=blocks)
    assert pair.seconds("head") / pair.seconds("base") == pytest.approx(1.0, abs=0.02)
    assert pair.log_ratio == pytest.approx(ratio)
    comparison = comparing.judge(cell_of("a"), [pair] * 4, 0.05)
    assert comparison.base is not None and comparison.head is not None
    assert comparison.slowdown is not None
    assert comparison.base / comparison.head == pytest.approx(1.02)
    assert comparison.slowdown == pytest.approx(0.02)
    level = 2 / math.sqrt(pair.seconds("base") * pair.seconds("head"))
    assert math.sqrt(comparison.base * comparison.head) == pytest.approx(level)


def test_nothing_is_decided_between_looks() -> None:
    n = next(n for n in range(rule.LOOKS[0], 99) if n not in rule.LOOKS)
    clear = [pair_of("a", 0.5 + 0.001 * (place % 2)) for place in range(n)]
    assert comparing.judge(cell_of("a"), clear, 0.05).state == "INCONCLUSIVE"
    assert comparing.judge(cell_of("a"), clear[: rule.LOOKS[0]], 0.05).state == "FAIL"


@pytest.mark.parametrize(
    ("reasons", "state"),
    [
        ({"head": "boom"}, "FAIL"),
        ({"base": "boom"}, "INCOMPARABLE"),
        ({"base": "boom", "head": "boom"}, "INCOMPARABLE"),
    ],
)
def test_a_side_that_fails(
    stand_in_pairs: Callable[..., list[str]], reasons: dict[str, str], state: str
) -> None:
    def fail(name: str, layers: int) -> float:
        raise PairError(reasons)

    order = stand_in_pairs(fail)
    [comparison] = compared(plan_of("a"))
    assert comparison.state == state
    assert "boom" in comparison.reason
    assert order == ["|", "a"]  # no second try


@pytest.mark.parametrize(
    ("times", "blameless", "state", "n"),
    [(1, False, "PASS", 4), (2, False, "FAIL", 0), (2, True, "PASS", 4)],
)
def test_a_lost_process_gets_a_second_try(
    stand_in_pairs: Callable[..., list[str]], times: int, blameless: bool, state: str, n: int
) -> None:
    """What died with its server is no regression, however often that happens."""
    left = [PairError({"head": "it was killed"}, lost=True, blameless=blameless)] * times

    def answer(name: str, layers: int) -> float:
        if left:
            raise left.pop()
        return 0.0

    order = stand_in_pairs(answer)
    [comparison] = compared(plan_of("a"))
    assert (comparison.state, comparison.n[0]) == (state, n)
    assert order.count("a") == times + n


def test_what_was_lost_is_tried_again_although_the_budget_is_spent(
    stand_in_pairs: Callable[..., list[str]],
) -> None:
    left = [PairError({"head": "it was killed"}, lost=True)]

    def answer(name: str, layers: int) -> float:
        if left:
            raise left.pop()
        return 0.0

    stand_in_pairs(answer)
    [comparison] = compared(plan_of("a"), Gate(0.05, budget=0))
    assert (comparison.state, comparison.n) == ("INCONCLUSIVE", (1, 1))


@pytest.mark.parametrize(
    ("base", "head", "states"),
    [
        ({"params": [8.0]}, {"params": [8.0]}, {"params": "PASS"}),
        ({"params": [8.0]}, {"params": [9.0]}, {"params": "FAIL"}),
        (
            {"params": [8.0]},
            {"params": [8.0], "buffers": [1.0]},
            {"params": "PASS", "buffers": "NEW"},
        ),
        (
            {"params": [8.0], "buffers": [1.0]},
            {"params": [8.0]},
            {"params": "PASS", "buffers": "FAIL"},
        ),
        (
            {"params": [8.0], "of_later": [1.0]},
            {"params": [8.0]},
            {"params": "PASS", "of_later": "INCOMPARABLE"},
        ),
    ],
)
def test_exact_metrics_of_both_sides(
    stand_in_pairs: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    base: dict[str, list[float]],
    head: dict[str, list[float]],
    states: dict[str, str],
) -> None:
    of = {"base": base, "head": head}
    servers = stand_in_processes(monkeypatch, lambda worker, _: {"values": of[worker.side.name]})
    monkeypatch.setattr(ab, "both", lambda *_: nullcontext(servers))
    plan = plan_of()
    plan.cells = (cell_of("a", "params"), cell_of("a", "latency"))
    comparisons = compared(plan)
    *params, latency = comparisons
    assert {comparison.metric.name: comparison.state for comparison in params} == states
    assert (latency.state, latency.reason[:20]) == ("INCOMPARABLE", "ab times throughput ")


def test_each_base_in_turn(stand_in_pairs: Callable[..., list[str]]) -> None:
    stand_in_pairs(lambda name, layers: 0.0)
    bases = {"base": "old", "anchor": "oldest"}
    verdict = ab.verdict(plan_of("a"), bases, "new", GATE, Path("log"), lambda *_: None)
    assert [comparison.against for comparison in verdict.comparisons] == ["base", "anchor"]
    assert [name for name, _ in verdict.sides] == ["base", "head", "anchor"]
    assert verdict.state == "PASS"
    assert verdict.notes == ("no cause of disturbance in 8 pairs",)


def test_the_title_names_checkouts_with_their_commits(
    stand_in_pairs: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code.checkouts, "commit_of", {tmp_path: "89abcde-dirty"}.get)
    stand_in_pairs(lambda name, layers: 0.0)
    verdict = ab.verdict(
        plan_of("a"), {"base": "old"}, str(tmp_path), ab.Gate(0.05), Path("log"), lambda *_: None
    )
    assert verdict.title == (
        f"tiny: head {tmp_path} (89abcde-dirty) against base old on A CPU, threshold 5 %"
    )


def test_disturbed_pairs_are_counted(
    stand_in_pairs: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    steal = iter([0.0, 0.2, 0.3, 0.0])
    stand_in_pairs(lambda name, layers: 0.0)
    measure = pairs.measure
    monkeypatch.setattr(
        pairs,
        "measure",
        lambda *given: replace(measure(*given), covariates={"steal": next(steal)}),
    )
    verdict = ab.verdict(plan_of("a"), {"base": "old"}, "new", GATE, Path("log"), lambda *_: None)
    assert verdict.notes == ("causes of disturbance in 2 of 4 pairs (steal in 2); all pairs count",)


def test_a_budget_is_shared_by_the_timed_models() -> None:
    plan = plan_of("a", "b")
    plan.cells = (*plan.cells, cell_of("a", "params"))
    assert ab.seconds_a_model(plan, 90) == 45
    assert ab.seconds_a_model(plan, None) == ab.SECONDS_A_MODEL


@pytest.fixture
def same_code(
    stand_in_pairs: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Both sides use the same code, but not the anchor; the models are noted as they are timed."""
    timed = stand_in_pairs(lambda name, layers: 0.0)

    def trace(cell: Any, base: Any, head: Any, by_side: code.RanBySide) -> None:
        for side in ("base", "head", "anchor"):
            versions = {"net": "1" if side == "anchor" else "2"}
            by_side.setdefault(side, {})[cell.model.name] = code.Ran({}, {}, {}, versions, {})

    monkeypatch.setattr(code, "trace", trace)
    return timed


def test_the_code_of_each_runtime_is_compared(
    same_code: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of("a", "b")
    plan.cells = tuple(
        replace(cell, setting=replace(cell.setting, runtime=runtime))
        for cell in plan.cells
        for runtime in ("torch", "openvino")
    )
    traced: list[tuple[str, str]] = []
    trace = code.trace

    def note(cell: Any, *given: Any) -> None:
        traced.append((cell.model.name, cell.setting.runtime))
        trace(cell, *given)

    monkeypatch.setattr(code, "trace", note)
    ab.verdict(plan, {"base": "old"}, "new", GATE, Path("log"), lambda *_: None)
    assert sorted(traced) == [(model, by) for model in "ab" for by in ("openvino", "torch")]


def test_nothing_is_timed_where_all_code_is_the_same(same_code: list[str]) -> None:
    bases = {"base": "old"}
    verdict = ab.verdict(plan_of("a", "b"), bases, "new", GATE, Path("log"), lambda *_: None)
    assert (verdict.state, verdict.comparisons) == ("NOTHING COMPARED", ())
    assert same_code == ["|"]


def test_equal_code_is_compared_where_that_is_expected(same_code: list[str]) -> None:
    [comparison] = compared(plan_of("a"), Gate(0.05, expect_equal=True))
    assert (comparison.state, same_code.count("a")) == ("PASS", rule.LOOKS[0])


def test_an_anchor_of_other_code_is_compared(same_code: list[str]) -> None:
    bases = {"base": "old", "anchor": "oldest"}
    verdict = ab.verdict(plan_of("a"), bases, "new", GATE, Path("log"), lambda *_: None)
    assert verdict.state == "PASS"
    assert [comparison.against for comparison in verdict.comparisons] == ["anchor"]
    assert [contrast.is_empty for contrast in verdict.contrasts] == [True, False]


def test_an_exact_metric_that_differs_has_a_cause_that_is_not_seen(
    same_code: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = METRICS["params"]
    failed = Comparison("a", "A", "r56", metric, "base", "FAIL")
    monkeypatch.setattr(comparing, "judge_untimed", lambda *_: [failed])
    plan = plan_of("a")
    plan.cells = (*plan.cells, cell_of("a", "params"))
    assert [comparison.state for comparison in compared(plan)] == ["FAIL", "PASS"]


def test_where_head_has_another_cmx_bench_this_python_plans_and_finds_heads_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    @contextmanager
    def calling(name: str, path: str, log: Path, variables: dict[str, str]) -> Iterator[None]:
        asked[path] = variables["PYTHONPATH"].split(os.pathsep)
        yield None

    monkeypatch.setattr(interpreters, "calling", calling)
    (tmp_path / "cmx_bench").mkdir()
    with ab.planning("elsewhere", tmp_path / "cmx_bench"):
        [(python, folders)] = asked.items()
    assert python == sys.executable
    assert folders[0] == str(Path(cmx_bench.__file__).parent.parent)
    assert folders[-1] == str(tmp_path)
