"""The workflow and the action for GitHub: their shell steps run on a checkout of this package, with
a Python that installs nothing."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import cmx_bench
from cmx_bench import cli

from . import workflows
from .workflows import Runner

ROOT = Path(__file__).parent.parent
WORKFLOW = workflows.read(ROOT / "docs/ci/gate.yml")
SHORT = workflows.read(ROOT / "docs/ci/gate-by-action.yml")
CHECK = workflows.read(ROOT / "docs/ci/check.yml")
PAGES = workflows.read(ROOT / "docs/ci/pages.yml")
RELEASE = workflows.read(ROOT / "docs/ci/release.yml")
ACTION = workflows.read(ROOT / "action.yml")
DOCUMENTS = (WORKFLOW, SHORT, CHECK, PAGES, RELEASE, ACTION)
SUITE = """\
name: tiny
models: [MODEL]
measures: [params]
settings: {cpu: [{name: cpu, batch_size: 2, image_size: 56, threads: 1}]}
"""
OURS = "{name: mixer, convmixer: {dim: 8, depth: 2, kernel_size: 3}}"
THEIRS = "{name: net, label: Their net, python: 'theirs.nets:build'}"
NET = """\
from torch import nn


def build():
    layers = nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)
    return nn.Sequential(*layers)
"""
# Notes how it is called. pip does nothing, a virtual environment has this again, and what is left
# is done by the command $REAL.
PYTHON = """\
#!/usr/bin/env bash
printf '%q ' "$@" >> "$CALLS"; echo >> "$CALLS"
case "$1 $2" in
  "-m pip") ;;
  "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
  *) exec "$REAL" "$@" ;;
esac
"""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with this package and a small suite, whose last commit adds a comment."""
    folder = tmp_path_factory.mktemp("ours")
    package, unwanted = Path(cmx_bench.__file__).parent, shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, folder / "cmx_bench", ignore=unwanted)
    (folder / "tiny.yaml").write_text(SUITE.replace("MODEL", OURS))
    code = folder / "cmx_bench/models/convmixer.py"
    return committed(folder, code, code.read_text(), f"{code.read_text()}# The end.\n")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with somebody's model and suite, whose last commit makes the model larger."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "theirs").mkdir()
    (folder / "theirs/__init__.py").write_text("")
    (folder / "tiny.yaml").write_text(SUITE.replace("MODEL", THEIRS))
    return committed(folder, folder / "theirs/nets.py", NET, NET.replace("8, 3)", "8, 5)"))


def committed(folder: Path, code: Path, *contents: str) -> Path:
    """`folder` as a repository with a commit for each of the contents of a file, and one before
    that no job needs."""
    git(folder, "init", "--quiet")
    for content in ("", *contents):
        code.write_text(content)
        git(folder, "add", "--all")
        git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "next")
    return folder


def git(folder: Path, *arguments: str) -> str:
    """What git prints."""
    line = ["git", "-C", str(folder), *arguments]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout


def runner(repository: Path, temporary: Path, real: str = "true") -> Runner:
    """A runner with a checkout of the depth that both workflows ask for.

    Args:
        real: the command that stands for Python.
    """
    [depth] = {
        str(step["with"]["fetch-depth"])
        for document in (WORKFLOW, SHORT)
        for step in workflows.steps(document)
        if step.get("uses", "").startswith("actions/checkout@")
    }
    bin, work = temporary / "bin", temporary / "work"
    git(temporary, "clone", "--quiet", "--depth", depth, f"file://{repository}", str(work))
    bin.mkdir()
    (bin / "python").write_text(PYTHON)
    (bin / "python").chmod(0o755)
    variables = {
        **os.environ, "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}", "REAL": real,
        "CALLS": str(temporary / "calls"), "XDG_STATE_HOME": str(temporary / "state"),
        "GITHUB_STEP_SUMMARY": str(temporary / "summary.md"), "GITHUB_ACTION_PATH": str(ROOT),
        "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64",
    }  # fmt: skip
    context = {"steps.python.outputs.python-path": str(bin / "python")}
    return Runner(work, temporary, variables, context)


def run(document: dict[str, Any], on: Runner, **given: str) -> subprocess.CompletedProcess[str]:
    """Runs shell steps until one fails, and gives the last.

    Args:
        given: variables of the workflow, or inputs of the action.
    """
    if "runs" in document:
        on.context.update(workflows.inputs(document, given))
    else:
        assert given.keys() <= document["env"].keys()
        on = replace(on, variables=on.variables | document["env"] | given)
    for step in workflows.steps(document):
        if "run" in step:
            done = workflows.run(step, on)
            if done.returncode:
                break
    return done


def calls(on: Runner) -> list[list[str]]:
    """How Python was called, with paths below the runner's folder as they are for all runners."""
    lines = (on.temporary / "calls").read_text().splitlines()
    return [[_placed(word, on) for word in shlex.split(line)] for line in lines]


def _placed(word: str, on: Runner) -> str:
    if not word.startswith(str(on.temporary)):
        return word
    inner = re.sub(r"^cmx-bench\.\w+/", "", os.path.relpath(word, on.temporary))
    return f"TEMP/{inner}"


# --- whole runs -----------------------------------------------------------------------------------


def test_the_workflow_passes_a_change_that_costs_nothing(ours: Path, tmp_path: Path) -> None:
    on = runner(ours, tmp_path, sys.executable)
    done = run(WORKFLOW, on, SUITE="tiny.yaml")
    assert done.returncode == 0, done.stdout
    assert "PASS: " in done.stdout
    assert {"verdict.html", "junit.xml"} <= {path.name for path in (tmp_path / "verdict").iterdir()}


def test_the_action_fails_a_change_that_costs(theirs: Path, tmp_path: Path) -> None:
    on = runner(theirs, tmp_path, sys.executable)
    done = run(ACTION, on, suite="tiny.yaml", threshold="5%", options="--allow-import")
    assert done.returncode == 1, done.stdout
    assert "::error title=FAIL%3A Their net parameters::314 → 698, 122 %25 higher" in done.stdout
    folder = Path(workflows.evaluated(ACTION["outputs"]["verdict"]["value"], on.context))
    assert {"verdict.html", "junit.xml"} <= {path.name for path in folder.iterdir()}
    assert "FAIL: " in (tmp_path / "summary.md").read_text()


def of_event(event: str) -> dict[str, Any]:
    """The workflow with a baseline, with the steps that it has on an event."""
    [(name, job)] = CHECK["jobs"].items()
    steps = [step for step in job["steps"] if event in step.get("if", event)]
    return CHECK | {"jobs": {name: job | {"steps": steps}}}


def test_a_pull_request_is_judged_by_the_run_that_main_kept(theirs: Path, tmp_path: Path) -> None:
    on = runner(theirs, tmp_path, sys.executable)
    suite = on.workspace / "tiny.yaml"
    suite.write_text(SUITE.replace("MODEL", "resnet10t"))
    done = run(of_event("push"), on, SUITE="tiny.yaml")
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "baseline/run.json").exists() and not (tmp_path / "run").exists()
    suite.write_text(SUITE.replace("MODEL", "{name: resnet10t, timm: resnet14t}"))
    done = run(of_event("pull_request"), on, SUITE="tiny.yaml")
    assert done.returncode == 1, done.stdout
    assert "an exact metric changed; the model differs: target resnet10t, now resnet" in done.stdout


def test_a_pull_request_without_a_baseline_is_not_judged(theirs: Path, tmp_path: Path) -> None:
    on = runner(theirs, tmp_path)
    done = run(of_event("pull_request"), on)
    assert done.returncode == 0 and "main has no run yet" in done.stdout
    assert calls(on)[-1][:3] == ["-m", "cmx_bench", "run"]


def test_what_is_fetched_is_what_was_kept() -> None:
    steps = {step.get("name"): step for step in workflows.steps(CHECK)}
    fetched, kept = (steps[f"{verb} the baseline"]["with"] for verb in ("Fetch", "Keep"))
    assert {name: fetched[name] for name in kept} == kept
    assert all(kept["key"].startswith(key) for key in fetched["restore-keys"].splitlines())


def test_the_page_shows_steps_that_there_are() -> None:
    page = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    _, gitlab, shown = re.findall(r"^```yaml\n(.+?)^```$", page, re.MULTILINE | re.DOTALL)
    fetch, *steps = yaml.safe_load(shown)
    assert fetch["uses"] in [step.get("uses") for step in workflows.steps(CHECK)]
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    *_, judge = yaml.safe_load(gitlab)["gate"]["script"]
    for line in (judge, *(step["run"] for step in steps)):
        _, _, _, command, *words = shlex.split(line)
        known = {name for each in commands[command].params for name in each.opts}
        assert {word for word in words if word.startswith("-")} <= known


# --- what they ask for ----------------------------------------------------------------------------


def test_the_action_does_what_the_workflow_does(ours: Path, tmp_path: Path) -> None:
    asked = {}
    [given] = [step["with"] for step in workflows.steps(SHORT) if step.get("uses") == "./"]
    for document, arguments in ((WORKFLOW, {}), (ACTION, given)):
        folder = tmp_path / document["name"]
        folder.mkdir()
        on = runner(ours, folder)
        done = run(document, on, **arguments)
        assert done.returncode == 0, done.stdout
        *_, torch, package, judge = calls(on)
        assert package[:3] == ["-m", "pip", "install"]
        place = on.workspace / package[-1]
        assert (place / "cmx_bench").is_dir() or place == ROOT  # and no name for an index
        asked[document["name"]] = (torch, judge)
    assert asked["gate"] == asked["cmx-bench"]
    (torch, judge), _ = asked.values()
    assert torch[3:] == ["--index-url", WORKFLOW["env"]["TORCH_INDEX"], "torch", "torchvision"]
    assert judge == [
        "-m", "cmx_bench", "ab", "ci", "--base", "TEMP/base", "--head", ".", "--threshold", "5%",
        "--budget", "4m", "--inconclusive", "fail", "--out", "TEMP/verdict",
    ]  # fmt: skip


def test_more_options_and_packages_are_words_as_a_shell_has_them(
    theirs: Path, tmp_path: Path
) -> None:
    on = runner(theirs, tmp_path)
    more = {"options": "--only 'a b' --allow-import", "install": "-r needs.txt 'einops>=0.8'"}
    done = run(ACTION, on, suite="x.yaml", threshold="2%", path="src", **more)
    assert done.returncode == 0, done.stdout
    *_, package, judge = calls(on)
    assert package[4:] == ["-r", "needs.txt", "einops>=0.8"]
    assert judge[-3:] == ["--only", "a b", "--allow-import"]
    assert judge[4:8] == ["--base", "TEMP/base/src", "--head", "src"]


# A Python that leaves a run's page in place of measuring, and tells that one run is left out.
MEASURES = """\
#!/usr/bin/env bash
case "$3" in
  run) mkdir -p "$6" && echo "$6" > "$6/report.html" ;;
  site) mkdir -p "$6" && ls "$4" > "$6/index.html"; exit 4 ;;
esac
"""


def test_pages_are_kept_on_a_branch(theirs: Path, tmp_path: Path) -> None:
    """Which the first push begins."""
    real = tmp_path / "measures"
    real.write_text(MEASURES)
    real.chmod(0o755)
    for commit in ("aaa", "bbb"):
        folder = tmp_path / commit
        folder.mkdir()
        on = runner(theirs, folder, str(real))
        done = run(PAGES, replace(on, variables={**on.variables, "GITHUB_SHA": commit}))
        assert done.returncode == 0, done.stdout
    kept = git(theirs, "ls-tree", "-r", "--name-only", "pages").split()
    assert kept == ["docs/index.html", "runs/aaa/report.html", "runs/bbb/report.html"]
    assert git(theirs, "show", "pages:docs/index.html").split() == ["aaa", "bbb"]


def test_a_release_lists_all_that_a_user_installs(theirs: Path, tmp_path: Path) -> None:
    on = runner(theirs, tmp_path)
    for name in ("cyclonedx-py", "gh"):  # which note how they are called, as Python does
        shutil.copy(tmp_path / "bin/python", tmp_path / "bin" / name)
    (on.workspace / "dist").mkdir()
    (on.workspace / "dist/own.whl").touch()
    on.context["github.token"] = "secret"
    done = run(RELEASE, replace(on, variables={**on.variables, "GITHUB_REF_NAME": "v1"}))
    assert done.returncode == 0, done.stdout
    *_, package, _, listed, released = calls(on)
    assert package[:3] == ["-m", "pip", "install"] and package[3:] == ["dist/own.whl"]
    assert listed[:2] == ["environment", "TEMP/user/bin/python"]
    assert listed[-2:] == ["--output-file", "dist/cmx-bench.cdx.json"]
    assert released[:3] == ["release", "create", "v1"] and "dist/own.whl" in released


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(ACTION["inputs"].keys() - {"options", "install"}))
def test_an_empty_input_is_one_clear_line(tmp_path: Path, name: str) -> None:
    on = Runner(tmp_path, tmp_path, os.environ)
    done = run(ACTION, on, **({"suite": "ci", "threshold": "5%"} | {name: ""}))
    assert done.returncode == 2
    [line] = done.stdout.splitlines()
    assert line.startswith(f"::error title=cmx-bench::the input '{name}' is empty: give a value")
    wanted = {"suite": "such as ci or suites/mine.yaml", "threshold": "such as 5%"}
    assert line.endswith(wanted.get(name, "or leave the line out for the default"))


@pytest.mark.parametrize("base", ["HEAD^^", "nothing"])
def test_a_base_that_is_not_in_the_checkout_is_one_clear_line(
    theirs: Path, tmp_path: Path, base: str
) -> None:
    on = runner(theirs, tmp_path)
    done = run(ACTION, on, suite="ci", threshold="5%", base=base)
    assert done.returncode == 2
    [line] = done.stdout.splitlines()
    assert f"the checkout has no commit '{base}': give actions/checkout a 'fetch-depth'" in line


# --- the files ------------------------------------------------------------------------------------


def test_the_readmes_job_is_the_file() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = (ROOT / "docs/ci/gate-by-action.yml").read_text(encoding="utf-8")
    assert f"```yaml\n{text}```" in readme


def test_every_input_is_used_and_explained() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert {*re.findall(r"inputs\.([\w-]+)", text)} == ACTION["inputs"].keys()
    page = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (.*?) \|", page, re.MULTILINE)
    defaults = {name: about.get("default") for name, about in ACTION["inputs"].items()}
    assert {name: default.strip("`") for name, default in rows} == {
        name: "required" if default is None else default or "nothing"
        for name, default in defaults.items()
    }


@pytest.mark.parametrize("document", [WORKFLOW, SHORT])
def test_the_paths_are_there(document: dict[str, Any]) -> None:
    paths = document["on"]["pull_request"]["paths"]
    assert paths and all(any(ROOT.glob(path)) for path in paths)


def test_an_action_has_one_version_everywhere() -> None:
    used = {
        step["uses"].partition("@")[0]: step["uses"]
        for document in DOCUMENTS
        for step in workflows.steps(document)
        if step.get("uses", "./") != "./"
    }
    for document in DOCUMENTS:
        for step in workflows.steps(document):
            name = step.get("uses", "./")
            assert name == "./" or used[name.partition("@")[0]] == name
    assert all(re.search(r"@[0-9a-f]{40}$", version) for version in used.values())
