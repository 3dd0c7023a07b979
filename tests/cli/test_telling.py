"""What is said arrives wherever stdout and stderr lead, and exit codes are as earned."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import cmx_bench
from cmx_bench import cli, report
from cmx_bench.cli import telling
from cmx_bench.errors import CmxError

from ..conftest import Cli

FOR_PEOPLE = [
    ["check", "out", "--baseline", "another"], ["verify", "out"], ["report", "out"],
    ["list", "datasets"],
]  # fmt: skip
FOR_PROGRAMS = [
    ["report", "out", "--format", "csv"], ["report", "out", "--format", "json"],
    ["report", "out", "--format", "md"], ["report", "out", "--format", "latex"],
    ["report", "out", "--format", "html"], ["cite", "out"],
    ["match", "--params", "5M", "--families", "convmixer", "--format", "yaml"],
]  # fmt: skip


def said(monkeypatch: pytest.MonkeyPatch, arguments: list[str], encoding: str) -> bytes:
    """What a command that ends well writes to a pipe of this encoding, as the system begins it."""
    stdout = io.TextIOWrapper(io.BytesIO(), encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "argv", ["cmx-bench", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code in (0, None)
    buffer = stdout.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("arguments", FOR_PEOPLE, ids=" ".join)
def test_what_an_encoding_lacks_is_replaced_for_people(
    cmx: Cli, rendered: Path, another: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], encoding: str,
) -> None:  # fmt: skip
    text = said(monkeypatch, arguments, "utf-8").decode()
    assert said(monkeypatch, arguments, encoding) == text.encode(encoding, "replace")


@pytest.mark.parametrize("arguments", FOR_PROGRAMS, ids=" ".join)
def test_what_programs_read_is_utf_8(
    cmx: Cli, rendered: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    assert said(monkeypatch, arguments, "ascii") == said(monkeypatch, arguments, "utf-8")


def test_a_terminal_gets_what_it_can_show(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", stdout)
    telling.prepare()
    telling.give("10 µs\n")
    assert stdout.buffer.getvalue() == b"10 ?s\n"  # type: ignore[attr-defined]


def test_names_do_not_reach_the_terminal_as_they_are(cmx: Cli) -> None:
    name = os.fsdecode(b"a\x1b[31m\n\xe9\xc3\xa9")
    code, out, err = cmx("report", name)
    assert (code, out) == (2, "")
    assert (
        err
        == r"cmx-bench: a\x1b[31m\n\xe9é: holds no run (no run.json); give the folder of a run"
        + "\n"
    )


def test_an_error_of_the_system_is_one_line(cmx: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path / "run.json"))

    monkeypatch.setattr(report, "read", refuse)
    assert cmx("cite", "out") == (2, "", "cmx-bench: out/run.json: Permission denied\n")


LIST = [sys.executable, "-m", "cmx_bench", "list", "measures"]


def test_nobody_reads_any_more() -> None:
    """As behind `head`: the pipe is closed before anything is said."""
    for stream in ("stdout", "stderr"):
        reading, writing = os.pipe()
        os.close(reading)
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, stream: writing}
        command = LIST if stream == "stdout" else [*LIST[:3], "report", "none"]
        ended = subprocess.run(command, **streams, check=False)  # type: ignore[call-overload]
        os.close(writing)
        assert ended.returncode == (0 if stream == "stdout" else 2)
        assert not ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_full_disk_behind_stdout() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(LIST, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == "cmx-bench: stdout: cannot be written: No space left on device\n"


def test_what_is_no_file_of_its_own_is_written_and_stays(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A device, a pipe, and a link: each would have been replaced by a file."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "file")
    (tmp_path / "file").write_text("a longer text")
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for output in (Path("/dev/stdout"), pipe, link):
        telling.give("10 µs\n", output)
    assert os.read(reading, 99).decode() == link.read_text() == capfd.readouterr().out == "10 µs\n"
    assert pipe.is_fifo() and link.is_symlink() and Path("/dev/stdout").is_symlink()
    os.close(reading)
    with pytest.raises(CmxError, match="^/dev/full: cannot be written: No space left on device$"):
        telling.give("10 µs\n", Path("/dev/full"))


def test_closed_streams(tmp_path: Path) -> None:
    """A file that is opened later must not become stdout."""
    script = "import os, sys; from cmx_bench.cli import telling\n"
    script += "telling.prepare(); telling.say('no'); telling.give('no'); telling.note('no')\n"
    script += f"assert os.open({str(tmp_path / 'file')!r}, os.O_CREAT) > 2"
    line = f'exec "{sys.executable}" -c "$0" <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", line, script], check=False).returncode == 0


@pytest.mark.parametrize("command", ["-m cmx_bench", "../cmx-bench"])
def test_a_working_folder_that_has_gone(tmp_path: Path, command: str) -> None:
    script = tmp_path / "cmx-bench"
    script.write_text("from cmx_bench.__main__ import main\n\nmain()\n")
    command = command.replace("..", str(tmp_path))
    line = f'mkdir gone; cd gone; rmdir ../gone; exec "{sys.executable}" {command} list suites'
    ended = subprocess.run(
        line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(Path(cmx_bench.__file__).parents[1])},
    )  # fmt: skip
    message = "cmx-bench: the working folder is not there any more; go to another\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", message)


def test_a_working_folder_that_goes_meanwhile(
    cmx: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(path: Path) -> None:
        (tmp_path / "gone").rmdir()
        Path.cwd()

    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    monkeypatch.setattr(report, "read", lose)
    message = "cmx-bench: the working folder is not there any more; go to another\n"
    assert cmx("cite", "out") == (2, "", message)


# --- colours and frames where a terminal shows them, and nowhere else -----------------------------


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
    assert (telling.is_rich(stream), telling.has_colours(stream)) == (rich, colours)
    # Nothing moves the cursor of what is no terminal, whatever is forced.
    assert telling.is_terminal(stream) == (isinstance(stream, Screen) and "TERM" not in variables)


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
