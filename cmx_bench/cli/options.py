"""Options and arguments that several commands share, and the values that their words stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from cmx_bench import units
from cmx_bench.errors import CmxError, nearest

_MOST = 10**9  # of a number or a size, as in a suite


def whole_number(option: str, least: int, most: int = _MOST) -> Callable[[str | int], int]:
    """What reads the number of an option. With bounds of typer's own the help would show these."""

    def read(text: str | int) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise CmxError(f"{option} {text}: expected a whole number from {least:,} to {most:,}")
        return number

    return read


def with_home(option: str) -> str:
    """`NAME=~/photos` with the user's home, which shells put in where a word begins with `~`."""
    name, separator, path = option.partition("=")
    if not path.startswith("~"):
        return option
    with suppress(RuntimeError):  # there is no such user
        path = str(Path(path).expanduser())
    return f"{name}{separator}{path}"


Suite = Annotated[str, typer.Argument(help="A suite's YAML file, or the name of a shipped suite.")]
SuiteOrModels = Annotated[
    str | None,
    typer.Argument(help="A suite's YAML file, or the name of a shipped suite; not needed with "
                        "--model.", show_default=False),
]  # fmt: skip
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="A model to measure without a suite, or with a suite's models: a "
                                 "timm name, or module:callable; may be repeated.", metavar="NAME"),
]  # fmt: skip
Budget = Annotated[
    str | None,
    typer.Option(help="Repeat no more than fits into this time, such as 90s, 10m or 1h; each cell "
                      "is measured once in any case.", metavar="TIME",
                 show_default="the suite's"),
]  # fmt: skip
Spread = Annotated[
    str | None,
    typer.Option(help="Let the rounds begin evenly over this time: intervals then hold where a "
                      "machine's speed drifts.", metavar="TIME", show_default="0s"),
]  # fmt: skip
Quick = Annotated[
    bool,
    typer.Option("--quick", help="A first look: two rounds within a minute, and nothing is "
                                 "trained; its intervals are useless, and no full run goes on "
                                 "with it."),
]  # fmt: skip
Replicate = Annotated[
    int | None,
    typer.Option(parser=whole_number("--replicate", 0), metavar="N", show_default="all",
                 help="Measure only replicate N of each cell that has it, counted from 0: a part "
                      "of a run, for merge."),
]  # fmt: skip
Slurm = Annotated[
    Path | None,
    typer.Option(help="Write a Slurm job array that measures the suite into FOLDER, new or "
                      "empty.", metavar="FOLDER"),
]  # fmt: skip
Chunk = Annotated[
    str | None,
    typer.Option(help="The longest time of a job of the array, by the estimate.",
                 metavar="TIME", show_default="30m"),
]  # fmt: skip
SlurmOptions = Annotated[
    list[str] | None,
    typer.Option("--slurm-option", help="An option of sbatch for the jobs, such as partition=gpu; "
                                        "may be repeated.", metavar="NAME[=VALUE]"),
]  # fmt: skip
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", metavar="DEVICE")]
Devices = Annotated[
    str,
    typer.Option(help="auto, cpu, cuda or cuda:N; several GPUs side by side as cuda:0,1, or all "
                      "as cuda:all.", metavar="DEVICE"),
]  # fmt: skip
Executor = Annotated[
    str,
    typer.Option(help="Where cells are executed: on this machine, or on the nodes of a Ray "
                      "cluster.", metavar="local|ray"),
]  # fmt: skip
Address = Annotated[
    str | None,
    typer.Option(help="Where the Ray cluster is: auto, HOST:PORT or ray://HOST:PORT.",
                 metavar="ADDRESS", show_default="auto"),
]  # fmt: skip
Only = Annotated[
    list[str] | None,
    typer.Option(help="Measure only cells whose key or model matches GLOB, or with !GLOB none of "
                      "those; may be repeated.", metavar="GLOB"),
]  # fmt: skip
Data = Annotated[
    list[str] | None,
    typer.Option(parser=with_home, help="Where the images of a data set lie.", metavar="NAME=PATH"),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(parser=with_home, metavar="MODEL=FILE|FOLDER",
                 help="A model's checkpoint, or a folder with files called like models."),
]  # fmt: skip
AllowMissing = Annotated[
    int,
    typer.Option(parser=whole_number("--allow-missing", 0), metavar="N",
                 help="Evaluate although up to N images are broken."),
]  # fmt: skip
Cache = Annotated[bool, typer.Option("--cache", help="Keep preprocessed images for later runs.")]
Thumbnails = Annotated[
    bool,
    typer.Option("--thumbnails", help="Put small copies of your own images into the report: a few "
                                      "that tell models apart."),
]  # fmt: skip
Processes = Annotated[
    int,
    typer.Option(parser=whole_number("--processes", 1), metavar="N",
                 help="Processes, and GPUs, that train a model together."),
]  # fmt: skip
AllowImport = Annotated[
    bool,
    typer.Option("--allow-import", help="Trust the suite: it may import code, read files outside "
                                        "its folder, and download its data set."),
]  # fmt: skip
Threshold = Annotated[
    str, typer.Option(help="The slowdown that must not pass, such as 5%.", metavar="PERCENT")
]
Rendered = Annotated[Path, typer.Argument(help="The folder of a run, or its report.html.")]
Verifiable = Annotated[
    Path,
    typer.Argument(help="The folder or the page of a run, or of runs side by side.",
                   metavar="RUN|PAGE"),
]  # fmt: skip
Inconclusive = Annotated[
    str,
    typer.Option(help="What an undecided verdict does: exit with 3, pass, or pass with a warning.",
                 metavar="fail|pass|warn"),
]  # fmt: skip
AnyThreshold = Annotated[
    bool,
    typer.Option("--any-threshold", help="Allow a threshold below the self-test's."),
]


def share_of(option: str, text: str) -> float:
    return _number(option, text, units.share)


def seconds_of(option: str, text: str | None) -> float | None:
    return None if text is None else _number(option, text, units.seconds)


def _number(option: str, text: str, read: Callable[[str], float]) -> float:
    try:
        return read(text)
    except ValueError as error:
        raise CmxError(f"{option} {text}: {error}") from None


_Value = TypeVar("_Value")


def look_up(option: str, what: str, word: str, known: Mapping[str, _Value]) -> _Value:
    """What a word of an option stands for."""
    if word not in known:
        raise CmxError(
            f"{option} {word}: unknown {what}{nearest(word, known)} (known: {', '.join(known)})"
        )
    return known[word]
