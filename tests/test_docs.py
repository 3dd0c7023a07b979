"""The documents beside the README: their suites load, their links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cmx_bench import report
from cmx_bench.report.findings import findings
from cmx_bench.report.tables import fairness, tables
from cmx_bench.spec import recipe, suite

from .conftest import Cli

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in DOCS}
# Commands that measure no time, and what a page says they print.
QUOTED = dict(
    quote
    for text in TEXTS.values()
    for quote in re.findall(
        r"^\$ python -m cmx_bench ((?:run mine|plan bad|match|list).*)\n((?:(?!```).*\n)+)",
        text,
        re.MULTILINE,
    )
)


def yaml_in(name: str) -> list[str]:
    return re.findall(r"^```yaml\n(.+?)^```$", TEXTS[name], re.MULTILINE | re.DOTALL)


def test_the_suite_with_every_key_loads(write_suite: Callable[[str], Path]) -> None:
    first, whole, _, _, words, claims = yaml_in("suites.md")
    assert len(suite.load(str(write_suite(first))).suite.models) == 2
    loaded = suite.load(str(write_suite(whole + words + claims))).suite
    assert len(loaded.models) == 9
    assert loaded.macs.words == {"aten::_fft_c2c": "zero", "ours::gram": "ours.rules:gram"}
    assert len(loaded.claims) == 1


def test_the_suite_with_optimised_models_loads(write_suite: Callable[[str], Path]) -> None:
    _, _, _, optimised, *_ = yaml_in("suites.md")
    loaded = suite.load(str(write_suite("name: a\n" + optimised))).suite
    assert [entry.is_optimised for entry in loaded.models] == [False, True, True]  # type: ignore[union-attr]


def test_the_swept_suite_has_the_names_that_are_told(write_suite: Callable[[str], Path]) -> None:
    _, _, swept, *_ = yaml_in("suites.md")
    loaded = suite.load(str(write_suite("name: a\nmeasures: [params]\n" + swept))).suite
    names = [*loaded.named, *(setting.name for setting in loaded.settings.cpu)]
    assert len(names) == 4 * 2 + 3 + 3
    assert {"small-k3-p7", "vit_tiny_patch16_224-depth3", "cpu-b8"} <= set(names)
    assert all(f"`{name}`" in TEXTS["suites.md"] for name in ("small-k3-p7", "cpu-b8"))


def test_settings_of_runtimes_load(write_suite: Callable[[str], Path]) -> None:
    [shown] = yaml_in("measuring.md")
    text = "name: a\nmodels: [resnet50]\nmeasures: [throughput, accuracy]\n" + shown
    loaded = suite.load(str(write_suite(text))).suite
    names = ["torch", "aotinductor", "onnxruntime", "openvino", "frozen"]
    names += ["onnxruntime-int8", "openvino-int8"]
    assert [setting.name for setting in loaded.settings.cpu] == names


def test_the_keys_of_accuracy_are_those_there_are(write_suite: Callable[[str], Path]) -> None:
    [shown] = yaml_in("accuracy.md")
    text = "name: a\nmodels: [resnet50]\nsettings: {cpu: [{name: cpu}]}\n" + shown
    loaded = suite.load(str(write_suite(text))).suite
    taught = {"train", "seeds"}  # in training.md
    assert loaded.accuracy.model_fields_set == set(suite.Accuracy.model_fields) - taught


def test_the_recipe_with_every_key_loads(
    tmp_path: Path, write_suite: Callable[[str], Path]
) -> None:
    shown, whole = yaml_in("training.md")
    (tmp_path / "whole.yaml").write_text(whole, encoding="utf-8")
    text = "name: a\nmodels: [resnet50]\nsettings: {cpu: [{name: cpu}]}\n" + shown
    loaded = suite.load(str(write_suite(text.replace("train: digits", "train: whole.yaml")))).suite
    training = loaded.accuracy.train
    assert training is not None and training.model_fields_set == set(recipe.Recipe.model_fields)
    sgds = {"momentum"}  # in the text below
    assert training.optimizer.model_fields_set == set(recipe.Optimizer.model_fields) - sgds
    assert training.augmentation.model_fields_set == set(recipe.Augmentation.model_fields)


def test_the_table_of_runtimes_is_that_of_its_run() -> None:
    [folder] = set(re.findall(r"\((\.\./reports/runtimes/[^/]+)/", TEXTS["runtimes.md"]))
    run = report.read(DOCS[0].parent / folder)
    values, *_ = fairness.tables(run)
    lines = [f"| {' | '.join(entry.text for entry in row[:-2])} |" for row in values.rows]
    assert "\n".join(lines) in TEXTS["runtimes.md"]
    for finding in findings(run, tables(run)).items:
        assert finding.text in " ".join(TEXTS["runtimes.md"].split())


@pytest.mark.parametrize("command", QUOTED)
def test_commands_print_what_is_quoted(command: str, cmx: Cli, tmp_path: Path) -> None:
    """Each line begins one that is printed, up to an ellipsis; columns may be left out."""
    (tmp_path / "mine.yaml").write_text(yaml_in("suites.md")[0], encoding="utf-8")
    (tmp_path / "bad.yaml").write_text(
        "name: bad\nmodels: [resnet18, {name: small, convmixr: {dim: 8}}]\n", encoding="utf-8"
    )
    _, out, err = cmx(*command.split())
    printed = [" ".join(line.split()) for line in (out + err).splitlines()]
    for line in QUOTED[command].splitlines():
        shown, _, _ = " ".join(line.split()).partition("…")
        assert any(there.startswith(shown) for there in printed), line


@pytest.mark.parametrize("page", ["comparing.md", "reading.md"])
def test_rows_and_findings_are_those_of_the_example(page: str, cmx: Cli) -> None:
    match = re.search(r"^python -m cmx_bench (report (?:.+\\\n)*.+?) --", TEXTS[page], re.MULTILINE)
    assert match is not None
    runs = [str(ROOT / run) for run in re.findall(r"reports/\S+", match[1])]
    code, markdown, _ = cmx("report", *runs, "--format", "md")
    assert code == 0
    plain = re.sub(r"<br><sub>(±.+?)</sub>", r" (\1)", re.sub(r"<sup>(.)</sup>", r"\1", markdown))
    rows = re.findall(r"^\| (?:ConvMixer|ResNet).+\|$", TEXTS[page], re.MULTILINE)
    assert len(rows) == 2
    for entry in (entry for row in rows for entry in row.strip("| ").split(" | ")):
        assert entry in plain, entry
    for against in re.findall(r"^Against .+?(?=^Beware)", TEXTS[page], re.MULTILINE | re.DOTALL):
        assert " ".join(against.split()) in plain


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXTS[path.name])
    assert all((path.parent / link).exists() for link in links)
    assert all(len(line) <= 120 for line in TEXTS[path.name].splitlines())
