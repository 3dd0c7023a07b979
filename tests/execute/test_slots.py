"""Jobs and evaluations side by side on stand-in slots: none shares one, the lost are done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute import slots
from cmx_bench.execute.slots import SlotLostError, Tell
from cmx_bench.spec.suite import Accuracy
from cmx_bench.worker.job import EvaluationJob, Job, Outcome, Round, Seen

SETTING = Setting("fp32", "cuda:0", "fp32", "nchw", "none", 2, 28)
TASK = Evaluation(Accuracy(), Path())
Life = Callable[[Any, Tell], None]


def all_well(order: Job | EvaluationJob, tell: Tell) -> None:
    for cell in cells_of(order):
        tell((cell, Outcome({"throughput": [1.0]}, "", {})))


def lose(order: Job | EvaluationJob, tell: Tell, is_back: bool = False) -> None:
    raise SlotLostError("the node is gone", is_back)


def cells_of(order: Job | EvaluationJob) -> Sequence[Cell]:
    return [order.cell] if isinstance(order, Job) else order.cells


@dataclass
class StandInSlot:
    """A slot that does with each order what it is told to, in a thread."""

    name: str
    life: Life = all_well
    settings: Sequence[str] = ("fp32",)
    given: list[str] = field(default_factory=list)
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def takes(self, setting: Setting) -> bool:
        return setting.name in self.settings

    def carry_out(self, order: Job | EvaluationJob, timeout: float, tell: Tell) -> Future[None]:
        self.given.append(" ".join(cell.model.name for cell in cells_of(order)))
        return self.pool.submit(self.life, order, tell)


def job(name: str, setting: Setting = SETTING) -> Job:
    return Job(Cell(Model(name, name, name, "timm", name), "throughput", setting), 0, Path("log"))


def execute(
    places: Sequence[slots.Slot],
    jobs: Sequence[Job],
    begin: Callable[[Job], bool] = lambda _: True,
) -> dict[str, Outcome]:
    @contextmanager
    def opened(_: Round) -> Iterator[Sequence[slots.Slot]]:
        yield places

    outcomes = slots.execute(opened, [Round(jobs, True, begin)], 60)
    return {job.cell.model.name: outcome for job, outcome in outcomes}


def test_jobs_are_executed_at_the_same_time() -> None:
    """Each of two waits for the other; one after the other neither would end."""
    together = Barrier(2, timeout=60)

    def meet(order: Job, tell: Tell) -> None:
        together.wait()
        all_well(order, tell)

    outcomes = execute([StandInSlot("a", meet), StandInSlot("b", meet)], list(map(job, "mnop")))
    assert [outcome.reason for outcome in outcomes.values()] == [""] * 4


def test_a_job_goes_where_its_setting_is_taken() -> None:
    other = replace(SETTING, name="bf16")
    first, two = StandInSlot("a"), StandInSlot("b", settings=["bf16"])
    outcomes = execute([first, two], [job("m"), job("n", other), job("o", other)])
    assert (first.given, two.given) == (["m"], ["n", "o"])
    assert len(outcomes) == 3


def test_a_job_that_may_not_begin_is_left_out() -> None:
    outcomes = execute(
        [StandInSlot("a")], list(map(job, "mno")), lambda job: job.cell.model.name != "n"
    )
    assert list(outcomes) == ["m", "o"]


def test_a_task_may_begin_where_nobody_says_otherwise() -> None:
    order = job("m")
    under_way = slots.UnderWay(60, [StandInSlot("a")], [slots.Task(order, [order.cell])])
    [(_, (_, outcome))] = under_way.words()  # type: ignore[misc]
    assert outcome.reason == ""


def test_what_a_lost_slot_executed_is_executed_by_another() -> None:
    """And it is asked once only whether it may begin."""
    asked: list[str] = []

    def begin(job: Job) -> bool:
        asked.append(job.cell.model.name)
        return True

    alive = StandInSlot("b")
    outcomes = execute([StandInSlot("a", lose), alive], [job("m"), job("n")], begin)
    assert {name: outcome.lost for name, outcome in outcomes.items()} == {"m": False, "n": False}
    assert sorted(alive.given) == sorted(asked) == ["m", "n"]


def test_a_slot_that_is_back_goes_on() -> None:
    """A job that is lost again on it is lost, and nothing else."""
    alone = StandInSlot("a", partial(lose, is_back=True))
    outcomes = execute([alone], [job("m"), job("n")])
    assert {outcome.reason for outcome in outcomes.values()} == {"the node is gone"}
    assert alone.given == ["m", "m", "n", "n"]


def test_a_job_lost_twice_is_lost() -> None:
    gone = [StandInSlot(name, lose) for name in "abc"]
    outcomes = execute(gone, [job("m")])
    assert (outcomes["m"].reason, outcomes["m"].lost) == ("the node is gone", True)
    assert sum(len(slot.given) for slot in gone) == 2


def test_without_a_slot_what_is_left_is_lost() -> None:
    outcomes = execute([StandInSlot("a", lose)], [job("m"), job("n")])
    assert {outcome.reason for outcome in outcomes.values()} == {"no device is left for fp32"}
    assert all(outcome.lost for outcome in outcomes.values())


# --- evaluations ----------------------------------------------------------------------------------


def cell(name: str) -> Cell:
    return Cell(Model(name, name, name, "timm", name), "accuracy", SETTING)


def evaluate(
    places: Sequence[slots.Slot], jobs: Sequence[EvaluationJob], words: list[Seen] | None = None
) -> list[tuple[int, str, str]]:
    """Replicate, model and why it is lost, of each cell; `told` gets how far all are."""

    @contextmanager
    def opened(this: Round) -> Iterator[Sequence[slots.Slot]]:
        assert not this.repeated
        yield places

    heard = list(slots.evaluate(opened, jobs, 60))
    if words is not None:
        words += [said for _, said in heard if isinstance(said, Seen)]
    return [
        (job.replicate, said[0].model.name, said[1].reason if said[1].lost else "")
        for job, said in heard
        if not isinstance(said, Seen)
    ]


def evaluation(
    names: str, replicate: int = 0, seed: int | None = None, **seconds: float
) -> EvaluationJob:
    cells = list(map(cell, names))
    estimates = {each.key: seconds.get(each.model.name, 1.0) for each in cells}
    return EvaluationJob(cells, replicate, seed, TASK, Path("run"), 1, estimates)


def test_each_slot_has_as_much_to_do() -> None:
    places = [StandInSlot("a"), StandInSlot("b")]
    ends = evaluate(places, [evaluation("klmn", k=3.0)])
    assert sorted(name for _, name, _ in ends) == list("klmn")
    assert sorted(place.given for place in places) == [["k"], ["l m n"]]


def test_trainings_stand_alone_and_all_seeds_begin_together() -> None:
    """Each of four waits for the others: two models with two seeds, on four slots."""
    together = Barrier(4, timeout=60)

    def life(job: EvaluationJob, tell: Tell) -> None:
        together.wait()
        all_well(job, tell)

    places = [StandInSlot(name, life) for name in "abcd"]
    ends = evaluate(places, [evaluation("mn", 0, 5), evaluation("mn", 1, 7)])
    assert sorted(ends) == [(0, "m", ""), (0, "n", ""), (1, "m", ""), (1, "n", "")]


def test_what_a_lost_slot_has_not_told_is_evaluated_by_another() -> None:
    def life(job: EvaluationJob, tell: Tell) -> None:
        tell((job.cells[0], Outcome({"top1": [0.5]}, "", {})))
        raise SlotLostError("the node is gone")

    alive = StandInSlot("b")
    ends = evaluate([StandInSlot("a", life), alive], [evaluation("klmn")])
    assert sorted(ends) == [(0, name, "") for name in "klmn"]
    assert alive.given[-1] in {"m", "n"}


def test_what_is_lost_twice_is_lost() -> None:
    places = [StandInSlot(name, lose) for name in "abc"]
    assert evaluate(places, [evaluation("m", 2, 5)]) == [(2, "m", "the node is gone")]
    assert sum(len(place.given) for place in places) == 2


def test_without_a_slot_that_takes_it_it_is_lost() -> None:
    other = StandInSlot("a", settings=["bf16"])
    assert evaluate([other], [evaluation("mn")]) == [
        (0, "m", "no device is left for fp32"), (0, "n", "no device is left for fp32"),
    ]  # fmt: skip


def test_words_are_of_all_shares_together() -> None:
    """The evaluation after a training does not make it begin anew."""
    words: list[Seen] = []

    def life(job: EvaluationJob, tell: Tell) -> None:
        tell(Seen(40, 80, "training m"))
        tell(Seen(80, 80, "training m"))
        tell(Seen(1, 10))
        tell(Seen(10, 10))
        all_well(job, tell)

    evaluate([StandInSlot("a", life)], [evaluation("m", 0, 5), evaluation("m", 1, 7)], words)
    assert [word.images for word in words] == [40, 80, 80, 80, 120, 160, 160, 160]
    assert {word.size for word in words} == {160}


def test_words_of_no_known_size_are_passed_on() -> None:
    words: list[Seen] = []

    def life(job: EvaluationJob, tell: Tell) -> None:
        tell(Seen(5, None))
        tell(Seen(9, None))
        all_well(job, tell)

    evaluate([StandInSlot("a", life)], [evaluation("m")], words)
    assert words == [Seen(5, None), Seen(9, None)]
