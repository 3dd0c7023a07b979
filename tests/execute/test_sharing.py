"""Evaluations on stand-in slots: each cell once, those of a lost slot by another, words as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute import sharing, slots
from cmx_bench.execute.slots import SlotLostError, Tell
from cmx_bench.spec.suite import Accuracy
from cmx_bench.worker.job import EvaluationJob, Outcome, Round, Seen

from .test_slots import StandInSlot, all_well, lose

SETTING = Setting("fp32", "cuda:0", "fp32", "nchw", "none", 64, 224)
TASK = Evaluation(Accuracy(), Path())


def cell(name: str) -> Cell:
    return Cell(Model(name, name, name, "timm", name), "accuracy", SETTING)


def evaluated(
    places: Sequence[slots.Slot], jobs: Sequence[EvaluationJob], told: list[Seen] | None = None
) -> list[tuple[int, str, str]]:
    """Replicate, model and why it is lost, of each cell."""

    @contextmanager
    def opened(this: Round) -> Iterator[Sequence[slots.Slot]]:
        assert not this.repeated
        yield places

    watch = (told if told is not None else list[Seen]()).append
    return [
        (job.replicate, each.model.name, outcome.reason if outcome.lost else "")
        for job, each, outcome in sharing.evaluate(opened, jobs, 60, watch)
    ]


def job(names: str, replicate: int = 0, seed: int | None = None, **seconds: float) -> EvaluationJob:
    cells = list(map(cell, names))
    estimates = {each.key: seconds.get(each.model.name, 1.0) for each in cells}
    return EvaluationJob(cells, replicate, seed, TASK, Path("run"), 1, estimates)


def test_each_slot_has_as_much_to_do() -> None:
    places = [StandInSlot("a"), StandInSlot("b")]
    found = evaluated(places, [job("klmn", k=3.0)])
    assert sorted(name for _, name, _ in found) == list("klmn")
    assert sorted(place.given for place in places) == [["k"], ["l m n"]]


def test_trainings_stand_alone_and_all_seeds_begin_together() -> None:
    """Each of four waits for the others: two models with two seeds, on four slots."""
    together = Barrier(4, timeout=60)

    def life(job: EvaluationJob, tell: Tell) -> None:
        together.wait()
        all_well(job, tell)

    places = [StandInSlot(name, life) for name in "abcd"]
    found = evaluated(places, [job("mn", 0, 5), job("mn", 1, 7)])
    assert sorted(found) == [(0, "m", ""), (0, "n", ""), (1, "m", ""), (1, "n", "")]


def test_what_a_lost_slot_has_not_told_is_evaluated_by_another() -> None:
    def life(job: EvaluationJob, tell: Tell) -> None:
        tell((job.cells[0], Outcome({"top1": [0.5]}, "", {})))
        raise SlotLostError("the node is gone")

    alive = StandInSlot("b")
    found = evaluated([StandInSlot("a", life), alive], [job("klmn")])
    assert sorted(found) == [(0, name, "") for name in "klmn"]
    assert alive.given[-1] in {"m", "n"}


def test_what_is_lost_twice_is_lost() -> None:
    places = [StandInSlot(name, lose) for name in "abc"]
    assert evaluated(places, [job("m", 2, 5)]) == [(2, "m", "the node is gone")]
    assert sum(len(place.given) for place in places) == 2


def test_without_a_slot_that_takes_it_it_is_lost() -> None:
    other = StandInSlot("a", settings=["bf16"])
    assert evaluated([other], [job("mn")]) == [
        (0, "m", "no device is left for fp32"), (0, "n", "no device is left for fp32"),
    ]  # fmt: skip


def test_words_are_of_all_shares_together() -> None:
    """The evaluation after a training does not make it begin anew."""
    told: list[Seen] = []

    def life(job: EvaluationJob, tell: Tell) -> None:
        tell(Seen(40, 80, "training m"))
        tell(Seen(80, 80, "training m"))
        tell(Seen(1, 10))
        tell(Seen(10, 10))
        all_well(job, tell)

    evaluated([StandInSlot("a", life)], [job("m", 0, 5), job("m", 1, 7)], told)
    assert [seen.images for seen in told] == [40, 80, 80, 80, 120, 160, 160, 160]
    assert {seen.size for seen in told} == {160}
