"""A suite as a command line changes it: additional models, no file, fewer rounds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cmx_bench.errors import cut
from cmx_bench.spec.document import Document, Location, Value

# Of a quick run: its rounds, and the seconds in which cells are measured more than once.
QUICK_ROUNDS, QUICK_SECONDS = 2, 60.0
_LONGEST_NAME, _LONGEST_TITLE = 100, 200


def words(argument: str | None, added: Sequence[str], quick: bool) -> list[str]:
    """How a command names a suite with added models; `argument` is None without a suite."""
    named = [] if argument is None else [argument]
    return [*named, *(f"--model={model}" for model in added), *["--quick"] * quick]


def nothing_but(models: Sequence[str]) -> Document:
    """What stands for the file of a suite that nobody wrote, named after its models."""
    names = [str(entry(model)["name"]) for model in models]
    few = "-".join(names) if len(names) <= 2 else f"{names[0]}-and-{len(names) - 1}-more"
    # What is no name is refused as a model.
    name = re.sub(r"[^A-Za-z0-9_.\-]+", "-", few).lstrip("_.-") or "models"
    title = cut(", ".join(names), _LONGEST_TITLE) or name
    value: dict[str, Value] = {"name": name[:_LONGEST_NAME], "title": title, "models": []}
    return Document(Path("--model"), value, {}, (), {(): "--model", ("models",): "--model"})


def with_models(source: Document, there: int, added: Sequence[str]) -> Document:
    """The document with the places of models on the command line, behind the `there` models of the
    file."""
    places: dict[Location, str] = {
        ("models", there + index, *key): f"--model {cut(model, _LONGEST_NAME)}"
        for index, model in enumerate(added)
        for key in ((), *((name,) for name in entry(model)))
    }
    return replace(source, options={**source.options, **places})


def entry(model: str) -> dict[str, Value]:
    """The entry of a suite for a model as a command line names it: by its timm name, or as
    `module:callable`."""
    if ":" in model:
        return {"name": model.replace(":", "."), "python": model}
    return {"name": model}


def cut_down(replicates: int) -> dict[str, int | float | None]:
    """What a quick run changes of a suite: two rounds, and a minute for all of them, whatever
    precision is wanted."""
    rounds = min(replicates, QUICK_ROUNDS)
    return {"replicates": rounds, "precision": None, "budget": QUICK_SECONDS}
