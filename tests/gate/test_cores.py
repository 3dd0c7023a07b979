"""Cores of a pair on machines that are folders of files."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cmx_bench.gate import cores

from .conftest import SETTING


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two cores of two hardware threads each: 0 and 2, 1 and 3."""
    for core, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        folder = tmp_path / f"cpu{core}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    use(monkeypatch, range(4))
    return tmp_path


def use(monkeypatch: pytest.MonkeyPatch, usable: Sequence[int]) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(usable), raising=False)


def test_whole_cores_apart_by_lot(system: Path) -> None:
    drawn = [cores.draw(SETTING, random.Random(seed), system) for seed in range(20)]
    assert {str(places.apart) for places in drawn} == {"([0], [1])", "([1], [0])"}
    assert all(places.apart is not None and places.shared == places.apart[0] for places in drawn)


def test_two_threads_of_one_core_are_not_apart(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, (0, 2))
    places = cores.draw(SETTING, random.Random(0), system)
    assert places.apart is None
    assert places.shared in ([0], [2])


def test_cores_that_nobody_knows_are_not_apart(tmp_path: Path, system: Path) -> None:
    places = cores.draw(SETTING, random.Random(0), tmp_path / "nothing")
    assert places.apart is None
    assert places.shared is not None and len(places.shared) == 1


def test_as_many_cores_as_threads(system: Path) -> None:
    """Four usable: two threads a side would need four whole cores, and four threads need all."""
    two, four, any_number = (replace(SETTING, threads=number) for number in (2, 4, None))
    places = cores.draw(two, random.Random(0), system)
    assert places.apart is None
    assert places.shared is not None and len(places.shared) == 2
    for setting in (four, any_number):
        assert cores.draw(setting, random.Random(0), system) == cores.PairCores(None)


def test_a_gpu_is_no_place_to_be_apart(system: Path) -> None:
    places = cores.draw(replace(SETTING, device="cuda:0"), random.Random(0), system)
    assert places.apart is None
