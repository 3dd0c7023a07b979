"""Folders and tars: timm's order, ImageNet's numbers, labels from a file."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from timm.data import ImageNetInfo, create_dataset

from cmx_bench.datasets import Dataset, Split, open_dataset
from cmx_bench.errors import DataError

from ..photographs import CLASSES, write


def opened(path: Path) -> Dataset:
    return open_dataset("imagenet-val", path)


def test_images_come_in_timms_order(tmp_path: Path) -> None:
    write(tmp_path, 12)
    keys = [item.key for item in opened(tmp_path).items()]
    assert keys == create_dataset("", str(tmp_path)).filenames()
    assert keys != sorted(keys, reverse=True)


def test_synsets_have_imagenets_numbers(tmp_path: Path) -> None:
    write(tmp_path, 6)
    names = ImageNetInfo().label_names()
    found = {Path(item.key).parent.name: item.label for item in opened(tmp_path).items()}
    assert found == {synset: names.index(synset) for synset in CLASSES}
    assert opened(tmp_path).classes == 1 + max(found.values())


def test_other_folders_are_numbered_as_by_timm(tmp_path: Path) -> None:
    for number, file in enumerate(write(tmp_path / "all", 12)):
        target = tmp_path / "named" / f"class{number}" / file.name
        target.parent.mkdir(parents=True)
        file.rename(target)
    dataset = opened(tmp_path / "named")
    assert [item.label for item in dataset.items()] == list(range(12))  # class2 before class10
    assert (dataset.size, dataset.classes) == (12, 12)


def test_a_split_in_the_folder_is_found(tmp_path: Path) -> None:
    write(tmp_path / "train", 7)
    write(tmp_path / "val", 6)
    assert opened(tmp_path).size == 6


def in_classes(root: Path, part: str, classes: str) -> None:
    """A folder for each class of a part, with two images."""
    for name in classes.split():
        target = root / part / name
        target.mkdir(parents=True)
        for file in write(root / "all", 2):
            file.rename(target / file.name)


def labels(root: Path, split: Split = "validation") -> dict[str, int]:
    items = open_dataset("mine", root, split).items()
    return {Path(item.key).parent.name: item.label for item in items}


def test_a_class_has_the_same_number_in_both_parts(tmp_path: Path) -> None:
    """Of the classes 9 to 12 the part to evaluate on lacks 10: the numbers stay."""
    in_classes(tmp_path, "train", "9 10 11 12")
    in_classes(tmp_path, "val", "9 11 12")
    assert labels(tmp_path, "train") == {"9": 0, "10": 1, "11": 2, "12": 3}
    assert labels(tmp_path) == {"9": 0, "11": 2, "12": 3}
    assert open_dataset("mine", tmp_path).classes == 4


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
    dataset = opened(tmp_path)
    assert [item.label for item in dataset.items()] == [0, 7, 14, 21, 28, 35]
    assert dataset.classes == 36


def test_labels_of_a_file_may_be_synsets(tmp_path: Path) -> None:
    files = flat(tmp_path, 6)
    lines = [f"{file.name} {synset}" for file, synset in zip(files, CLASSES, strict=True)]
    (tmp_path / "labels.txt").write_text("\n".join(lines))
    names = ImageNetInfo().label_names()
    assert [item.label for item in opened(tmp_path).items()] == [*map(names.index, CLASSES)]


def flat(folder: Path, count: int) -> list[Path]:
    files = write(folder, count)
    moved = sorted(file.rename(folder / file.name) for file in files)
    for synset in CLASSES:
        (folder / synset).rmdir()
    return moved


def test_flat_without_labels_is_refused(tmp_path: Path) -> None:
    flat(tmp_path, 6)
    with pytest.raises(DataError, match=r"no class folders; add a file labels.txt"):
        opened(tmp_path)


def test_an_image_without_a_line_is_refused(tmp_path: Path) -> None:
    files = flat(tmp_path, 6)
    (tmp_path / "labels.txt").write_text(f"{files[0].name} 3\n")
    with pytest.raises(DataError, match=f"has no line for {files[1].name}"):
        opened(tmp_path)


def test_headings_and_lines_of_other_files_count_for_nothing(tmp_path: Path) -> None:
    files = flat(tmp_path, 6)
    lines = ["file,label", *(f"{file.name},{90 + number}" for number, file in enumerate(files))]
    (tmp_path / "labels.csv").write_text("\n".join([*lines, "elsewhere.jpg,cat"]))
    assert [item.label for item in opened(tmp_path).items()] == list(range(90, 96))


def test_two_classes_of_one_image_are_refused(tmp_path: Path) -> None:
    name = flat(tmp_path, 6)[0].name
    (tmp_path / "labels.txt").write_text(f"{name} 1\n{name} 2\n")
    with pytest.raises(DataError, match=f"{name} has two classes, 1 and 2"):
        opened(tmp_path)


def test_a_stray_image_does_not_renumber_imagenets_classes(tmp_path: Path) -> None:
    file = write(tmp_path, 12)[0]
    file.rename(tmp_path / file.name)
    with pytest.raises(DataError, match="there are images in 'no folder'"):
        opened(tmp_path)


def test_a_tar_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images.tar").write_bytes(b"no archive")
    with pytest.raises(DataError, match="no images found"):
        opened(tmp_path / "images.tar")


def test_half_a_line_is_refused_with_its_number(tmp_path: Path) -> None:
    flat(tmp_path, 6)
    (tmp_path / "labels.txt").write_text("a.jpg 1\nb.jpg\n")
    with pytest.raises(DataError, match=r"labels.txt:2: expected 'FILE CLASS'"):
        opened(tmp_path)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match="no images found"):
        opened(tmp_path)


def test_a_tar_is_read_like_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "folder", 12)
    archive = tmp_path / "images.tar"
    with tarfile.open(archive, "w") as tar:
        for folder in sorted((tmp_path / "folder").iterdir()):
            tar.add(folder, folder.name)
    whole = [(item.label, item.read()) for item in opened(tmp_path / "folder").items()]
    assert [(item.label, item.read()) for item in opened(archive).items()] == whole
    assert whole
