"""Requests as commands: what one measures, another measures too."""

from __future__ import annotations

import typer

from cmx_bench import cli
from cmx_bench.cli.requests import Request


def test_the_words_of_a_request_ask_for_the_same() -> None:
    """All but what the jobs of an array choose themselves; read by the command line of `run`."""
    request = Request(
        "a suite.yaml", ["resnet50", "mine:net"], only=["x"], data=["digits=/a b"],
        weights=["net=w.pth", "folder"], allow_missing=3, cache=True, processes=2, thumbnails=True,
        allow_import=True,
    )  # fmt: skip
    command = typer.main.get_command(cli.app).commands["run"]  # type: ignore[attr-defined]
    asked = command.make_context("run", request.words("cuda")).params
    assert (list(asked["only"]), asked["device"]) == ([], "cuda")
    assert asked["suite"] == request.suite
    assert list(asked["model"]) == request.model
    assert asked["allow_import"] and asked["cache"] and asked["thumbnails"]
    assert [list(asked[name]) for name in ("data", "weights")] == [request.data, request.weights]
    assert (asked["allow_missing"], asked["processes"]) == (3, 2)


def test_what_is_not_asked_for_is_no_word() -> None:
    assert Request(model=["resnet50"]).words("cpu") == [
        "--model=resnet50", "--device=cpu",
    ]  # fmt: skip
