"""Finds what a suite's types allow but this machine cannot do, and refuses it or names it; and the
claims that a plan cannot decide."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

from cmx_bench import units
from cmx_bench.cell import Setting
from cmx_bench.measures import instructions, runtimes
from cmx_bench.metrics import METRICS
from cmx_bench.results.records import Environment
from cmx_bench.spec import claims
from cmx_bench.spec.document import Location
from cmx_bench.spec.settings import CpuSetting, CudaSetting
from cmx_bench.spec.suite import SuiteFile

_SWITCHES = ("TORCHDYNAMO_DISABLE", "TORCH_COMPILE_DISABLE", "TORCHDYNAMO_SUPPRESS_ERRORS")


Entry: TypeAlias = CpuSetting | CudaSetting


def refuse_impossible(
    suite_file: SuiteFile, entries: Mapping[Location, Entry], machine: Environment
) -> None:
    """Refuses settings that the types allow but this device cannot run.

    Args:
        entries: the settings by their places in the file.

    Raises:
        SuiteError: with the place in the file, and what to do.
    """
    for location, entry in entries.items():
        for key, problem in _problems(entry, machine):
            raise suite_file.document.error((*location, key), problem)
    kind = str(machine["device"]).partition(":")[0]
    quantising = {entry.runtime for entry in entries.values() if entry.precision == "int8"}
    lacking = {(*location, "runtime"): entry.runtime for location, entry in entries.items()
               if runtimes.lack([entry.runtime], kind, machine,
                                quantising if entry.precision == "int8" else ())}  # fmt: skip
    if lacking:  # all of them at once
        lack = runtimes.lack(dict.fromkeys(lacking.values()), kind, machine, quantising)
        raise suite_file.document.error(next(iter(lacking)), lack)


def _problems(entry: Entry, machine: Environment) -> Iterator[tuple[str, str]]:
    """What a device cannot do of a setting: the key that asks for it, and why."""
    if old := too_old(entry.precision, machine):
        yield "precision", old
    override = str(machine.get("NVIDIA_TF32_OVERRIDE"))
    if (entry.precision, override) in (("fp32", "1"), ("tf32", "0")):
        other = "tf32" if override == "1" else "fp32"
        yield "precision", (f"NVIDIA_TF32_OVERRIDE={override} makes {entry.precision} run as "
                            f"{other}; unset it")  # fmt: skip
    if entry.compile != "none" and (lack := _lack_for_compiling(machine)):
        yield "compile", f"compiling needs {lack}, or set compile: none"
    if entry.compile != "none" and (switch := _switch_off(machine)):
        yield "compile", f"{switch} switches compiling off; unset it, or set compile: none"
    if entry.runtime == "aotinductor" and (lack := _lack_for_compiling(machine)):
        yield "runtime", f"aotinductor needs {lack}, or set runtime: torch"
    threads = getattr(entry, "threads", None)
    if threads is not None and threads > machine["cores"]:
        cores = units.tally(machine["cores"], "usable core")
        yield "threads", f"{units.tally(threads, 'thread')}, but {cores}"


def too_old(precision: object, machine: Environment) -> str:
    """Why a GPU is too old for a precision; empty where it is not."""
    capability = float(machine.get("compute_capability", "inf"))
    if precision not in ("bf16", "tf32") or capability >= 8:
        return ""
    return (f"{precision} needs a GPU of compute capability 8.0, {machine['device_name']} has "
            f"{capability}; use fp16")  # fmt: skip


def _lack_for_compiling(machine: Environment) -> str:
    """What Inductor needs and this machine has not, and what gives it: on a CPU it writes C++, on a
    GPU Triton, whose own parts are compiled as C modules of Python."""
    if machine["device"] == "cpu":
        return "" if machine["cxx"] else "a C++ compiler; install g++"
    if float(machine["compute_capability"]) < 7:
        return (f"a GPU of compute capability 7.0, {machine['device_name']} has "
                f"{machine['compute_capability']}; use another")  # fmt: skip
    if not machine["triton"]:
        return "Triton; install the package triton"
    if not machine["cc"]:
        return "a C compiler; install gcc"
    return "" if machine["python_headers"] else "Python.h; install python3-dev"


def _switch_off(machine: Environment) -> str:
    """The variable, as it is set, by which torch runs eagerly what it was asked to compile."""
    switches = {name: machine.get(name) for name in _SWITCHES}
    for name, value in switches.items():
        # torch takes any text for yes here, "0" too, and "1" alone for the others.
        if value == "1" or (value and name == "TORCHDYNAMO_SUPPRESS_ERRORS"):
            return f"{name}={value}"
    return ""


_EMULATED = "torch emulates it, slowly, and OpenVINO does not compute it"
# Of numbers that a CPU may have no instructions for: which these are, and what follows.
_LACKS = {
    "bf16": f"bf16 (AMX, AVX-512): {_EMULATED}",
    "fp16": f"fp16 (AMX, AVX-512 FP16): {_EMULATED}",
    "int8": "int8 (AMX, VNNI): runtimes compute it by others, at a speed that is none of int8, "
    "with weights of 7 bits",
}


def cautions(settings: Sequence[Setting], machine: Environment) -> tuple[str, ...]:
    """Of which settings the arithmetic is not what they say."""
    lacking = {setting.name: instructions.emulated(setting, machine) for setting in settings}
    return tuple(
        f"this CPU has no instructions for {lack} ({', '.join(names)})"
        for numbers, lack in _LACKS.items()
        if (names := [name for name, emulated in lacking.items() if emulated == numbers])
    )


def lacking(skipped: Mapping[str, str], cells: int) -> Iterator[str]:
    """A sentence on the cells that are skipped, which a run says before it measures the others."""
    if skipped:
        first, *others = dict.fromkeys(skipped.values())
        more = f" (and {units.tally(len(others), 'other reason')})" if others else ""
        yield f"{len(skipped)} of {units.tally(cells, 'cell')} will be skipped: {first}{more}"


def undecided(suite_file: SuiteFile, executed: Collection[tuple[str, str]]) -> Iterator[str]:
    """A sentence on each claim on what the suite does not measure, with its place in the file; then
    one on all claims on what is skipped or left out of this plan.

    Args:
        executed: the model and the measure of each cell that is to be executed.
    """
    suite, without = suite_file.suite, 0
    for index, claim in enumerate(suite.claims):
        values = list(claims.values(claims.parse(claim.check, suite.named)))
        lacking = next(
            (METRICS[value.metric] for value in values
             if METRICS[value.metric].measure not in suite.measures), None
        )  # fmt: skip
        if lacking is not None:
            yield str(suite_file.document.error(
                ("claims", index, "check"),
                f"this claim will stay undecided: {lacking.name} is not measured; add "
                f"{lacking.measure} to measures, or leave the claim out",
            ))  # fmt: skip
        elif any((value.model, METRICS[value.metric].measure) not in executed for value in values):
            without += 1
    if without:
        of_all = f"{without} of {units.tally(len(suite.claims), 'claim')}"
        yield (f"{of_all} will stay undecided: what they compare is skipped, or left out by "
               "--only")  # fmt: skip
