"""What lies in a folder or a tar: timm's images in timm's order, each once, the rest counted."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from timm.data.readers.reader_image_folder import ReaderImageFolder
from timm.data.readers.reader_image_in_tar import ReaderImageInTar

from cmx_bench.datasets import key_of, tree
from cmx_bench.errors import DataError

from .trees import place, plant

SOUND = "b10/{1,2,10}.png b2/{x,X2}.JPG b2/y.jpeg a/0.png a/00.png c/é.png"


def paths(root: Path) -> list[str]:
    return [image.path for image in tree.read(root).images]


def pack(folder: Path) -> Path:
    """A tar of what is in a folder, in no order."""
    archive = folder.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        for path in sorted(folder.iterdir(), reverse=True):
            tar.add(path, path.name)
    return archive


def test_a_folders_images_are_timms_in_its_order(tmp_path: Path) -> None:
    root = plant(tmp_path, SOUND)
    assert paths(root) == ReaderImageFolder(str(root)).filenames()


def test_a_tars_images_are_timms_in_its_order(tmp_path: Path) -> None:
    archive = pack(plant(tmp_path / "images", SOUND))
    assert paths(archive) == ReaderImageInTar(str(archive)).filenames()
    folder = {image.path: image.read() for image in tree.read(tmp_path / "images").images}
    assert {image.path: image.read() for image in tree.read(archive).images} == folder


def test_a_tar_in_a_tar_is_a_folder(tmp_path: Path) -> None:
    inner = pack(plant(tmp_path / "all" / "cat", "{1,2}.png"))
    plant(tmp_path / "all", "dog/3.png")
    for file in (tmp_path / "all" / "cat").iterdir():
        file.unlink()
    (tmp_path / "all" / "cat").rmdir()
    images = tree.read(pack(tmp_path / "all")).images
    assert inner.name == "cat.tar"
    assert [image.path for image in images] == ["cat/1.png", "cat/2.png", "dog/3.png"]
    assert all(image.read().startswith(b"\x89PNG") for image in images)


def test_links_in_a_tar_are_read(tmp_path: Path) -> None:
    root = plant(tmp_path / "images", "cat/1.png")
    os.link(root / "cat" / "1.png", root / "cat" / "2.png")
    (root / "cat" / "3.png").symlink_to("1.png")
    contents = [image.read() for image in tree.read(pack(root)).images]
    assert len(contents) == 3 and len(set(contents)) == 1


def test_a_file_that_was_added_to_a_tar_again_is_the_later_one(tmp_path: Path) -> None:
    root = plant(tmp_path / "images", "cat/0.png dog/longer.png")
    archive = pack(root)
    with tarfile.open(archive, "a") as tar:
        tar.add(root / "dog" / "longer.png", "cat/0.png")
    again, other = tree.read(archive).images
    assert (again.path, other.path) == ("cat/0.png", "dog/longer.png")
    assert again.read() == other.read() != (root / "cat" / "0.png").read_bytes()


@pytest.mark.parametrize("harm", ["cut off", "half a header", "no header"])
def test_a_tar_without_its_end_is_refused(tmp_path: Path, harm: str) -> None:
    """Python's reader stops where there is no header, and what follows would be missing."""
    archive = pack(plant(tmp_path / "images", "cat/{0,1,2}.png"))
    with tarfile.open(archive) as tar:
        second = tar.getmembers()[2].offset
    content = archive.read_bytes()
    end = {"cut off": b"", "half a header": content[second : second + 100]}
    archive.write_bytes(content[:second] + end.get(harm, b"x" * len(content[second:])))
    with pytest.raises(DataError, match="images.tar: cannot be read: it is damaged or cut off"):
        tree.read(archive)


def test_two_tars_one_behind_the_other_are_refused(tmp_path: Path) -> None:
    """Readers stop at the end of the first, and half of the images would be missing."""
    archive = pack(plant(tmp_path / "images", "cat/{0,1}.png dog/{0,1}.png"))
    archive.write_bytes(2 * archive.read_bytes())
    with pytest.raises(DataError, match="images.tar: more follows after its end"):
        tree.read(archive)


@pytest.mark.parametrize("name", ["x²1.png", "1²3.png"])
def test_digits_that_are_no_numbers_can_be_sorted(tmp_path: Path, name: str) -> None:
    place(tmp_path / "cat" / name)
    assert paths(tmp_path) == [f"cat/{name}"]


def test_names_that_differ_in_capitals_have_one_order() -> None:
    assert sorted(["b", "A", "a", "B"], key=tree.natural_order) == ["A", "a", "B", "b"]


@pytest.mark.parametrize("target", [".", "..", "val", "../elsewhere/.."])
def test_a_link_to_a_folder_above_is_passed_over(tmp_path: Path, target: str) -> None:
    root = plant(tmp_path / "val", "cat/{0,1}.png dog/{2,3}.png")
    plant(tmp_path, "elsewhere/9.png")
    link = root / "cat" / "again"
    link.symlink_to(root / target if target != "val" else root)
    (root / "up").symlink_to(root)
    files = tree.read(root)
    assert len(files.images) == 4
    assert sorted(files.loops) == ["cat/again", "up"]
    assert files.told(()) == "4 images, 2 links to folders above passed over (cat/again)"


def test_one_folder_twice_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, "cat/0.png dog/1.png")
    (tmp_path / "pets").symlink_to(tmp_path / "cat")
    with pytest.raises(DataError, match="(cat and pets|pets and cat) are the same folder"):
        tree.read(tmp_path)


def test_links_elsewhere_are_followed(tmp_path: Path) -> None:
    plant(tmp_path, "pool/{0,1}.png store/dogs/2.png val/cat/3.png")
    (tmp_path / "val" / "cat" / "0.png").symlink_to(tmp_path / "pool" / "0.png")
    (tmp_path / "val" / "cat" / "00.png").symlink_to(tmp_path / "pool" / "0.png")
    (tmp_path / "val" / "dog").symlink_to(tmp_path / "store" / "dogs")
    root = tmp_path / "val"
    assert paths(root) == ["cat/0.png", "cat/00.png", "cat/3.png", "dog/2.png"]
    assert paths(root) == ReaderImageFolder(str(root)).filenames()
    assert (
        tree.read(root).told(())
        == "4 images, 1 image that is a link to others of them (cat/00.png)"
    )


def test_links_to_images_beside_them_are_told(tmp_path: Path) -> None:
    root = plant(tmp_path / "val", "cat/{0,1}.png dog/2.png")
    (root / "dog" / "0.png").symlink_to(root / "cat" / "0.png")
    (root / "dog" / "1.png").symlink_to("2.png")
    assert tree.read(root).told(()) == (
        "5 images, 2 images that are links to others of them (dog/0.png)"
    )


def test_an_image_behind_two_links_is_told(tmp_path: Path) -> None:
    """One link leads to the image, another to its folder."""
    root = plant(tmp_path, "pool/{0,1}.png val/cat/2.png") / "val"
    (root / "cat" / "0.png").symlink_to(tmp_path / "pool" / "0.png")
    (root / "dog").symlink_to(tmp_path / "pool")
    assert tree.read(root).told(()) == (
        "4 images, 1 image that is a link to others of them (dog/0.png)"
    )


def test_a_link_to_nothing_is_an_image_that_cannot_be_read(tmp_path: Path) -> None:
    plant(tmp_path, "cat/0.png")
    (tmp_path / "cat" / "1.png").symlink_to("none.png")
    (tmp_path / "cat" / "2.png").symlink_to("2.png")
    images = tree.read(tmp_path).images
    assert [image.path for image in images] == ["cat/0.png", "cat/1.png", "cat/2.png"]
    for image in images[1:]:
        with pytest.raises(OSError, match=r"\[Errno"):
            image.read()


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    plant(tmp_path, "cat/0.png")
    os.mkfifo(tmp_path / "cat" / "1.png")
    files = tree.read(tmp_path)
    assert (len(files.images), files.others) == (1, ["cat/1.png"])


def test_other_kinds_and_hidden_files_are_counted(tmp_path: Path) -> None:
    root = plant(
        tmp_path / "images",
        "cat/0.png cat/{1.webp,2.bmp,3.TIF,notes,4.gif,5.jfif} dog/1.png README.md "
        ".DS_Store .ipynb_checkpoints/0.png cat/._0.png __MACOSX/cat/0.png cat/@eaDir/0.png",
    )
    files = tree.read(root)
    assert paths(root) == ["cat/0.png", "dog/1.png"]
    assert files.told(("README.md",)) == (
        "2 images, 6 files of other kinds passed over (.bmp, .gif, .jfif, .tif, .webp, …), "
        "5 hidden entries passed over"
    )
    assert sorted(tree.read(pack(root)).others) == sorted(files.others)


def test_where_there_is_no_image_what_is_there_is_told(tmp_path: Path) -> None:
    plant(tmp_path, "cat/{0,1}.webp")
    with pytest.raises(DataError, match=r"no images found in it; .* 2 files of other kinds passed "
                                        r"over \(.webp\)"):  # fmt: skip
        tree.read(tmp_path)


def test_bytes_that_are_no_text_are_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    place(tmp_path / "cat" / name)
    (image,) = tree.read(tmp_path).images
    assert image.read().startswith(b"\x89PNG")
    assert key_of(image.path) == r"cat/caf\xe9.png"
    assert key_of("cat/two\nlines \x1b[1m.png") == r"cat/two\x0alines \x1b[1m.png"
    assert key_of("cat/café 猫.png") == "cat/café 猫.png"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.tar", "cannot be read: .*; if it is compressed, unpack it"),
        ("x.tar.gz", "expected a folder or a .tar of images; unpack any other archive"),
        ("x.zip", "expected a folder or a .tar of images; unpack any other archive"),
    ],
)
def test_what_is_compressed_is_to_be_unpacked(tmp_path: Path, name: str, message: str) -> None:
    plant(tmp_path, "cat/0.png")
    file = tmp_path / name
    with tarfile.open(file, "w:gz") as archive:
        archive.add(tmp_path / "cat", "cat")
    with pytest.raises(DataError, match=f"{name}: {message}"):
        tree.read(file)
