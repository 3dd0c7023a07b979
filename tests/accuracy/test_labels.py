"""Labels: ReaL, classes to choose among."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.accuracy import Evaluation, labels
from cmx_bench.errors import DataError
from cmx_bench.spec.suite import Accuracy


def task(folder: Path, **asked: Any) -> Evaluation:
    return Evaluation(Accuracy(**asked), folder)


def test_a_data_sets_own_label(tmp_path: Path) -> None:
    label = labels.reader(task(tmp_path))
    assert label("a.jpg", 7) == (7,)
    assert label("b.jpg", -1) == ()


def test_real_labels_go_by_the_number_in_the_name(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text(json.dumps([[5], [], [1, 2]]))
    label = labels.reader(task(tmp_path, real_labels="real.json"))
    assert label("n01440764/ILSVRC2012_val_00000003.JPEG", 0) == (1, 2)
    assert label("ILSVRC2012_val_00000002.JPEG", 0) == ()
    with pytest.raises(DataError, match="has no labels for other.jpg"):
        label("other.jpg", 0)


@pytest.mark.parametrize(
    "text",
    ["{}", "[1, 2]", "not json", "[" * 9999, "[[-1]]", "[[1.5]]", '[["a"]]', f"[[{'9' * 99}]]",
     " " * (labels.MOST_BYTES + 1)],
    ids=range(9),
)  # fmt: skip
def test_real_labels_of_another_form_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "real.json").write_text(text)
    with pytest.raises(DataError, match="real.json"):
        labels.reader(task(tmp_path, real_labels="real.json"))


def test_classes_to_choose_among(tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text("3\n1\n4\n")
    assert labels.valid(task(tmp_path, valid_labels="valid.txt")) == [3, 1, 4]
    assert labels.valid(task(tmp_path)) is None
    for text in ("cat\n", "²\n", "9" * 5000, "-1\n", ""):
        (tmp_path / "valid.txt").write_text(text)
        with pytest.raises(DataError, match="number of a class on each line"):
            labels.valid(task(tmp_path, valid_labels="valid.txt"))
    (tmp_path / "valid.txt").write_text("3\n1\n03\n")
    with pytest.raises(DataError, match="has the class 3 twice; keep one"):
        labels.valid(task(tmp_path, valid_labels="valid.txt"))
    with pytest.raises(DataError, match="cannot be read"):
        labels.valid(task(tmp_path, valid_labels="none.txt"))
    os.mkfifo(tmp_path / "pipe")
    for named in ("pipe", ".", "é" * 400):
        with pytest.raises(DataError, match="cannot be read"):
            labels.valid(task(tmp_path, valid_labels=named))
