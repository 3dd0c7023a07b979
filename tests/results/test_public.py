"""What is shown of a run has no absolute path of the machine that measured it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cmx_bench.results.public import public, without_folders

from ..report.synthetic import PAPER, failed, make_records, make_run

SHORTENED = {
    "/home/me/data/photos": "…/photos",
    "--data photos=/home/me/photos --out /tmp/x/": "--data photos=…/photos --out …/x",
    "'/home/me/my photos/val'": "'…/val'",
    "/home/me/my suites/own.yaml": "…/own.yaml",
    "--data 'photos=/home/me/my data/photos' --out x": "--data 'photos=…/photos' --out x",
    "--data 'photos=/home/me/my photos'": "--data 'photos=…/my photos'",
    "m: no weights at /srv/w.pth; give the path": "m: no weights at …/w.pth; give the path",
    "FileNotFoundError: [Errno 2] No such file: '/home/me/a b/c.json'": (
        "FileNotFoundError: [Errno 2] No such file: '…/c.json'"
    ),
    "/home/me/suite.yaml:3:4: unknown key": "…/suite.yaml:3:4: unknown key",
    "/opt/a.so:/home/me/b.so": "…/a.so:…/b.so",
    "(/home/me/net.py)": "(…/net.py)",
    "file:///home/me/w.pth": "…/w.pth",
    "<a href=/home/me/a.html>in [/home/me/b]</a>, me@host:/home/me/c": (
        "<a href=…/a.html>in […/b]</a>, me@host:…/c"
    ),
}
KEPT = (
    "reads /proc/self/clear_refs, LD_PRELOAD=/usr/lib/libjemalloc.so.2", "images/s", "MACs / s",
    "https://example.org/home/me", "DeiT-S/16 and ConvMixer-768/32", "data/photos", "./a/b", "../a",
    "~/photos", "…/photos", "3/4", "/", "a // b", "", "/data", "/data is full",
    "<b>no</b> file<br/>", "<svg></svg>", "2026/11/30", "*/macs/*", "--only '*/macs/*' '!?/top1/*'",
    "5 %/s", "90 °/s/s", "2 $/h/core", "{a}/b/c", "[3]/4/5", "f(x)/2/3", "s3://images/a/b",
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SHORTENED.items())
def test_absolute_paths_end_in_their_last_part_alone(text: str, expected: str) -> None:
    assert without_folders(text) == expected
    assert without_folders(expected) == expected


@pytest.mark.parametrize("text", KEPT)
def test_nothing_else_changes(text: str) -> None:
    assert without_folders(text) == text


def test_every_text_of_a_run_and_its_records_is_shortened() -> None:
    model = replace(PAPER[0], weights="/home/me/ours.pth", args={"path": "/home/me/x"})
    run = replace(
        make_run((model,)), command="run /home/me/s.yaml", suite_path="/home/me/s.yaml",
        accuracy={"dataset": "photos", "path": "/home/me/photos"}, machine={"TMPDIR": "/home/me"},
        environments={"e1": {"LD_PRELOAD": "/home/me/lib.so", "cores": 8}},
        unavailable={"cpu/cpu": "run /home/me/s.yaml"}, parts=("run /home/me/s.yaml",),
    )  # fmt: skip
    first, *others = make_records(run)
    details = {"weights": "/home/me/ours.pth", "broken": {"a.png": "/home/me/a.png: damaged"}}
    first = replace(first, details={**details, "images": 3, "correct": {"top1": 1}})
    shown, lines = public(run, [first, failed(others[0], "no /home/me/w.pth"), *others[1:]])
    assert "/home" not in repr((shown, lines))
    assert shown.models[0].weights == lines[0].details["weights"] == "…/ours.pth"
    assert lines[0].details["images"] == 3
    assert shown.cells == run.cells and isinstance(shown.cells, tuple)
    assert public(shown, lines) == (shown, lines)


def test_what_has_no_path_is_the_same() -> None:
    run = make_run()
    lines = make_records(run)
    shown, same = public(run, lines)
    assert shown == run
    assert all(shortened is other for shortened, other in zip(same, lines, strict=True))


def test_labels_that_are_alike_are_told_apart() -> None:
    first, other, third = PAPER[:3]
    run = make_run((first, replace(other, label=first.label), third))
    shown, _ = public(run, [])
    assert [model.label for model in shown.models] == [
        "ConvMixer-1536/20 (convmixer_1536_20)", "ConvMixer-1536/20 (convmixer_768_32)",
        "ResNet-152",
    ]  # fmt: skip
    assert public(shown, [])[0] == shown
