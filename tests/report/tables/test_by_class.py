"""The tables of classes: matrices of few, the worst of many."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from cmx_bench.present.content import Table
from cmx_bench.report.formats import RENDERERS
from cmx_bench.report.tables import by_class, tables
from cmx_bench.results import agreement
from cmx_bench.results.nouns import Report
from cmx_bench.results.predictions import Images
from cmx_bench.results.reading import summarise

from ..synthetic import FP32, PAPER, make_run

MODELS = PAPER[:2]
EACH = 10  # images of each class


def make_report(classes: int, names: Sequence[str] = ()) -> Report:
    """Of class n the first model has n images wrong, at most all, and takes them for the class
    before; the second has all right."""
    labels = np.repeat(np.arange(classes, dtype=np.int32), EACH)
    number = np.tile(np.arange(EACH), classes)
    said = np.where(number < np.minimum(labels, EACH), labels - 1, labels).astype(np.int32)
    images = Images(
        tuple(f"{place}.png" for place in range(len(labels))),
        tuple((int(label),) for label in labels), dict(enumerate(names)),
    )  # fmt: skip
    voters = {(MODELS[0].name, FP32.key): said, (MODELS[1].name, FP32.key): labels}
    run = dataclasses.replace(make_run(MODELS, (FP32,), ("accuracy",)),
                              accuracy={"dataset": "photos"})  # fmt: skip
    return dataclasses.replace(summarise(run, []), votes=agreement.votes(images, voters))


def table(report: Report, key: str) -> Table:
    return next(table for table in tables(report) if table.key == key)


def texts(table: Table) -> list[list[str]]:
    return [[entry.flat for entry in row] for row in table.rows]


def test_each_class_has_its_accuracy_with_an_interval() -> None:
    shown = table(make_report(3, ("cat", "dog", "owl")), f"classes-{FP32.key}")
    assert texts(shown) == [
        ["cat (0)", "10", "100 (72 to 100)", "100 (72 to 100)"],
        ["dog (1)", "10", "90.0 (60 to 98)", "100 (72 to 100)"],
        ["owl (2)", "10", "80.0 (49 to 94)", "100 (72 to 100)"],
    ]
    assert shown.rows[2][2].title == "8 of 10 images right, most often taken for dog (2)"


def test_images_with_several_labels_are_of_the_class_that_each_model_says() -> None:
    report = make_report(2)
    images = Images(("a", "b", "c"), ((0, 1), (0,), (1,)))
    said = [np.array(classes, np.int32) for classes in ((0, 0, 1), (1, 0, 1))]
    voters = {(model.name, FP32.key): votes for model, votes in zip(MODELS, said, strict=True)}
    report = dataclasses.replace(report, votes=agreement.votes(images, voters))
    counts = [row[1] for row in texts(table(report, f"classes-{FP32.key}"))]
    assert counts == ["1 to 2", "1 to 2"]


def test_few_classes_have_a_matrix_for_each_model() -> None:
    report = make_report(3)
    shown = table(report, f"confusion-{MODELS[0].name}-{FP32.key}")
    assert texts(shown) == [["0", "10", "0", "0"], ["1", "1", "9", "0"], ["2", "0", "2", "8"]]
    assert [entry.best for entry in shown.rows[1]] == [False, False, True, False]
    assert shown.folded
    assert table(report, f"confusion-{MODELS[1].name}-{FP32.key}").rows[2][3].text == "10"
    assert not any(table.key.startswith("confused-") for table in tables(report))


def test_of_many_classes_stand_the_worst_and_the_pairs_confused_most() -> None:
    report = make_report(1000)
    worst = table(report, f"classes-{FP32.key}")
    assert len(worst.rows) == by_class.MOST_CLASSES
    assert texts(worst)[0][0] == "10" and texts(worst)[0][2].startswith("0 (")
    assert "The 20 of 1000 classes that are most often wrong." in worst.remarks
    pairs = table(report, f"confused-{FP32.key}")
    assert texts(pairs)[0] == [MODELS[0].label, "10", "9", "10", "100"]
    assert len(pairs.rows) == 10  # the second model confuses nothing
    assert not any(table.key.startswith("confusion-") for table in tables(report))


def test_every_format_has_them_and_names_are_text() -> None:
    report = make_report(3, ("cat", "<b>dog</b>", "owl"))
    page = RENDERERS["html"](report)
    assert "<b>dog</b>" not in page and "&lt;b&gt;dog&lt;/b&gt;" in page
    for format in ("md", "latex"):
        assert "Accuracy by class" in RENDERERS[format](report)


def test_nothing_stands_where_nothing_was_evaluated() -> None:
    run = make_run(MODELS, (FP32,), ("params",))
    assert not any(
        table.key.startswith(("classes-", "confus")) for table in tables(summarise(run, []))
    )
