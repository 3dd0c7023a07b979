"""Parts of a plan: each replicate of each cell in exactly one, what belongs together in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from cmx_bench.accuracy import Evaluation
from cmx_bench.errors import PlanError
from cmx_bench.plan import Plan, chunks, making, replicates_of
from cmx_bench.plan.chunks import Chunk
from cmx_bench.plan.users import Asked
from cmx_bench.spec import suite

from ..conftest import CPU, GPU, TINY, TRAINED

SETTINGS = TINY.replace(
    "  cpu: [{name: cpu, batch_size: 2, image_size: 56}]",
    "  cpu:\n  - {name: cpu, batch_size: [1, 2], image_size: 56}\n"
    "  - {name: small, batch_size: 1, image_size: 32}",
).replace("[params, throughput]", "[params, throughput, memory, latency]")
# One model of three comes with weights; two settings share what is trained.
MIXED = TRAINED.replace(
    "measures:", "  - {name: given, mixer: {dim: 16, depth: 1, patch_size: 4}, weights: w.pth}\n"
    "measures:",
).replace("batch_size: 64,", "batch_size: [32, 64],")  # fmt: skip

Make = Callable[..., Plan]


@pytest.fixture
def make(write_suite: Callable[[str], Path], tmp_path: Path) -> Make:
    def make_plan(text: str, only: Sequence[str] = (), on: str = "cpu") -> Plan:
        (tmp_path / "w.pth").touch()
        file = suite.load(str(write_suite(text.replace("  cpu:", f"  {on}:"))))
        task = Evaluation(file.suite.accuracy, tmp_path)
        machine = CPU if on == "cpu" else GPU
        return making.make(file, machine, Asked(only, evaluation=task, replicate=0))

    return make_plan


def executions(first: Plan, part: Chunk | None = None) -> Counter[tuple[str, int]]:
    """What a whole run measures, or one part of it, chosen as `--only` and `--replicate` choose."""
    suite = first.suite_file.suite
    return Counter(
        (cell.key, replicate)
        for cell in first.cells
        for replicate in range(replicates_of(cell, suite.replicates, first.evaluation))
        if part is None or (replicate == part.replicate and making._is_chosen(cell, part.only))
    )


@pytest.mark.parametrize("only", [(), ("net", "one", "*/memory/*")])
@pytest.mark.parametrize("text", [TINY, SETTINGS, MIXED], ids=["tiny", "settings", "mixed"])
def test_each_replicate_is_in_one_part(make: Make, text: str, only: tuple[str, ...]) -> None:
    """By globs that choose among all cells of the suite."""
    first, every = make(text, only=only), make(text)
    for most in (1e9, 60.0, 20.0, 1e-9):
        parts = chunks.divide(first, most, 0.0)
        measured = sum((executions(every, part) for part in parts), Counter())
        assert measured == executions(first)
        assert set(measured.values()) == {1}
        if most >= 20 and text is not MIXED:  # evaluations are not divided
            assert all(part.seconds <= most for part in parts)


def test_a_part_has_all_models_of_a_setting_where_they_fit(make: Make) -> None:
    first = make(SETTINGS)
    whole = chunks.divide(first, 1e9, 0.0)
    assert [part.replicate for part in whole] == [0, 1, 2]
    assert whole[0].only[0] == "*/params/r56"
    in_setting = sum(
        first.estimates[cell.key] for cell in first.cells if "b1-r56" in cell.setting_key
    )
    for part in chunks.divide(first, 1.01 * in_setting, 0.0):
        assert all(glob.startswith("*/") for glob in part.only)


def test_a_setting_that_does_not_fit_is_divided_by_models(make: Make) -> None:
    """All measures of a model stay together: they share what is compiled."""
    first = make(SETTINGS, only=["*-b2-*"])
    most = 0.9 * sum(first.estimates.values())
    parts = [part for part in chunks.divide(first, most, 0.0) if part.replicate == 0]
    assert [{glob.partition("/")[0] for glob in part.only} for part in parts] == [
        {"mixer"}, {"net"},
    ]  # fmt: skip


def sizes_of(parts: Iterable[Chunk]) -> list[tuple[int, int]]:
    return [(part.replicate, len(part.only)) for part in parts]


def test_what_is_trained_together_stays_together(make: Make) -> None:
    """On a CPU the number of models side by side decides over the last bits; two settings of one
    size share the weights, which are trained once."""
    on_cpu, on_gpus = (chunks.divide(make(MIXED, on=kind), 1e-9, 0.0) for kind in ("cpu", "cuda"))
    given = [part for part in on_cpu if part.only[0].startswith("given/")]
    assert sizes_of(given) == [(0, 1), (0, 1)]  # evaluated in each setting, once
    assert sizes_of(part for part in on_cpu if part not in given) == [(0, 4), (1, 4)]
    assert sorted(sizes_of(on_gpus)) == [(0, 1), (0, 1), (0, 2), (0, 2), (1, 2), (1, 2)]


def test_the_time_of_a_part_holds_what_is_beside_its_cells(make: Make) -> None:
    first = make(TINY)
    (part, *_) = chunks.divide(first, 1e9, 20.0)
    assert part.seconds == pytest.approx(20.0 + sum(first.estimates.values()))
    with pytest.raises(PlanError, match="--chunk: a job takes 20 s without its cells; give it"):
        chunks.divide(first, 20.0, 20.0)


def test_each_seed_takes_its_own_time(make: Make) -> None:
    first = make(TRAINED)
    seconds = [part.seconds for part in chunks.divide(first, 1e9, 0.0)]
    assert seconds == pytest.approx([sum(first.estimates.values())] * 2)
