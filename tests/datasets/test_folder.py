"""Folders and tars: timm's order, ImageNet's numbers, labels from a file."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from timm.data import ImageNetInfo, create_dataset

from cmx_bench.datasets import Dataset, Split, open_dataset
from cmx_bench.errors import DataError

from ..photographs import CLASSES, write
from .trees import place, plant


def open_photos(path: Path) -> Dataset:
    return open_dataset("imagenet-val", path)


def test_synsets_have_imagenets_numbers(tmp_path: Path) -> None:
    write(tmp_path, 6)
    names = ImageNetInfo().label_names()
    label_of = {Path(item.key).parent.name: item.label for item in open_photos(tmp_path).items()}
    assert label_of == {synset: names.index(synset) for synset in CLASSES}
    assert open_photos(tmp_path).classes == 1 + max(label_of.values())


def test_a_split_in_the_folder_is_found(tmp_path: Path) -> None:
    write(tmp_path / "train", 7)
    write(tmp_path / "val", 6)
    assert open_photos(tmp_path).size == 6


def in_classes(root: Path, part: str, classes: str) -> None:
    """A folder for each class of a part, with two images."""
    for name in classes.split():
        target = root / part / name
        target.mkdir(parents=True)
        for file in write(root / "all", 2):
            file.rename(target / file.name)


def labels(
    root: Path, split: Split = "validation", num_classes: int | None = None
) -> dict[str, int]:
    items = open_dataset("mine", root, split, num_classes).items()
    return {Path(item.key).parent.name: item.label for item in items}


def test_a_class_has_the_same_number_in_both_parts(tmp_path: Path) -> None:
    """Of the classes 9 to 12 the part to evaluate on lacks 10: the numbers stay."""
    in_classes(tmp_path, "train", "9 10 11 12")
    in_classes(tmp_path, "val", "9 11 12")
    assert labels(tmp_path, "train", 4) == {"9": 0, "10": 1, "11": 2, "12": 3}
    assert labels(tmp_path, num_classes=4) == {"9": 0, "11": 2, "12": 3}
    assert open_dataset("mine", tmp_path, num_classes=4).classes == 4


def test_words_of_label_files_have_the_same_number_in_both_parts(tmp_path: Path) -> None:
    for part, words in (("train", "cat dog cat dog zebra dog"), ("val", "dog zebra " * 3)):
        files = flat(tmp_path / part, 6)
        lines = [f"{file.name} {word}" for file, word in zip(files, words.split(), strict=True)]
        (tmp_path / part / "labels.txt").write_text("\n".join(lines))
    assert [item.label for item in open_dataset("mine", tmp_path).items()] == [1, 2] * 3


@pytest.mark.parametrize(
    ("part", "classes", "said"),
    [
        ("val", "cat zebra", "val: has images of 'zebra', and train has none of them"),
        ("test", "cat dog", "has train, but no images to evaluate on; put them into val"),
    ],
)
def test_what_does_not_fit_beside_train_is_refused(
    tmp_path: Path, part: str, classes: str, said: str
) -> None:
    in_classes(tmp_path, "train", "cat dog")
    in_classes(tmp_path, part, classes)
    with pytest.raises(DataError, match=said):
        open_dataset("mine", tmp_path)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    in_classes(tmp_path, ".", "plane train")
    assert labels(tmp_path) == {"plane": 0, "train": 1}


@pytest.mark.parametrize("separator", [" ", ", ", ","])
def test_labels_of_a_flat_folder_come_from_a_file(tmp_path: Path, separator: str) -> None:
    files = flat(tmp_path, 6)
    lines = [f"{file.name}{separator}{7 * number}" for number, file in enumerate(files)]
    (tmp_path / "labels.csv").write_text("\n".join([*lines, ""]))
    dataset = open_photos(tmp_path)
    assert [item.label for item in dataset.items()] == [0, 7, 14, 21, 28, 35]
    assert dataset.classes == 36


def test_numbers_that_may_begin_with_one_are_told(tmp_path: Path) -> None:
    """Of ten classes the tenth has no image, or the first: nothing else can tell."""
    plant(tmp_path / "file", "{0,1}.png")
    (tmp_path / "file" / "labels.csv").write_text("0.png,1\n1.png,9\n")
    plant(tmp_path / "folders", "1/a.png 9/a.png")
    for folder in ("file", "folders"):
        assert "none of class 0, with which numbers begin; " in about(tmp_path / folder, 10)
    (tmp_path / "file" / "labels.csv").write_text("0.png,0\n1.png,9\n")
    assert "none of class 0" not in about(tmp_path / "file", 10)


def test_labels_of_a_file_may_be_synsets(tmp_path: Path) -> None:
    files = flat(tmp_path, 6)
    lines = [f"{file.name} {synset}" for file, synset in zip(files, CLASSES, strict=True)]
    (tmp_path / "labels.txt").write_text("\n".join(lines))
    names = ImageNetInfo().label_names()
    assert [item.label for item in open_photos(tmp_path).items()] == [*map(names.index, CLASSES)]


def flat(folder: Path, count: int) -> list[Path]:
    files = write(folder, count)
    moved = sorted(file.rename(folder / file.name) for file in files)
    for synset in CLASSES:
        (folder / synset).rmdir()
    return moved


def test_flat_without_labels_is_refused(tmp_path: Path) -> None:
    flat(tmp_path, 6)
    with pytest.raises(DataError, match=r"no class folders; add a file labels.txt"):
        open_photos(tmp_path)


def test_headings_and_lines_of_other_files_count_for_nothing(tmp_path: Path) -> None:
    files = flat(tmp_path, 6)
    lines = ["file,label", *(f"{file.name},{90 + number}" for number, file in enumerate(files))]
    (tmp_path / "labels.csv").write_text("\n".join([*lines, "elsewhere.jpg,cat"]))
    assert [item.label for item in open_photos(tmp_path).items()] == list(range(90, 96))


def test_a_line_of_another_file_names_a_class(tmp_path: Path) -> None:
    """As where images of a part of all classes are there, and the labels of all."""
    plant(tmp_path, "b0.png c0.png")
    (tmp_path / "labels.csv").write_text("file,class\na0.png,a\nb0.png,b\nc0.png,c\n")
    assert read_labels(tmp_path, 3) == [1, 2]
    assert "1 line about files that are not there" in about(tmp_path, 3)


def test_a_stray_image_does_not_renumber_imagenets_classes(tmp_path: Path) -> None:
    file = write(tmp_path, 12)[0]
    file.rename(tmp_path / file.name)
    with pytest.raises(DataError, match=f"{file.name} lies in no class folder"):
        open_photos(tmp_path)


def test_a_tar_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images.tar").write_bytes(b"no archive")
    with pytest.raises(DataError, match="images.tar: cannot be read"):
        open_photos(tmp_path / "images.tar")


def read_labels(root: Path, num_classes: int | None) -> list[int]:
    return [item.label for item in open_dataset("mine", root, num_classes=num_classes).items()]


def about(root: Path, num_classes: int | None) -> str:
    return open_dataset("mine", root, num_classes=num_classes).about


@pytest.mark.parametrize(
    "paths", ["a/{0,1}.png b/2.png c/3.png", "10/0.png 9/1.png 11/2.png", "all/x/0.png all/y/1.png"]
)
def test_as_many_folders_as_classes_have_timms_numbers(tmp_path: Path, paths: str) -> None:
    reader = create_dataset("", str(plant(tmp_path, paths))).reader
    timms = [label for _, label in reader.samples]
    assert read_labels(tmp_path, len(reader.class_to_idx)) == timms


@pytest.mark.parametrize(
    ("paths", "num_classes", "labels", "said"),
    [
        ("a/ b/0.png c/1.png d/2.png", 4, [1, 2, 3], "4 class folders, 1 empty; 3 images"),
        ("a/x.webp b/0.png c/1.png", 3, [1, 2], "3 class folders, 1 without images; 2 images, 1 "
         "file of another kind passed over (.webp)"),
        ("a/0.png b/1.png notes/", 2, [0, 1], "3 class folders, 1 empty; 2 images"),
        ("0/0.png 2/1.png 4/2.png", 5, [0, 2, 4], "3 class folders, numbered by their names; 3"),
        ("07/0.png 3/1.png", 1000, [3, 7], "2 class folders, numbered by their names; 2 images"),
        ("1/0.png 2/1.png 3/2.png", 3, [0, 1, 2], "3 class folders; 3 images"),
        ("0/ 1/0.png 2/1.png 3/2.png", 4, [1, 2, 3], "4 class folders, 1 empty; 3 images"),
        ("a/x/0.png a/y/1.png b/z/2.png", 3, [0, 1, 2], "2 folders that hold 3 class folders; 3"),
        ("a/x/0.png a/y/1.png b/x/2.png b/z/3.png c/4.png", 3, [0, 0, 1, 1, 2], "3 folders that"),
        ("n01440764/0.png n02123045/1.png", 1000, [0, 281], "2 class folders, with ImageNet's "
         "numbers; 2 images"),
        ("p/n01440764/0.png q/n02123045/1.png", 1000, [0, 281], "2 folders that hold 2 class "
         "folders, with ImageNet's numbers; 2 images"),
        ("n01440764/0.png n02123045/1.png", 2, [0, 1], "2 class folders; 2 images"),
        ("n01440764/0.png n02123045/ n02504013/1.png", 3, [0, 2], "3 class folders, 1 empty; 2 im"),
        ("a/0.png .a/1.png b/2.png", 2, [0, 1], "2 class folders; 2 images, 1 hidden entry passed "
         "over"),
    ],
)  # fmt: skip
def test_classes_are_held_against_the_models(
    tmp_path: Path, paths: str, num_classes: int, labels: list[int], said: str
) -> None:
    plant(tmp_path / "images", paths)
    assert read_labels(tmp_path / "images", num_classes) == labels
    message = about(tmp_path / "images", num_classes)
    assert message.startswith(said)
    assert message.endswith(f"; the model has {num_classes:,} classes")
    with tarfile.open(tmp_path / "images.tar", "w") as tar:
        tar.add(tmp_path / "images", ".")
    assert read_labels(tmp_path / "images.tar", num_classes) == labels


_WHICH = "which of them these are is not said: set num_classes: {} where it was trained on these"


@pytest.mark.parametrize(
    ("paths", "num_classes", "said"),
    [
        ("a/0.png b/1.png c/2.png", 5, "3 class folders; 3 images; the model has 5 classes: "
         + _WHICH.format(3)),
        ("a/0.png b/1.png c/", 5, _WHICH.format(2)),
        ("1/0.png 2/1.png 5/2.png", 5, _WHICH.format(3)),
        ("0/0.png 00/1.png", 5, _WHICH.format(2)),
        ("0/0.png 2/1.png a/ b/", 4, _WHICH.format(2)),
        ("a/0.png b/1.png c/2.png", 2, "the model has 2 classes: set num_classes: 3"),
        ("a/z/0.png b/y/1.png", 2, "which folders are the classes is not said; put each image"),
        ("a/0/0.png a/1/1.png b/0/2.png b/1/3.png", 2, "which folders are the classes is not said"),
        ("a/0.png a/x/1.png b/2.png", 7, "which folders are the classes is not said"),
        ("n01440764/0.png n02123045/1.png", 10, "set num_classes: 1000, or 2 where it was trained"),
        ("n01440764/0.png cats/1.png", 2, "there are folders called like ImageNet's synsets"),
        ("a/0.png b/1.png preview.png", 2, "preview.png lies in no class folder, and 2 other"),
    ],
)  # fmt: skip
def test_classes_in_doubt_are_refused(
    tmp_path: Path, paths: str, num_classes: int, said: str
) -> None:
    plant(tmp_path, paths)
    with pytest.raises(DataError, match=said) as error:
        open_dataset("mine", tmp_path, num_classes=num_classes)
    assert "\n" not in str(error.value)


def test_a_list_of_the_models_classes_settles_it(tmp_path: Path) -> None:
    """It is timm's `--class-map`."""
    plant(tmp_path, "val/dog/0.png val/ant/1.png val/ant/2.png")
    (tmp_path / "classes.txt").write_text("bee\nzebra\nant\ncat\ndog\n")
    listed: Any = str(tmp_path / "classes.txt")
    timms = create_dataset("", str(tmp_path), class_map=listed).reader
    assert read_labels(tmp_path, 5) == [label for _, label in timms.samples] == [2, 2, 4]
    assert about(tmp_path, 5).startswith("2 class folders, numbered by classes.txt; 3 images; the")
    (tmp_path / "val" / "classes.txt").write_text("ant\na\nb\nc\nd\n")  # it is nearer
    with pytest.raises(DataError, match="classes.txt: lacks 'dog', and there"):
        read_labels(tmp_path, 5)


def test_train_settles_which_classes_are_evaluated(tmp_path: Path) -> None:
    plant(tmp_path, "train/ant/0.png train/bee/1.png train/cat/2.png val/cat/3.png val/ant/")
    assert read_labels(tmp_path, 3) == [2]
    with pytest.raises(DataError, match="train: 3 class folders; 3 images; the model has 4 classe"):
        read_labels(tmp_path, 4)
    synsets = ["n01440764", "n02123045", "n02504013"]
    plant(tmp_path / "few", " ".join(f"train/{synset}/0.png" for synset in synsets))
    plant(tmp_path / "few", f"val/{synsets[0]}/0.png val/{synsets[2]}/0.png")
    assert read_labels(tmp_path / "few", 3) == [0, 2]
    assert read_labels(tmp_path / "few", 1000) == [0, 385]


def test_numbers_in_a_file_are_not_those_that_folders_are_called_by(tmp_path: Path) -> None:
    """The folder 01 of train is number 0; in a file of labels 01 is number 1."""
    plant(tmp_path, "train/{01,02,03}/0.png val/{0,1}.png")
    (tmp_path / "val" / "labels.csv").write_text("0.png,01\n1.png,02\n")
    said = "val: its labels are numbers, and the class that is called 01 has the number 0; give"
    with pytest.raises(DataError, match=said):
        read_labels(tmp_path, 3)
    for number, folder in enumerate(sorted((tmp_path / "train").iterdir())):
        folder.rename(folder.with_name(str(number)))
    assert read_labels(tmp_path, 3) == [1, 2]


@pytest.mark.parametrize(
    "paths",
    [
        "train/{a,b,c}/0.png val/{a,b,c}/1.png",
        "all/val/{a,b,c}/0.png all/test/{a,b,c}/1.png",
        "train/0.png val/1.png",
        "Train/{a,b,c}/0.png Val/{a,b,c}/1.png",
        "train2017/{a,b,c}/0.png val2017/{a,b,c}/1.png",
        "train_images/{a,b,c}/0.png dev-images/{a,b,c}/1.png",
        "seg_train/seg_train/{a,b,c}/0.png seg_test/seg_test/{a,b,c}/1.png",
    ],
)
def test_parts_of_a_data_set_are_not_evaluated_together(tmp_path: Path, paths: str) -> None:
    """As in a tar of both, or in a folder above."""
    whole = plant(tmp_path / "whole", paths)
    with tarfile.open(tmp_path / "whole.tar", "w") as tar:
        tar.add(whole, ".")
    for path in (tmp_path / "whole.tar", tmp_path):
        with pytest.raises(DataError, match=r"holds \S+ and \S+ in it, which are no classes"):
            read_labels(path, 2)


@pytest.mark.parametrize("paths", ["trainer/0.png valley/1.png", "test1/0.png test2/1.png"])
def test_classes_that_are_called_like_parts_are_classes(tmp_path: Path, paths: str) -> None:
    assert read_labels(plant(tmp_path, paths), 2) == [0, 1]


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    plant(tmp_path, "caf\u00e9/0.png cafe\u0301/1.png")
    with pytest.raises(DataError, match="two folders are called 'caf\u00e9', one with its accents"):
        open_dataset("own", tmp_path, num_classes=2)


def test_a_class_may_be_written_with_composed_letters_or_not(tmp_path: Path) -> None:
    """Macs write accents apart from their letters."""
    plant(tmp_path, "train/caf\u00e9/0.png train/tea/1.png val/cafe\u0301/2.png val/tea/3.png")
    assert read_labels(tmp_path, 2) == [0, 1]
    (tmp_path / "val" / "classes.txt").write_text("tee\ntea\ncaf\u00e9\n")
    assert read_labels(tmp_path, 3) == [2, 1]


def test_numbers_in_a_file_are_held_against_the_models(tmp_path: Path) -> None:
    plant(tmp_path, "{0,1,2,3}.png")
    (tmp_path / "labels.csv").write_text("0.png,5.0\n1.png,-1\n2.png,9\n3.png,9\ngone.png,1\n")
    assert read_labels(tmp_path, 10) == [5, -1, 9, 9]
    assert about(tmp_path, 10) == (
        "2 classes in a file of labels, 1 image without a class, 1 line about files that are not "
        "there; 4 images; the model has 10 classes"
    )
    said = "the model has 9 classes, and there are labels up to 9; set num_classes: 10, or number"
    with pytest.raises(DataError, match=said):
        read_labels(tmp_path, 9)


def test_names_in_a_file_are_held_against_the_models(tmp_path: Path) -> None:
    plant(tmp_path, "{0,1,2}.png")
    (tmp_path / "labels.csv").write_text("0.png,dog\n1.png,big cat\n2.png,-1\n")
    assert read_labels(tmp_path, 2) == [1, 0, -1]
    said = "2 classes in a file of labels, 1 image without a class; 3 images; the model has 3 cla"
    with pytest.raises(DataError, match=said):
        read_labels(tmp_path, 3)


def test_a_link_to_itself_is_no_part(tmp_path: Path) -> None:
    """What a second `ln -s PATH val` makes."""
    plant(tmp_path / "val", "a/0.png b/1.png")
    (tmp_path / "val" / "val").symlink_to(tmp_path / "val")
    assert about(tmp_path / "val", 2) == (
        "2 class folders; 2 images, 1 link to a folder above it passed over (val); the model has 2 "
        "classes"
    )


def test_names_that_are_no_text_are_keys(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    place(folder / "0.png")
    place(tmp_path / "tea" / os.fsdecode(b"\xff.png"))
    items = list(open_dataset("mine", tmp_path, num_classes=2).items())
    assert [(item.key, item.label) for item in items] == [
        (r"caf\xe9/0.png", 0),
        (r"tea/\xff.png", 1),
    ]


def test_names_of_classes_are_those_of_folders_or_of_a_file(tmp_path: Path) -> None:
    folders = plant(tmp_path / "folders", "cat/{0,1}.png dog2/0.png dog10/0.png")
    assert open_photos(folders).class_names == {0: "cat", 1: "dog2", 2: "dog10"}
    (folders / "classes.txt").write_text("dog10\ncat\ndog2\nowl\n")
    names = open_dataset("mine", folders, num_classes=4).class_names
    assert names == {0: "dog10", 1: "cat", 2: "dog2", 3: "owl"}
    flat = plant(tmp_path / "flat", "{0,1,2}.png")
    (flat / "labels.csv").write_text("0.png,cat\n1.png,dog\n2.png,cat\n")
    assert open_photos(flat).class_names == {0: "cat", 1: "dog"}
    (flat / "labels.csv").write_text("0.png,0\n1.png,4\n2.png,0\n")
    assert open_photos(flat).class_names == {}
