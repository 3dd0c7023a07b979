"""What models said of images, class by class: counted here by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cmx_bench.results import agreement, classwise, stats
from cmx_bench.results.agreement import Votes
from cmx_bench.results.predictions import Images

# Of classes 0, 1 and 2: three cats, two dogs, one owl, one without a label, one with two.
LABELS = ((0,), (0,), (0,), (1,), (1,), (2,), (), (0, 2))
NAMES = {0: "cat", 1: "dog"}
SAID = {
    ("a", "s"): [0, 1, 1, 1, 1, 2, 0, 2],
    ("b", "s"): [0, 0, 2, -1, 0, 1, 0, 1],  # the first dog's image is broken
    ("a", "t"): [0, 0, 0, 1, 1, 2, 0, 0],
}


@pytest.fixture
def votes() -> Votes:
    images = Images(tuple(f"{place}.png" for place in range(len(LABELS))), LABELS, NAMES)
    return agreement.votes(
        images, {model: np.array(said, np.int32) for model, said in SAID.items()}
    )


def test_each_image_that_counts_has_a_row(votes: Votes) -> None:
    frame = classwise.of_votes(votes, {"a": "A", "b": "B"}, "run")
    assert list(frame.columns) == list(classwise.COLUMNS)
    assert frame.groupby(["model", "setting"], observed=True).size().to_dict() == {
        ("a", "s"): 7, ("a", "t"): 7, ("b", "s"): 6,
    }  # fmt: skip
    assert list(frame["setting"].unique()) == ["s", "t"]
    owl = frame[frame["image"] == "5.png"].iloc[1]
    assert (owl["model"], owl["truth_name"], owl["said_name"]) == ("b", "2", "dog")
    assert not owl["right"]


def test_an_image_with_several_labels_is_of_the_class_that_is_said(votes: Votes) -> None:
    frame = classwise.of_votes(votes, {"a": "A", "b": "B"}, "run", "s")
    both = frame[frame["image"] == "7.png"].set_index("model")
    assert both["truth"].to_dict() == {"a": 2, "b": 0}
    assert both["right"].to_dict() == {"a": True, "b": False}


def test_classes_have_wilsons_interval_and_what_is_said_instead(votes: Votes) -> None:
    frame = classwise.per_class(classwise.of_votes(votes, {"a": "A", "b": "B"}, "run", "s"))
    rows = {(row.model, row.name_): row for row in
            frame.rename(columns={"name": "name_"}).itertuples()}  # fmt: skip
    cat = rows["a", "cat"]
    assert (cat.images, cat.right, cat.instead, cat.times) == (3, 1, "dog", 2)
    known = stats.proportion(1, 3)
    assert (cat.value, cat.low, cat.high) == (known.value, known.low, known.high)
    assert (rows["a", "dog"].value, rows["a", "dog"].instead, rows["a", "dog"].times) == (1, "", 0)
    assert (rows["b", "cat"].images, rows["b", "cat"].right) == (4, 2)
    assert rows["b", "dog"].images == 1  # the other one is broken


def test_runs_are_not_mixed_up(votes: Votes) -> None:
    """Their images were added up, for nothing told of which run a row is."""
    labels = {"a": "A", "b": "B"}
    first, second = (classwise.of_votes(votes, labels, run) for run in ("one", "two"))
    rows = classwise.per_class(pd.concat([first, second]))
    known = classwise.per_class(first)
    assert list(rows["run"].unique()) == ["one", "two"]
    assert list(rows["images"]) == [*known["images"]] * 2
    assert list(rows["times"]) == [*known["times"]] * 2
    with pytest.raises(ValueError, match="truth: missing in some rows"):
        classwise.per_class(first.assign(truth=first["truth"].where(first.index > 0)))


def test_mistakes_stand_with_the_most_frequent_first(votes: Votes) -> None:
    frame = classwise.mistakes(classwise.of_votes(votes, {"a": "A", "b": "B"}, "run", "s"))
    rows = list(zip(frame["model"], frame["truth"], frame["instead"], frame["times"], strict=True))
    assert rows == [
        ("a", 0, "dog", 2), ("b", 0, "dog", 1), ("b", 0, "2", 1), ("b", 1, "cat", 1),
        ("b", 2, "dog", 1),
    ]  # fmt: skip


def test_without_votes_there_is_an_empty_frame() -> None:
    frame = classwise.of_votes(agreement.NO_VOTES, {}, "run")
    assert frame.empty and list(frame.columns) == list(classwise.COLUMNS)
    assert classwise.per_class(frame).empty


def test_names_of_classes_survive_packing(votes: Votes) -> None:
    packed = agreement.pack(votes)
    assert packed["names"] == [(0, "cat"), (1, "dog")]
    assert agreement.unpack(packed).images.names == NAMES  # type: ignore[arg-type]
    nameless = agreement.votes(Images(votes.images.keys, LABELS), votes.classes)
    assert "names" not in agreement.pack(nameless)
