"""Which number each class has, by folders, words or a list; refused where that is not certain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from timm.data import ImageNetInfo

from cmx_bench.datasets import numbering, tree
from cmx_bench.datasets.numbering import Reading
from cmx_bench.errors import DataError

from .trees import plant

SYNSETS = ("n01440764", "n01443537", "n02102040")


def folders(*classes: str, empty: str = "") -> Reading:
    """Images in these folders, one for each word, beside folders without any."""
    return Reading("innermost", classes, frozenset([*classes, *empty.split()]))


def test_all_synsets_of_imagenet_have_its_numbers() -> None:
    numbered = numbering.certain([folders(*SYNSETS)], None)
    assert numbered is not None
    names = ImageNetInfo().label_names()
    assert numbered.numbers == {synset: names.index(synset) for synset in SYNSETS}
    assert numbering.certain([folders(*SYNSETS)], 1000) is not None
    assert numbering.certain([folders(*SYNSETS)], 3) is None  # a model of these three alone
    assert numbering.certain([folders(*SYNSETS, "cat")], None) is None
    assert numbering.certain([folders()], None) is None


def test_as_many_classes_as_the_model_has_are_numbered_in_natural_order() -> None:
    reading = folders("c10", "c9", "c10", "c11")
    numbered = numbering.by_count([reading], 3, "photos")
    assert numbered.numbers == {"c9": 0, "c10": 1, "c11": 2}
    assert numbering.labels_of(reading, numbered) == [1, 0, 1, 2]


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        (["c9", "c10"], "c9 numbered before c10 (timm's order; classes.txt can give another"),
        (["ant", "Zebra", "bee"], "ant numbered before Zebra (timm's order; "),
        (["ant", "bee"], ""),
    ],
)
def test_an_order_that_is_not_torchvisions_is_told(classes: list[str], told: str) -> None:
    """Weights that were trained in the other one would name other classes, and nobody would see."""
    how = numbering.by_count([folders(*classes)], len(classes), "photos").how
    assert how.startswith(told) and bool(how) == bool(told)


def test_an_empty_folder_is_a_class_where_the_model_has_one_more() -> None:
    reading = folders("a", "c", empty="b")
    assert numbering.by_count([reading], 3, "photos").numbers == {"a": 0, "b": 1, "c": 2}
    assert numbering.by_count([reading], 2, "photos").numbers == {"a": 0, "c": 1}


def test_folders_called_by_numbers_have_these() -> None:
    reading = folders("03", "7")
    numbered = numbering.by_count([reading], 10, "photos")
    assert (numbered.numbers, numbered.how) == ({"03": 3, "7": 7}, "numbered by their names")
    with pytest.raises(DataError, match="which of them these are is not said"):
        numbering.by_count([reading], 7, "photos")
    with pytest.raises(DataError, match="call the folders by their numbers"):
        numbering.by_count([folders("3", "03", "7")], 10, "photos")  # two of one number


def test_two_readings_that_differ_are_no_reading() -> None:
    """Images in a/x, a/y, b/z and b/w: with four classes the inner folders, with two the outer."""
    inner = Reading("innermost", ("x", "y", "z", "w"), frozenset("xyzw"), flat=False)
    outer = Reading("outermost", ("a", "a", "b", "b"), frozenset("ab"), flat=False)
    assert numbering.by_count([inner, outer], 4, "p").by == "innermost"
    assert numbering.by_count([inner, outer], 2, "p").by == "outermost"
    with pytest.raises(DataError, match="which folders are the classes is not said"):
        numbering.by_count([inner, outer], 3, "p")


@pytest.mark.parametrize(
    ("classes", "num_classes", "advice"),
    [
        (SYNSETS, 10, "set num_classes: 1000, or 3 where it was trained on these alone"),
        (("a", "b", "c"), 2, "set num_classes: 3"),
        (
            ("a", "b"),
            5,
            "which of them these are is not said: set num_classes: 2 where",
        ),
    ],
)
def test_what_to_do_where_classes_do_not_fit(
    classes: tuple[str, ...], num_classes: int, advice: str
) -> None:
    with pytest.raises(DataError, match=f"photos; the model has {num_classes} classes: {advice}"):
        numbering.by_count([folders(*classes)], num_classes, "photos")


def test_a_list_of_classes_numbers_them_by_its_lines(tmp_path: Path) -> None:
    listed = tmp_path / "classes.txt"
    listed.write_text("\ufeffdog\n\ncat\nzebra\n", encoding="utf-8")
    numbered = numbering.by_list([folders("cat", "dog")], listed, 3)
    assert numbered.numbers == {"dog": 0, "cat": 1, "zebra": 2}
    for num_classes, classes, line in (
        (2, "cat", "expected the model's 2 classes in their order, one on each line, got 3"),
        (3, "lion", "lacks 'lion', and there are images of it"),
    ):
        with pytest.raises(DataError, match=line):
            numbering.by_list([folders(classes)], listed, num_classes)
    listed.write_text("cat\ncat\n")
    with pytest.raises(DataError, match="one on each line, got 1 different"):
        numbering.by_list([folders("cat")], listed, None)
    with pytest.raises(DataError, match="cannot be read"):
        numbering.by_list([folders("cat")], tmp_path / "none.txt", None)


@pytest.mark.parametrize("content", [b"dog\ncaf\xe9\n", "dog\r\ncaf\u00e9".encode("utf-16")])
def test_a_list_of_classes_is_read_as_the_folders_are_called(
    tmp_path: Path, content: bytes
) -> None:
    """As files of labels are: in whatever bytes, and as Windows writes "Unicode"."""
    (tmp_path / "classes.txt").write_bytes(content)
    name = os.fsdecode(b"caf\xe9") if content.startswith(b"dog") else "caf\u00e9"
    numbered = numbering.by_list([folders(name, "dog")], tmp_path / "classes.txt", 2)
    assert numbered.numbers == {"dog": 0, name: 1}


def test_an_image_without_a_class_has_no_number() -> None:
    lines = Reading("file", ("cat", None, 7), frozenset(["cat"]))
    numbered = numbering.by_count([lines], 1, "photos")
    assert numbering.labels_of(lines, numbered) == [0, -1, 7]


def test_folders_in_folders_are_read_in_two_ways(tmp_path: Path) -> None:
    root = plant(tmp_path, "val/animals/{cat,dog}/1.png val/things/cup/1.png")
    inner, outer = numbering.of_folders(tree.read(root))
    assert (inner.of, outer.of) == (("cat", "dog", "cup"), ("animals", "animals", "things"))
    assert numbering.tell_folders(tree.read(root), [inner, outer]) == (
        "2 folders that hold 3 class folders"
    )


def test_class_folders_below_a_folder_alone_are_read_in_one_way(tmp_path: Path) -> None:
    root = plant(tmp_path, "all/cat/1.png all/dog/1.png all/empty/ all/notes/a.txt")
    [reading] = numbering.of_folders(tree.read(root))
    assert reading.of == ("cat", "dog")
    assert reading.there == {"cat", "dog", "empty", "notes"}
    assert numbering.tell_folders(tree.read(root), [reading]) == (
        "4 class folders, 1 empty, 1 without images"
    )
