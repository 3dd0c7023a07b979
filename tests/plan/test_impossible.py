"""Runtimes and precisions that a machine lacks, and claims that a plan cannot decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.accuracy import Evaluation
from cmx_bench.errors import DataError, SuiteError
from cmx_bench.plan import making
from cmx_bench.plan.users import Asked
from cmx_bench.spec import suite

from ..conftest import TINY

Write = Callable[[str], Path]
VERSIONS = {"onnx": "1.23.2", "onnxscript": "0.7.2", "onnxruntime": "1.32.0"}
CLAIMS = """\
claims:
  - {say: Smaller, check: "params(mixer) < params(net)"}
  - {say: Better, check: "params(mixer) < 9 and (top1(mixer) - 0.1) * 2 > 0.5"}
"""


@pytest.mark.parametrize(
    ("runtime", "machine", "message"),
    [
        ("openvino", {}, "openvino needs openvino, which is not installed: pip install --upgrade "),
        ("onnxruntime", VERSIONS | {"onnx": "1.2.0"}, "onnxruntime needs onnx>=1.18, and 1.2.0 is"),
        ("aotinductor", {"cxx": False}, "aotinductor needs a C++ compiler; install g++, or set"),
    ],
)
def test_a_runtime_that_is_not_there(
    write_suite: Write, cpu: dict[str, Any], runtime: str, machine: dict[str, Any], message: str
) -> None:
    path = write_suite(TINY.replace("batch_size: 2", f"batch_size: 2, runtime: {runtime}"))
    with pytest.raises(SuiteError, match="8:") as error:
        making.make(suite.load(str(path)), cpu | machine)
    assert message in str(error.value)


def test_a_runtime_that_is_there(write_suite: Write, cpu: dict[str, Any]) -> None:
    path = write_suite(TINY.replace("batch_size: 2", "batch_size: 2, runtime: onnxruntime"))
    plan = making.make(suite.load(str(path)), cpu | VERSIONS)
    assert plan.cells[-1].key == "net/throughput/cpu-fp32-nchw-eager-b2-r56-onnxruntime"
    assert plan.cautions == ()


@pytest.mark.parametrize(
    ("numbers", "how", "precision", "named"),
    [
        ("bf16", "emulated", "bf16", "bf16 (AMX, AVX-512): torch emulates it"),
        ("bf16", "emulated", "autocast", "bf16 (AMX, AVX-512): torch emulates it"),
        ("fp16", "emulated", "fp16", "fp16 (AMX, AVX-512 FP16): torch emulates it"),
        ("bf16", "AMX", "bf16", ""), ("bf16", "emulated", "fp16", ""),
        ("bf16", "emulated", "fp32", ""),
    ],
)  # fmt: skip
def test_emulated_arithmetic_is_named(
    write_suite: Write, cpu: dict[str, Any], numbers: str, how: str, precision: str, named: str
) -> None:
    path = write_suite(TINY.replace("batch_size: 2", f"batch_size: 2, precision: {precision}"))
    plan = making.make(suite.load(str(path)), cpu | {numbers: how})
    beginning = f"this CPU has no instructions for {named}"
    begins = [caution.startswith(beginning) for caution in plan.cautions]
    assert begins == [True] * beginning.endswith("it")
    assert all(caution.endswith("(cpu)") for caution in plan.cautions)


INT8 = "batch_size: 2, runtime: onnxruntime, precision: int8"
JUDGED = TINY.replace("batch_size: 2", INT8).replace("throughput]", "throughput, accuracy]")


def test_int8_is_never_timed_alone(write_suite: Write) -> None:
    path = write_suite(TINY.replace("batch_size: 2", INT8))
    with pytest.raises(SuiteError, match=r":8:.*int8 is not timed without its accuracy beside it"):
        suite.load(str(path))
    path = write_suite(JUDGED + "accuracy: {train: digits}\n")
    with pytest.raises(SuiteError, match="int8 is made of weights that are there before"):
        suite.load(str(path))


def test_what_quantises_is_missed_by_int8_alone(write_suite: Write, cpu: dict[str, Any]) -> None:
    both = "{name: o, runtime: openvino, batch_size: 2}, {name: cpu, runtime: openvino, precision: "
    text = JUDGED.replace("{name: cpu, ", both + "int8, ").replace(INT8, "batch_size: 2")
    suite_file = suite.load(str(write_suite(text)))
    with pytest.raises(SuiteError, match=r":8:75: .*openvino needs nncf, which is not installed"):
        making.make(suite_file, cpu | {"openvino": "2026.1.0"})


def test_int8_of_what_is_not_evaluated_is_skipped(write_suite: Write, cpu: dict[str, Any]) -> None:
    suite_file = suite.load(str(write_suite(JUDGED)))
    task = Evaluation(suite_file.suite.accuracy, Path())
    plan = making.make(suite_file, cpu | VERSIONS, Asked(evaluation=task))
    lack = "no weights, and an untrained model guesses: name some under weights, or add --weights "
    assert {cell.measure for cell in plan.cells if cell.key not in plan.skipped} == {"params"}
    assert all(why.startswith(lack) for why in plan.skipped.values())


def test_int8_without_images_is_skipped(write_suite: Write, cpu: dict[str, Any]) -> None:
    suite_file = suite.load(str(write_suite(JUDGED + "accuracy: {dataset: mine}\n")))
    task, given = Evaluation(suite_file.suite.accuracy, Path()), {"net": Path("net.pth")}
    plan = making.make(suite_file, cpu | VERSIONS, Asked(evaluation=task, given=given))
    of_net = {why for key, why in plan.skipped.items() if key.startswith("net/")}
    assert of_net == {"no images of 'mine': add --data mine=PATH"}
    [told] = [caution for caution in plan.cautions if "skipped" in caution]
    assert told.startswith(f"{len(plan.skipped)} of {len(plan.cells)} cells will be skipped: no ")
    assert told.endswith(" (and 1 other reason)")
    with pytest.raises(DataError, match="int8 needs images to calibrate on: .* calibration: FOLD"):
        task = replace(task, path=write_suite(JUDGED).parent)
        making.make(suite_file, cpu | VERSIONS, Asked(evaluation=task, given=given))


@pytest.mark.parametrize(("int8", "cautioned"), [("emulated", True), ("AVX-VNNI", False)])
def test_emulated_int8_is_named(
    write_suite: Write, cpu: dict[str, Any], int8: str, cautioned: bool
) -> None:
    plan = making.make(suite.load(str(write_suite(JUDGED))), cpu | VERSIONS | {"int8": int8})
    beginning = "this CPU has no instructions for int8 (AMX, VNNI): runtimes compute it by others"
    assert any(caution.startswith(beginning) for caution in plan.cautions) == cautioned


@pytest.mark.parametrize("words", ["runtime: openvino", "compile: default, freeze: true"])
def test_nothing_is_trained_by_another_runtime(write_suite: Write, words: str) -> None:
    text = TINY.replace("throughput]", "train_throughput]")
    path = write_suite(text.replace("batch_size: 2", f"batch_size: 2, {words}"))
    with pytest.raises(SuiteError, match=r":5:.*train_throughput: nothing is trained by"):
        suite.load(str(path))


@pytest.mark.parametrize("only", [(), ("mixer",)])
def test_claims_on_what_is_not_measured(
    write_suite: Write, cpu: dict[str, Any], only: tuple[str, ...]
) -> None:
    path = write_suite(TINY + CLAIMS)
    plan = making.make(suite.load(str(path)), cpu, Asked(only))
    line = TINY.count("\n") + 3
    unmeasured = (f"{path}:{line}:26: this claim will stay undecided: top1 is not measured; add "
                  "accuracy to measures, or leave the claim out")  # fmt: skip
    left_out = ("1 of 2 claims will stay undecided: what they compare is skipped, or left out by "
                "--only")  # fmt: skip
    assert plan.cautions == (unmeasured, *[left_out] * bool(only))
