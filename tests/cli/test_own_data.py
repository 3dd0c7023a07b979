"""A user's own images and weights, from the command line to the page: nothing of the machine, and
no image, is given away unasked."""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
from safetensors.torch import save_file

import cmx_bench

from ..conftest import Cli
from ..photographs import CLASSES, write
from ..teaching import teach

BINARY = (".npz", ".jpg", ".png", ".pdf")
SUITE = """\
name: own
num_classes: 6
models:
  - {name: ours, timm: test_vit, weights: ours.safetensors, resample: true}
  - {name: rival, timm: test_resnet, weights: none.pth}
measures: [accuracy]
accuracy: {dataset: photos, preprocessing: shared}
settings: {cpu: [{name: cpu, batch_size: 8, image_size: 64}]}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Own images, weights and a suite, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("jane doe")
    write(folder / "my photos", 24, 80, 60)
    teach("test_vit", folder / "ours.safetensors", 160, 6)
    untaught = timm.create_model("test_resnet", num_classes=6)
    save_file(untaught.state_dict(), folder / "rival.safetensors")
    (folder / "own.yaml").write_text(SUITE)
    (folder / "none.pth").touch()
    return folder


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Everything that is rendered, the data inside the page unpacked."""
    kept = {"run.json", "records.jsonl", "log.txt", ".lock"}
    for path in folder.rglob("*"):
        if not path.is_file() or path.name in kept or path.suffix in BINARY:
            continue
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        yield path.name, text
        for block in re.findall(r'id="cmx-bench-data">\n([^<]*)\n</script>', text):
            packed = base64.urlsafe_b64decode(json.loads(block)["data"])
            yield "data", json.dumps(json.loads(zlib.decompress(packed)), ensure_ascii=False)


def test_a_page_of_own_data_gives_nothing_away(cmx: Cli, home: Path, tmp_path: Path) -> None:
    asked = ("run", home / "own.yaml", "--data", f"photos={home / 'my photos'}", "--device", "cpu")
    out = tmp_path / "out"
    given = ("--weights", f"rival={home / 'rival.safetensors'}", "--out", out)
    code, _, err = cmx(*asked, *given)
    assert code == 0, err
    shown = dict(texts(out))
    assert {"report.html", "report.md", "results.csv", "samples.csv.gz", "data"} <= shown.keys()
    for name, text in [*shown.items(), *((f, cmx("report", out, "--format", f)[1])
                                         for f in ("json", "latex"))]:  # fmt: skip
        assert str(home) not in text and str(tmp_path) not in text, name
        assert home.name not in text, name
        if name != "report.html":  # whose scripts and style sheet have slashes of their own
            assert not re.search(r"(?<![\w./…<*-])/(tmp|home|root|work|var)/", text), name
    assert "photos=…/my photos" in shown["data"] and "…/ours.safetensors" in shown["data"]
    assert str(home) in (out / "run.json").read_text()
    assert "data:image/jpeg" not in shown["report.html"]
    assert not (out / "predictions" / "thumbnails").exists()
    assert "resampled to 64 px as timm does" in shown["report.md"]
    assert cmx("verify", out)[0] == cmx("verify", out / "report.html")[0] == 0
    said = cmx_bench.predictions(out)
    assert said.equals(cmx_bench.predictions(out / "report.html"))
    assert set(said["truth_name"]) == set(CLASSES) and len(said) == 2 * 24
    assert "## Accuracy by class" in shown["report.md"] and CLASSES[0] in shown["report.md"]
    code, _, err = cmx(*asked, *given, "--thumbnails")
    assert code == 0, err
    assert list((out / "predictions" / "thumbnails").glob("*.jpg"))
    assert "data:image/jpeg" in (out / "report.html").read_text()
    assert cmx("verify", out)[0] == 0


def test_copies_of_no_images_are_refused(cmx: Cli, tmp_path: Path) -> None:
    suite = tmp_path / "s.yaml"
    suite.write_text(SUITE.replace("[accuracy]", "[params]"))
    assert cmx("run", suite, "--thumbnails") == (
        2, "", "cmx-bench: --thumbnails: the suite evaluates on no images; leave it out\n",
    )  # fmt: skip
