"""Colours and frames where a terminal shows them, and nowhere else."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Mapping

import pytest

from cmx_bench.cli import streams


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "variables", "rich", "colours"),
    [
        (Screen(), {}, True, True),
        (Screen(), {"NO_COLOR": "1"}, True, False),
        (Screen(), {"NO_COLOR": ""}, True, True),
        (Screen(), {"TERM": "dumb"}, False, False),
        (Screen(), {"TERM": "dumb", "FORCE_COLOR": "1"}, False, False),
        (io.StringIO(), {}, False, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True, True),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        (io.StringIO(), {"FORCE_COLOR": ""}, False, False),
        (None, {"FORCE_COLOR": "1"}, False, False),
    ],
)
def test_what_a_stream_shows(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None, variables: Mapping[str, str],
    rich: bool, colours: bool,
) -> None:  # fmt: skip
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (streams.is_rich(stream), streams.has_colours(stream)) == (rich, colours)
    # Nothing moves the cursor of what is no terminal, whatever is forced.
    assert streams.is_terminal(stream) == (isinstance(stream, Screen) and "TERM" not in variables)


def on_a_terminal(arguments: list[str], variables: Mapping[str, str]) -> tuple[str, list[str]]:
    """What a command shows on a terminal of 100 columns, and which of rich's modules it loads."""
    code = (
        "import sys; from cmx_bench import cli\n"
        "try: cli.main()\n"
        "finally: print('rich' in sys.modules)"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", **variables}
    for name in {"NO_COLOR", "FORCE_COLOR"} - variables.keys():
        environment.pop(name, None)
    line = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += (got := os.read(ours, 65536))
            except OSError:  # Linux ends a terminal so
                break
            if not got:
                break
    os.close(ours)
    *lines, loaded = shown.decode().splitlines()
    return "\n".join(lines), [loaded]


HELP = ["run", "--help"]


@pytest.mark.parametrize(
    ("arguments", "variables", "framed", "coloured"),
    [
        (HELP, {}, True, True),
        (HELP, {"TERM": "dumb"}, False, False),
        (["run", "--fast"], {}, True, True),
        (["report", "nowhere"], {}, False, True),
        (["report", "nowhere"], {"NO_COLOR": "1"}, False, False),
        (["list", "suites"], {}, False, True),
    ],
)
def test_a_terminal_shows_frames_and_colours(
    arguments: list[str], variables: dict[str, str], framed: bool, coloured: bool
) -> None:
    shown, [loaded] = on_a_terminal(arguments, variables)
    assert ("╭" in shown, "\x1b[" in shown, loaded) == (framed, coloured, str(framed))


def test_help_without_a_terminal_is_plain_and_loads_no_rich() -> None:
    code = "import sys; from cmx_bench import cli\ntry: cli.main()\nfinally: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, *HELP], capture_output=True, text=True, check=False,
        env={**os.environ, "FORCE_COLOR": ""},
    )  # fmt: skip
    *lines, loaded = done.stdout.splitlines()
    assert "rich" not in loaded.split() and "typer" in loaded.split()
    assert not set("╭\x1b") & set("".join(lines))
