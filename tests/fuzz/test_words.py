"""What users and suites write in small grammars: read, or refused in one line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmx_bench import published, units
from cmx_bench.accuracy import Evaluation, labels
from cmx_bench.datasets import open_dataset
from cmx_bench.errors import CmxError
from cmx_bench.spec import claims
from cmx_bench.spec.suite import Accuracy

from ..conftest import Cli
from .mutations import TEXTS

MODELS = ("net", "mixer", "convmixer_768_32")
WORDS = (
    "params(net)", "top1(mixer)", "throughput ( convmixer_768_32 )", "memory(nte)", "and", "or",
    "in", "[", "]", ",", "(", ")", "<", "<=", ">", "≥", "+", "-", "−", "*", "×", "/", "÷", "3",
    "0", "10%", "1e6", "1e999", ".5", "%", "é", "\n", "params(", "net)", "==",
)  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join) | st.text(max_size=200))
def test_a_check(check: str) -> None:
    try:
        claims.parse(check, MODELS)
    except claims.CheckError as mistake:
        assert 0 <= mistake.at <= len(check)
        assert len(str(mistake)) < 1500


_AMOUNTS = st.from_regex(r"[0-9]{0,400}[.]?[0-9]{0,4} ?[kMGTsmh%e]?", fullmatch=True)


@pytest.mark.parametrize("read", [units.count, units.seconds, units.share])
@given(text=_AMOUNTS | st.sampled_from(TEXTS) | st.text(max_size=20))
def test_an_amount(read: Callable[[str], float | None], text: str) -> None:
    try:
        number = read(text)
    except ValueError as error:
        assert str(error).startswith("expected")
    else:
        assert number is None or math.isfinite(number)


_LINES = st.lists(
    st.sampled_from(("0.png 1", "0.png,cat", "1.png 2", "1.png", "a b c", "FILE,CLASS", "",
                     "0.png " + "9" * 500, "0.png ²", "\x00", "1.png -1")),
    max_size=5,
).map("\n".join)  # fmt: skip


@given(text=(_LINES | st.text(max_size=50)).map(str.encode) | st.binary(max_size=50))
def test_a_file_of_labels(tmp_path: Path, images: Path, text: bytes) -> None:
    (images / "labels.txt").write_bytes(text)
    try:
        assert open_dataset("own", images).size == 2
    except CmxError as error:
        assert len(str(error)) < 1500


@pytest.fixture
def images(tmp_path: Path) -> Path:
    from PIL import Image

    for name in ("0.png", "1.png"):
        Image.new("RGB", (2, 2)).save(tmp_path / name)
    return tmp_path


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=2), inside),
    max_leaves=8,
)


@given(content=_JSON.map(json.dumps) | st.sampled_from(("[" * 9999, "9" * 9999, "[[" + "9" * 400)))
def test_files_of_classes(tmp_path: Path, content: str) -> None:
    (tmp_path / "classes").write_text(content, encoding="utf-8")
    task = Evaluation(Accuracy(real_labels="classes", valid_labels="classes"), tmp_path)
    for read in (labels.reader, labels.valid):
        try:
            read(task)
        except CmxError as error:
            assert len(str(error).splitlines()) == 1


@given(st.text(max_size=30), st.sampled_from(("top1", "params", "x")), st.text(max_size=30))
def test_published_figures(model: str, quantity: str, tag: str) -> None:
    assert published.find(model, quantity, tag) is None
    assert published.extra_training(tag) in (True, False)


_OPTIONS = st.sampled_from(
    ("--families", "--classes", "--image-size", "--patch-size", "--within", "--format")
)
_VALUES = st.sampled_from((*TEXTS, "0", "-1", "224", "9999999", "resnet", "deit,mixer", "csv"))
# A word would be looked up among timm's models, by a process that loads torch.
_TARGETS = st.sampled_from(("1M", "0", "1G", "-1", "9" * 400, "9e9", "1.5", "1_0", ""))


@given(amount=_TARGETS, options=st.dictionaries(_OPTIONS, _VALUES, max_size=3))
def test_options(cmx: Cli, amount: str, options: dict[str, str]) -> None:
    line = [f"{name}={value}" for name, value in options.items()]
    code, _, stderr = cmx("match", f"--params={amount}", *line)
    assert code in (0, 2)
    assert "Traceback" not in stderr
