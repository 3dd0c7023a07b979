"""What a suite from a stranger may read: what lies in its folder, and no more is shown of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.errors import SuiteError
from cmx_bench.plan import making
from cmx_bench.plan.users import Asked
from cmx_bench.spec import suite

from ..conftest import TINY

SECRET = "root:x:0:0:" + "hush" * 100
RECIPE = "name: own\nepochs: 2\nbatch_size: 64\noptimizer: {lr: 0.01}\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The folder of a suite, with links out of it, beside files that are no business of a suite."""
    folder = tmp_path / "own"
    folder.mkdir()
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    (folder / "ring").symlink_to(folder / "ring")
    return folder


def write(folder: Path, text: str) -> str:
    (folder / "suite.yaml").write_text(text)
    return str(folder / "suite.yaml")


@pytest.mark.parametrize("key", ["train", "real_labels", "valid_labels"])
@pytest.mark.parametrize(
    "named",
    ["../secret", "{tmp}/secret", "/etc/passwd", "link", "up/secret", "x/../../secret", "ring",
     '"\\0"', "/dev/zero", "/proc/self/environ"],
)  # fmt: skip
def test_a_file_outside_the_folder_is_neither_read_nor_shown(
    own: Path, tmp_path: Path, key: str, named: str
) -> None:
    asked = f"accuracy: {{preprocessing: shared, {key}: {named.format(tmp=tmp_path)}}}\n"
    with pytest.raises(SuiteError) as error:
        suite.load(write(own, TINY + asked))
    assert f": {key}: " in str(error.value)
    assert "lies outside the suite's folder; add --allow-import if you trust" in str(error.value)
    assert "hush" not in str(error.value)


def test_a_suite_that_is_trusted_may_name_any_file(own: Path) -> None:
    asked = "accuracy: {preprocessing: shared, train: ../recipe.yaml, valid_labels: link}\n"
    path = write(own, TINY + asked)
    loaded = suite.load(path, trusted=True).suite
    assert loaded.accuracy.train is not None and loaded.accuracy.train.name == "own"


def test_files_below_the_folder_need_no_trust(own: Path) -> None:
    (own / "inside").mkdir()
    (own / "inside" / "recipe.yaml").write_text(RECIPE)
    (own / "here.yaml").symlink_to(own / "inside" / "recipe.yaml")
    for named in ("inside/recipe.yaml", "inside/../here.yaml", str(own / "here.yaml")):
        asked = f"accuracy: {{preprocessing: shared, train: {named}}}\n"
        assert suite.load(write(own, TINY + asked)).suite.accuracy.train is not None


def test_weights_outside_need_an_option(own: Path, tmp_path: Path, cpu: dict[str, Any]) -> None:
    path = write(own, TINY.replace("resnet10t}", "resnet10t, weights: ../secret}"))
    with pytest.raises(SuiteError) as error:
        making.make(suite.load(path), cpu)
    assert str(error.value) == (
        f"{path}:4:5: net: '../secret' lies outside the suite's folder; add --weights "
        f"net={tmp_path}/secret or --allow-import if you trust this suite"
    )
    given = making.make(suite.load(path), cpu, Asked(given={"net": tmp_path / "secret"}))
    assert given.models[1].weights == str(tmp_path / "secret")
    trusted = making.make(suite.load(path, trusted=True), cpu, Asked(trusted=True))
    assert Path(str(trusted.models[1].weights)).samefile(tmp_path / "secret")


@pytest.mark.parametrize("text", [SECRET, f"{SECRET}: 1", f"name: a b {SECRET}"])
def test_errors_show_little_of_a_recipe(own: Path, text: str) -> None:
    (own / "recipe.yaml").write_text(text)
    with pytest.raises(SuiteError) as error:
        suite.load(write(own, TINY + "accuracy: {preprocessing: shared, train: recipe.yaml}\n"))
    assert "root:x:0:0:" in str(error.value)
    assert "hush" * 10 not in str(error.value)


LONG = "x" * 100_000


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: tiny", f"name: {LONG}"), ("name: tiny", f"name: t\ntitle: {LONG}"),
        ("[params, throughput]", f"[{LONG}]"), ("replicates: 3", f"{LONG[:1000]}: 3"),
        ("replicates: 3", f"replicates: {LONG}"), ("timm: resnet10t", f"python: {LONG}"),
        ("timm: resnet10t", f"python: 'a:{LONG}'"), ("cpu: [", f"{LONG[:1000]}: ["),
        ("timm: resnet10t", f"timm: resnet10t, weights: {LONG}"),
        ("timm: resnet10t", f"timm: resnet10t, args: {{a: {LONG}}}"),
        ("timm: resnet10t", f"timm: resnet10t, args: {{{LONG[:1000]}: 1}}"),
        ("{name: net, timm: resnet10t}", f"{{match: {LONG}, families: [deit]}}"),
        ("replicates: 3", f"accuracy: {{preprocessing: shared, train: {LONG}}}"),
        ("replicates: 3", f"accuracy: {{real_labels: {LONG}}}"),
        ("replicates: 3", f"accuracy: {{dataset: {LONG}}}"),
        ("replicates: 3", f"claims: [{{say: a, check: {LONG[:9000]}}}]"),
        ("replicates: 3", f"claims: [{{say: a, check: params({LONG[:9000]}) > 1}}]"),
        ("replicates: 3", f"budget: {LONG}"), ("replicates: 3", f"x: *{LONG}"),
        ("replicates: 3", f"x: !{LONG} 1"),
        ("replicates: 3", f"{LONG[:1000]}: 1\n{LONG[:1000]}: 1"),
        ("batch_size: 2", f"compile: {LONG}"), ("timm: resnet10t", f"resnet: {{layers: {LONG}}}"),
    ],
)  # fmt: skip
def test_no_error_is_longer_than_a_line(
    write_suite: Callable[[str], Path], cpu: dict[str, Any], old: str, new: str
) -> None:
    assert old in TINY
    path = write_suite(TINY.replace(old, new))
    with pytest.raises(SuiteError) as error:
        making.make(suite.load(str(path)), cpu)
    assert len(str(error.value)) - len(str(path)) < 500
    assert "x" * 101 not in str(error.value)
    assert "\n" not in str(error.value)
