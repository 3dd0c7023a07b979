"""The shell steps of a workflow or a composite action, run as GitHub's runner runs them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

Step: TypeAlias = Mapping[str, Any]

_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Runner:
    """A checkout, a folder for what is temporary, the variables of a step, and what expressions
    say by their names (`inputs.suite`), to which steps add their outputs."""

    workspace: Path
    temporary: Path
    variables: Mapping[str, str]
    context: dict[str, str] = field(default_factory=dict)


def read(path: Path) -> dict[str, Any]:
    """A workflow or an action as data; `on` is a word and not True."""
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in loaded.items()}


def steps(document: Mapping[str, Any]) -> list[Step]:
    """All steps of an action, or of the only job of a workflow."""
    if "runs" in document:
        return list(document["runs"]["steps"])
    [job] = document["jobs"].values()
    return list(job["steps"])


def inputs(action: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
    """What expressions say of the inputs of an action.

    Raises:
        KeyError: the action has no such input.
    """
    for name in given:
        action["inputs"][name]
    values = {name: about.get("default", "") for name, about in action["inputs"].items()}
    return {f"inputs.{name}": str(value) for name, value in (values | dict(given)).items()}


def evaluated(text: str, context: Mapping[str, str]) -> str:
    """`text` with what its expressions say.

    Raises:
        KeyError: an expression is no name in `context`.
    """
    return _EXPRESSION.sub(lambda expression: context[expression[1]], text)


def run(step: Step, runner: Runner) -> subprocess.CompletedProcess[str]:
    """Runs the commands of a step under bash, and adds its outputs to the runner's context."""
    output, script = runner.temporary / "outputs", runner.temporary / "script.sh"
    output.write_text("", encoding="utf-8")
    script.write_text(step["run"], encoding="utf-8")
    values = {
        name: evaluated(str(text), runner.context) for name, text in step.get("env", {}).items()
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=runner.workspace,
        env={**runner.variables, **values,
             "RUNNER_TEMP": str(runner.temporary), "GITHUB_OUTPUT": str(output)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    for line in output.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        runner.context[f"steps.{step['id']}.outputs.{name}"] = value
    return done
