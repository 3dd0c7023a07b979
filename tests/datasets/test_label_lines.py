"""Files of labels as people, spreadsheets and pandas write them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cmx_bench.datasets import label_lines, tree
from cmx_bench.datasets.label_lines import Lines
from cmx_bench.errors import DataError

from .trees import place, plant

IMAGES = "a0.png b1.png c2.png"


def read(root: Path, text: str | bytes, name: str = "labels.csv") -> Lines:
    file = root / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return label_lines.read(file, tree.read(root))


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    return plant(tmp_path, IMAGES)


AS_WRITTEN = {
    "spaces": "a0.png x\nb1.png y\nc2.png x",
    "commas": "a0.png,x\nb1.png,y\nc2.png,x\n",
    "a space behind the comma": "a0.png, x\nb1.png, y \nc2.png, x\n",
    "a space before it": "a0.png ,x\nb1.png ,y\nc2.png ,x\n",
    "windows": "a0.png,x\r\nb1.png,y\r\n\r\nc2.png,x\r\n",
    "old macs": "a0.png,x\rb1.png,y\rc2.png,x",
    "quoted": '"a0.png","x"\n"b1.png","y"\n"c2.png","x"\n',
    "quoted without commas": '"a0.png" "x"\n"b1.png" "y"\n"c2.png" "x"\n',
    "tabs": "a0.png\tx\nb1.png\ty\nc2.png\tx\n",
    "a heading": "image,label\na0.png,x\nb1.png,y\nc2.png,x\n",
    "lines twice": "a0.png,x\nb1.png,y\nb1.png,y\nc2.png,x\n",
    "dots": "./a0.png,x\n.\\b1.png,y\nc2.png,x\n",
    "a line for Excel": "sep=,\r\nimage,label\r\na0.png,x\r\nb1.png,y\r\nc2.png,x\r\n",
    "a mark of UTF-8": "\ufeffa0.png,x\nb1.png,y\nc2.png,x\n",
}


@pytest.mark.parametrize("form", AS_WRITTEN)
@pytest.mark.parametrize("name", label_lines.NAMES)
def test_each_way_to_write_them_is_read(flat: Path, form: str, name: str) -> None:
    assert read(flat, AS_WRITTEN[form], name) == Lines(("x", "y", "x"), ())


def test_windows_unicode_is_read(flat: Path) -> None:
    assert read(flat, AS_WRITTEN["windows"].encode("utf-16")) == Lines(("x", "y", "x"), ())


def test_what_pandas_writes_is_read(flat: Path) -> None:
    """Numbers of a column with gaps have a point; a class may have spaces and commas."""
    frame = pd.DataFrame({"file": IMAGES.split(), "label": [5, 7, -1]})
    assert read(flat, frame.to_csv(index=False)).of == (5, 7, None)
    floats = frame.assign(label=frame["label"].astype(float))
    assert read(flat, floats.to_csv(index=False)).of == (5, 7, None)
    words = frame.assign(label=["big cat", "tench, Tinca tinca", 'a "dog"'])
    assert read(flat, words.to_csv(index=False)).of == ("big cat", "tench, Tinca tinca", 'a "dog"')


@pytest.mark.parametrize("word", ["7", "7.0", "+7", "7e0", "07", "7.", "0.7e1"])
def test_one_number_is_written_in_many_ways(flat: Path, word: str) -> None:
    assert read(flat, f"a0.png,{word}\nb1.png,1\nc2.png,-1.0\n").of == (7, 1, None)


@pytest.mark.parametrize("word", ["5.5", "nan", "NaN", "inf", "-2", "1e999", "-0.5", "1e300"])
def test_what_is_neither_number_nor_name_is_refused(flat: Path, word: str) -> None:
    for other in ("1", "cat"):
        said = "csv:2: b1.png has the class .*, neither the number of a class nor a name; write -1"
        with pytest.raises(DataError, match=said):
            read(flat, f"a0.png,{other}\nb1.png,{word}\nc2.png,{other}\n")


@pytest.mark.parametrize("word", ['="7"', "1,000", "1 000", "7 %", "1_0", "\u22121", "\u200b7"])
def test_a_number_that_is_dressed_up_is_no_name(flat: Path, word: str) -> None:
    rows = pd.DataFrame({"file": IMAGES.split(), "label": word}).to_csv(index=False)
    with pytest.raises(DataError, match="csv:2: a0.png has the class .*; write digits alone"):
        read(flat, rows)


def test_one_name_is_written_with_composed_letters_or_not(flat: Path) -> None:
    lines = read(flat, "a0.png,caf\u00e9\nb1.png,cafe\u0301\nc2.png,x\n")
    assert lines.of == ("caf\u00e9", "caf\u00e9", "x")


@pytest.mark.parametrize("word", ["unknown", "NA", "cat", "5 to 9", "1/2"])
def test_a_name_beside_numbers_is_refused(flat: Path, word: str) -> None:
    with pytest.raises(DataError, match=f"csv:3: the class {word} is unlike classes such as 0"):
        read(flat, f"a0.png,0\nb1.png,1\nc2.png,{word}\n")


def test_an_image_may_have_no_class_beside_names(flat: Path) -> None:
    assert read(flat, "a0.png,cat\nb1.png,-1\nc2.png,dog\n").of == ("cat", None, "dog")


def test_an_empty_cell_is_refused(flat: Path) -> None:
    gaps = pd.DataFrame({"file": IMAGES.split(), "label": [5, np.nan, 7]}).to_csv(index=False)
    with pytest.raises(DataError, match="csv:3: b1.png has no class that can be read; write -1"):
        read(flat, gaps)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,class,split\na0.png,x,val", r"csv:1: expected two columns, FILE and CLASS, got \["),
        ("a0.png,x\nb1.png,big, cat\n", "csv:2: expected two columns"),
        ("a0.png,x\nb1.png\n", "csv:2: expected two columns"),
        (pd.DataFrame({"file": IMAGES.split(), "n": [1, 2, 3]}).to_csv(), "csv:1: expected two"),
        ("a0.png;x\nb1.png;y\n", "its columns are separated by semicolons; save it with commas"),
        ("a0.png,x\nb1.png,y\n", "has no line for c2.png; add one, or take the image away"),
        ("a0.png,x\nb1.png,y\nC2.PNG,x\n", r"no line for c2.png \(it has one for C2.PNG\)"),
        ("/v/a0.png,x\n/v/b1.png,y\n", r"no line for a0.png \(it has one for /v/b1.png\); add"),
        ("a0.png,1\na0.png,2\n", "csv:2: a0.png has two classes, 1 and 2"),
        ("a0.png,1\na0.png,-1\n", "csv:2: a0.png has two classes, 1 and -1"),
        ('a0.png,x\n"b1.png,y\nc2.png,x\n', "csv:3: expected two columns"),
        (b"a0.png,caf\xe9\n", "csv:1: a0.png has no class that can be read"),
        (b"\xff\xfea", "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(flat: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(flat, text)


def test_a_file_that_is_there_and_not_read_is_told(flat: Path) -> None:
    plant(flat, "d3.webp")
    text = "a0.png,x\nb1.png,y\nc2.png,x\n"
    with pytest.raises(DataError, match="csv:4: d3.webp is there and is not read"):
        read(flat, f"{text}d3.webp,x\n")
    assert read(flat, f"{text}e4.png,x\nf5.png,\n") == Lines(("x", "y", "x"), ("x", None))


def test_files_in_folders_are_named_by_path_or_by_name(tmp_path: Path) -> None:
    plant(tmp_path, "s/a.png s/b.png t/b.png b.png")  # in the order b, s/a, s/b, t/b
    labels = read(tmp_path, "b.png,0\na.png,1\ns\\b.png,2\n./t/b.png,3\n")
    assert labels.of == (0, 1, 2, 3)
    with pytest.raises(DataError, match="no line for s/b.png"):
        read(tmp_path, "b.png,0\na.png,1\nt/b.png,3\n")
    (tmp_path / "b.png").unlink()
    with pytest.raises(DataError, match="csv:2: b.png is in several folders; name the folder too"):
        read(tmp_path, "a.png,1\nb.png,2\n")


def test_names_are_found_whatever_their_bytes(tmp_path: Path) -> None:
    """Of the name with an accent a Mac's zip has two letters, a keyboard types one."""
    plant(tmp_path, "cafe\u0301.png")
    place(tmp_path / os.fsdecode(b"na\xefve.png"))
    content = "caf\u00e9.png,1\n".encode() + b"na\xefve.png,2\n"
    assert read(tmp_path, content).of == (1, 2)


def test_two_files_of_labels_are_refused(flat: Path) -> None:
    for name in label_lines.NAMES:
        assert label_lines.file_in(flat) in (None, flat / label_lines.NAMES[0])
        (flat / name).write_text(AS_WRITTEN["commas"])
    with pytest.raises(DataError, match="labels.txt and labels.csv may say different things"):
        label_lines.file_in(flat)
