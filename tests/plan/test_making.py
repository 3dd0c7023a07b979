"""Plans: which cells, which batch, what is refused on which machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from cmx_bench.accuracy import Evaluation
from cmx_bench.errors import PlanError, SuiteError
from cmx_bench.measures.runtimes import RUNTIMES
from cmx_bench.plan import Plan, making
from cmx_bench.plan.users import Asked
from cmx_bench.spec import shipped, suite
from cmx_bench.spec.suite import SuiteFile

from ..conftest import TINY, TRAINED

Write = Callable[[str], Path]


def make_plan(path: Path, machine: dict[str, Any], **options: Any) -> Plan:
    return making.make(suite.load(str(path)), machine, Asked(**options))


def test_every_combination_once(tiny: SuiteFile, cpu: dict[str, Any]) -> None:
    keys = [cell.key for cell in making.make(tiny, cpu).cells]
    assert keys == [
        "mixer/params/r56",
        "net/params/r56",
        "mixer/throughput/cpu-fp32-nchw-eager-b2-r56",
        "net/throughput/cpu-fp32-nchw-eager-b2-r56",
    ]


def test_settings_of_one_size_share_exact_cells(write_suite: Write, cpu: dict[str, Any]) -> None:
    text = TINY.replace(
        "image_size: 56}", "image_size: 56}, {name: b, layout: nhwc, image_size: 56}"
    )
    cells = make_plan(write_suite(text), cpu).cells
    assert [cell.measure for cell in cells].count("params") == 2
    assert [cell.measure for cell in cells].count("throughput") == 4


def test_only(tiny: SuiteFile, cpu: dict[str, Any]) -> None:
    assert len(making.make(tiny, cpu, Asked(only=["net"])).cells) == 2
    assert len(making.make(tiny, cpu, Asked(only=["*/params/*", "net"])).cells) == 3
    without = {("!net",): 2, ("*/params/*", "!net"): 1, ("!*/params/*", "!*nchw*"): 0, ("!m*",): 2}
    for only, count in without.items():
        with pytest.raises(PlanError, match="no cell matches") if not count else nullcontext():
            assert len(making.make(tiny, cpu, Asked(only=only)).cells) == count
    with pytest.raises(PlanError, match="--only nothing: no cell matches; cells look like mixer/"):
        making.make(tiny, cpu, Asked(only=["nothing"]))


def test_other_settings_are_said_to_be_missing(write_suite: Write, cpu: dict[str, Any]) -> None:
    path = write_suite(TINY + "  cuda: [{name: big}]\n")
    assert make_plan(path, cpu).unavailable == {
        "cuda/big": f"measured on a CUDA device by: python -m cmx_bench run {path} --device cuda"
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("timm: resnet10t", "timm: resnet51", "4:5: unknown model 'resnet51', did you mean"),
        ("timm: resnet10t", "python: 'os:mkdir'", "add --allow-import if you trust this suite"),
        (
            "timm: resnet10t",
            "timm: resnet10t, args: {widht: 3}",
            "4:41: resnet10t takes no argument 'widht' (known: block, layers, ",
        ),
        (
            "timm: resnet10t",
            "timm: resnet10t, weights: c4_in1k",
            "no weights 'c4_in1k' for it, did",
        ),
        ("timm: resnet10t", "timm: resnet10t, weights: w.pth", "4:5: net: no weights at "),
        (
            "{name: net, timm: resnet10t}",
            f"{{match: {'x' * 101}, families: [deit]}}",
            "expected a model or a number such as 21.1M",
        ),
        ("batch_size: 2", "threads: 3", "8:30: 3 threads, but 2 usable cores"),
    ],
)
def test_what_is_refused_on_a_cpu(
    write_suite: Write, cpu: dict[str, Any], old: str, new: str, message: str
) -> None:
    assert old in TINY
    path = write_suite(TINY.replace(old, new))
    with pytest.raises(SuiteError) as error:
        make_plan(path, cpu)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}:")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("variable", "value", "refused"),
    [
        ("TORCHDYNAMO_DISABLE", "1", True), ("TORCH_COMPILE_DISABLE", "1", True),
        ("TORCHDYNAMO_SUPPRESS_ERRORS", "0", True), ("TORCHDYNAMO_DISABLE", "0", False),
    ],
)  # fmt: skip
def test_compilation_that_the_environment_switches_off(
    write_suite: Write, cpu: dict[str, Any], variable: str, value: str, refused: bool
) -> None:
    """Where a setting compiles; torch takes any text for yes for the last of them."""
    assert make_plan(write_suite(TINY), cpu | {variable: value}).cells
    path = write_suite(TINY.replace("batch_size: 2", "batch_size: 2, compile: default"))
    with pytest.raises(SuiteError) if refused else nullcontext() as caught:
        make_plan(path, cpu | {variable: value})
    if caught is not None:
        message = f"{variable}={value} switches compiling off; unset it, or set compile: none"
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "change", "message"),
    [
        (
            "precision: bf16",
            {"compute_capability": "7.5"},
            "bf16 needs a GPU of compute capability 8.0, A GPU has 7.5",
        ),
        ("precision: tf32", {"compute_capability": "7.5"}, "tf32 needs"),
        (
            "compile: default",
            {"compute_capability": "6.1"},
            "needs a GPU of compute capability 7.0, A GPU has 6.1; use another",
        ),
        ("compile: default", {"triton": None}, "needs Triton; install the package triton, or"),
        ("compile: default", {"cc": False}, "needs a C compiler; install gcc, or"),
        ("compile: default", {"python_headers": False}, "needs Python.h; install python3-dev, or"),
        (
            "precision: fp32",
            {"NVIDIA_TF32_OVERRIDE": "1"},
            "NVIDIA_TF32_OVERRIDE=1 makes fp32 run as tf32; unset it",
        ),
        (
            "precision: tf32",
            {"NVIDIA_TF32_OVERRIDE": "0"},
            "NVIDIA_TF32_OVERRIDE=0 makes tf32 run as fp32; unset it",
        ),
    ],
)
def test_what_is_refused_on_a_gpu(
    write_suite: Write, gpu: dict[str, Any], setting: str, change: dict[str, Any], message: str
) -> None:
    path = write_suite(
        TINY.replace("cpu: [{name: cpu, batch_size: 2", "cuda: [{name: x, " + setting)
    )
    assert make_plan(path, gpu).settings[0].device == "cuda:0"
    with pytest.raises(SuiteError, match="8:") as error:
        make_plan(path, gpu | change)
    assert message in str(error.value)


def test_a_cpu_compiles_with_a_cpp_compiler(write_suite: Write, cpu: dict[str, Any]) -> None:
    path = write_suite(TINY.replace("batch_size: 2", "compile: default"))
    make_plan(path, cpu)
    with pytest.raises(SuiteError, match=r"needs a C\+\+ compiler; install g\+\+, or set compile:"):
        make_plan(path, cpu | {"cxx": False})


def test_a_gpu_compiles_without_a_cpp_compiler(write_suite: Write, gpu: dict[str, Any]) -> None:
    text = TINY.replace("cpu: [{name: cpu, batch_size: 2", "cuda: [{name: x, compile: default")
    make_plan(write_suite(text), gpu | {"cxx": False})


@pytest.mark.parametrize(("value", "refused"), [("1", True), ("0", False)])
def test_launches_that_are_waited_for_are_refused(
    write_suite: Write, gpu: dict[str, Any], value: str, refused: bool
) -> None:
    path = write_suite(TINY.replace("cpu: [{name: cpu", "cuda: [{name: x"))
    refusal = pytest.raises(PlanError, match="CUDA_LAUNCH_BLOCKING is set: .* unset it")
    with refusal if refused else nullcontext():
        make_plan(path, gpu | {"CUDA_LAUNCH_BLOCKING": value})


def test_a_setting_that_only_leaves_out_is_not_refused(
    write_suite: Write, gpu: dict[str, Any]
) -> None:
    old = gpu | {"compute_capability": "7.0"}
    settings = "cuda: [{name: x, precision: bf16}, {name: y, precision: fp16}]"
    path = write_suite(TINY.partition("  cpu:")[0] + f"  {settings}\n")
    with pytest.raises(SuiteError, match="bf16 needs a GPU"):
        make_plan(path, old)
    cells = make_plan(path, old, only=["*/throughput/*fp16*"]).cells
    assert [cell.setting.precision for cell in cells] == ["fp16"] * 2


# Every package that a runtime needs, in the oldest version that does.
INSTALLED = {
    need.name: next(iter(need.specifier)).version
    for info in RUNTIMES.values()
    for need in map(Requirement, chain(*info.needs.values(), *info.int8.values()))
}
KINDS = [
    (name, kind)
    for name in sorted(shipped.suites())
    for kind in ("cpu", "cuda")
    if getattr(suite.load(name).suite.settings, kind)
]


def test_a_shipped_suite_that_is_for_one_kind_of_device_says_so() -> None:
    assert {name for name, _ in KINDS} == {*shipped.suites()}
    assert [name for name in shipped.suites() if (name, "cuda") not in KINDS] == ["int8"]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_shipped_suites_can_be_planned(
    name: str, kind: str, cpu: dict[str, Any], gpu: dict[str, Any]
) -> None:
    plan = making.make(suite.load(name), {"cpu": cpu, "cuda": gpu}[kind] | INSTALLED)
    assert sum(plan.estimates.values()) > 0


def test_who_lacks_two_runtimes_reads_one_command_and_can_measure_the_others(
    cpu: dict[str, Any],
) -> None:
    runtimes = suite.load("runtimes")
    with pytest.raises(SuiteError, match=r"'cmx-bench\[onnxruntime,openvino\]', or m") as refused:
        making.make(runtimes, cpu)
    without = re.findall(r"--only '(\S+)'", str(refused.value))
    cells = making.make(runtimes, cpu, Asked(only=without)).cells
    timed = {cell.setting.runtime for cell in cells if cell.measure == "throughput"}
    assert timed == {"torch", "aotinductor"}


def test_settings_that_come_to_the_same(write_suite: Write, cpu: dict[str, Any]) -> None:
    text = TINY.replace("image_size: 56}", "image_size: 56}, {name: b, image_size: 56}")
    path = write_suite(text.replace("batch_size: 2", "batch_size: 64"))
    with pytest.raises(SuiteError, match=r"8:\d+: equals another setting"):
        make_plan(path, cpu)


def test_no_setting_for_this_device(tiny: SuiteFile, gpu: dict[str, Any]) -> None:
    with pytest.raises(
        SuiteError, match="no settings for cuda; add one under cuda: or use --device"
    ):
        making.make(tiny, gpu)


@pytest.mark.parametrize(
    ("batch_size", "processes", "expected"),
    [
        (16, 3, "--processes 3: the recipe's batch_size of 16 cannot be shared equally, in pairs;"),
        (6, 2, "--processes 2: the recipe's batch_size of 6 cannot be shared equally, in pairs; u"),
        (None, 2, "--processes 2: the suite trains no models; leave it out"),
        (16, 4, "--processes 4: each needs a core of its own, and 2 are usable; use no more"),
    ],
)
def test_processes_that_cannot_train_together_are_refused(
    write_suite: Write, cpu: dict[str, Any], batch_size: int | None, processes: int, expected: str
) -> None:
    trains = TRAINED.replace("batch_size: 16,", f"batch_size: {batch_size},")
    path = write_suite(TINY if batch_size is None else trains)
    asked = suite.load(str(path)).suite.accuracy
    with pytest.raises(PlanError, match=expected):
        make_plan(path, cpu, evaluation=Evaluation(asked, Path(), processes=processes))
    make_plan(path, cpu, evaluation=Evaluation(asked, Path()))


@pytest.mark.parametrize(("device", "most"), [("cuda:0", 4), ("cuda:2", 2), ("cuda:3", 1)])
def test_each_process_that_trains_needs_a_gpu(
    write_suite: Write, gpu: dict[str, Any], device: str, most: int
) -> None:
    path = write_suite(TRAINED.replace("  cpu: [{", "  cuda: [{"))
    asked, machine = suite.load(str(path)).suite.accuracy, gpu | {"device": device}
    make_plan(path, machine, evaluation=Evaluation(asked, Path(), processes=most))
    with pytest.raises(
        PlanError, match=f"of its own, and this machine has {most} from {device} on; "
    ):
        make_plan(path, machine, evaluation=Evaluation(asked, Path(), processes=2 * most))


def test_one_replicate_of_the_cells_that_have_it(tiny: SuiteFile, cpu: dict[str, Any]) -> None:
    first, last = (making.make(tiny, cpu, Asked(replicate=number)) for number in (0, 2))
    assert first.cells == making.make(tiny, cpu).cells
    assert {cell.measure for cell in last.cells} == {"throughput"}
    assert [last.replicates(cell) for cell in last.cells] == [1, 1]
    with pytest.raises(PlanError, match="--replicate 3: no cell has it; the last is 2"):
        making.make(tiny, cpu, Asked(replicate=3))


def test_each_seed_is_a_replicate(write_suite: Write, cpu: dict[str, Any]) -> None:
    path = write_suite(TRAINED)
    evaluation = Evaluation(suite.load(str(path)).suite.accuracy, Path())
    assert len(make_plan(path, cpu, evaluation=evaluation, replicate=1).cells) == 2
    with pytest.raises(PlanError, match="--replicate 2: no cell has it; the last is 1"):
        make_plan(path, cpu, evaluation=evaluation, replicate=2)


def test_one_replicate_compiles_for_itself(write_suite: Write, cpu: dict[str, Any]) -> None:
    """What one process compiles the others of a run take; a part has no others."""
    path = write_suite(TINY.replace("{name: cpu,", "{name: cpu, compile: default,"))
    alone, whole = (make_plan(path, cpu, replicate=number) for number in (1, None))
    for cell in alone.cells:
        assert alone.estimates[cell.key] > whole.estimates[cell.key]
