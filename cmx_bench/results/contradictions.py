"""Finds the first place where a record, or a run, contradicts itself: a DamageError names it."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from cmx_bench.measures.workload import KINDS
from cmx_bench.metrics import METRICS, first_of
from cmx_bench.results import origins
from cmx_bench.results.validation import DamageError, show
from cmx_bench.spec.document import Location
from cmx_bench.spec.schema import NAME

if TYPE_CHECKING:
    from cmx_bench.models.importing import Origin
    from cmx_bench.results.records import Record, Run


def refuse_in_run(run: Run) -> None:
    """Refuses a run whose cells are not of its models, measures and settings, or are there twice.
    Files are called by its names, so these are checked too."""
    _refuse_no_name(("suite",), run.suite)
    for place, model in enumerate(run.models):
        _refuse_no_name(("models", place, "name"), model.name)
    for place, setting in enumerate(run.settings):
        if not _DEVICE.fullmatch(setting.device):
            raise DamageError(("settings", place, "device"),
                              f"expected cpu or cuda:N, got {show(setting.device)}")  # fmt: skip
    if (named := {setting.hardware for setting in run.settings}) != (run.machines.keys() or {""}):
        raise DamageError(("machines",), "expected those that the settings name as their hardware: "
                                         f"{show(', '.join(sorted(named)))}")  # fmt: skip
    models = [model.name for model in run.models]
    settings = [setting.key for setting in run.settings]
    _refuse_repeated("models", models)
    _refuse_repeated("settings", settings)
    _refuse_repeated("measures", run.measures)
    _refuse_repeated("cells", run.cells)
    shared = {f"r{setting.image_size}" for setting in run.settings}
    known = (set(models), set(run.measures), shared.union(settings))
    for place, cell in enumerate(run.cells):
        parts = cell.split("/")
        if len(parts) != len(known):
            raise DamageError(("cells", place), f"expected MODEL/MEASURE/SETTING, got {cell!r}")
        for what, part, those in zip(("model", "measure", "setting"), parts, known, strict=True):
            if part not in those:
                raise DamageError(("cells", place), f"{cell!r}: the run has no {what} {part!r}")
    for cell in run.cut_off.keys() - set(run.cells):
        raise DamageError(("cut_off", cell), f"the run has no cell {cell!r}")
    if run.accuracy and "dataset" not in run.accuracy:
        raise DamageError(("accuracy", "dataset"), "is missing")
    if run.trains and "seeds" not in run.accuracy:
        raise DamageError(("accuracy", "seeds"), "is missing, and models are trained")


_DEVICE = re.compile(r"cpu|cuda(:[0-9]{1,4})?")


def _refuse_no_name(location: Location, name: str) -> None:
    if len(name) > 200 or not re.fullmatch(NAME, name):
        raise DamageError(location, "expected a name of letters, digits, '_', '-' and '.', "
                                    f"got {show(name)}")  # fmt: skip


def _refuse_repeated(field: str, names: Sequence[str]) -> None:
    known: set[str] = set()
    for place, name in enumerate(names):
        if name in known:
            raise DamageError((field, place), f"{name!r} is there twice")
        known.add(name)


def is_tried_again(record: Record, before: Record) -> bool:
    """Whether a process may have a record after the one `before`. It may where that did not end
    well, and where weights of another name or content are evaluated. Nothing is trained twice."""
    named = ("weights",) if "training" in before.details else ("weights", "weights_sha256")
    return before.status != "ok" or any(
        before.details.get(key) != record.details.get(key) for key in named
    )


def refuse_in_record(
    record: Record, planned: Mapping[str, range] | None, environments: Collection[str] | None
) -> None:
    """Refuses a record that contradicts itself, or the run that it is of.

    Args:
        planned: the run's cells, with the numbers that their processes may have; None without one.
        environments: the keys of the run's environments.
    """
    cell = f"{record.model}/{record.measure}/{record.setting}"
    if record.cell != cell:
        raise DamageError(("cell",), f"is {record.cell!r}, and the rest of the record {cell!r}")
    if environments is not None and record.environment not in environments:
        raise DamageError(("environment",), f"the run has no {record.environment!r}")
    if record.status == "ok" and not any((*record.values.values(), *record.discarded.values())):
        raise DamageError(("values",), "are missing, and the status is 'ok'")
    if (record.status == "ok") == bool(record.reason):
        raise DamageError(("reason",), f"expected {'none' if record.reason else 'one'} where the "
                                       f"status is {record.status!r}")  # fmt: skip
    _refuse_impossible(record)
    if record.covariates or record.discarded:
        _refuse_other_samples(record)
    if record.status == "ok":
        _refuse_without_images(record)
        _refuse_without_work(record)
        _refuse_other_best(record)
    if planned is not None and record.cell not in planned:
        raise DamageError(("cell",), f"the run has no {record.cell!r}")
    if planned is not None and record.replicate not in (numbers := planned[record.cell]):
        may = numbers.start if len(numbers) == 1 else f"one of 0 to {numbers.stop - 1}"
        raise DamageError(("replicate",), f"expected {may}, got {record.replicate}")


def refuse_other_origin(record: Record, known: dict[str, Origin]) -> None:
    """Refuses a record whose model was built from another file than in the records before.

    Args:
        known: the origins of those before, by model; this record's is added.
    """
    for name, mine in origins.sources(record.model, record.setting, record.details).items():
        if first := origins.other_before(name, mine, known):
            raise DamageError(
                ("details", "origin" if name == record.model else "runtime"),
                f"{name} was built from {origins.describe(mine)}, "
                f"and before from {origins.describe(first)}",
            )


def _refuse_impossible(record: Record) -> None:
    """Each sample is of the record's measure. Only memory may be none, or seem to shrink; what is
    exact is counted, and has one value."""
    for field, given in (("values", record.values), ("discarded", record.discarded)):
        for name, samples in given.items():
            metric = METRICS.get(name)
            if metric is None or not samples:
                continue
            if metric.measure != record.measure:
                raise DamageError((field, name), f"is of {metric.measure}, and the record of "
                                                 f"{record.measure}")  # fmt: skip
            if metric.exact and len(samples) > 1:
                raise DamageError((field, name), f"expected one value, got {len(samples)}")
            if metric.unit == "B" and not metric.exact:
                continue
            if min(samples) < 0:
                raise DamageError((field, name), "expected nothing below 0")
            if min(samples) < _LEAST and metric.noise == "process":
                raise DamageError((field, name), f"expected at least {_LEAST:g}")
            if metric.exact and any(sample % 1 for sample in samples):
                raise DamageError((field, name), "expected whole numbers")
    for less, more in _ORDERED:
        pairs = zip(record.values.get(less, ()), record.values.get(more, ()), strict=False)
        if any(one > other for one, other in pairs):
            raise DamageError(("values", less), f"expected no more than {more}")


_LEAST = 1e-100  # what others are divided by
# Of two metrics of one process the first is no more than the second.
_ORDERED = (
    ("trainable_params", "params"), ("latency_p50", "latency_p90"), ("latency_p90", "latency_p99"),
    ("top1", "top5"),
)  # fmt: skip


def _refuse_other_samples(record: Record) -> None:
    """Every condition has a value for each sample of the measure's first metric."""
    if all(metric.measure != record.measure for metric in METRICS.values()):
        raise DamageError(("measure",), f"{record.measure!r} is unknown, and has conditions")
    metric = first_of(record.measure)
    kept, discarded = (given.get(metric, []) for given in (record.values, record.discarded))
    taken = len(kept) + len(discarded)
    for name in dict.fromkeys(("disturbed", "discarded", *record.covariates)):
        if name not in record.covariates:
            raise DamageError(("covariates", name), "is missing")
        if (length := len(record.covariates[name])) != taken:
            raise DamageError(("covariates", name), f"expected a value for each of {taken} samples "
                                                    f"of {metric}, got {length}")  # fmt: skip
        if name in ("disturbed", "discarded") and not {*record.covariates[name]} <= {0, 1}:
            raise DamageError(("covariates", name), "expected 0 or 1 for each sample")
    if (gone := sum(map(bool, record.covariates["discarded"]))) != len(discarded):
        raise DamageError(("covariates", "discarded"), f"marks {gone} samples, and {metric} has "
                                                       f"{len(discarded)} discarded")  # fmt: skip
    if min(record.covariates.get("probe", [1])) <= 0:
        raise DamageError(("covariates", "probe"), "expected seconds above 0")


# What reports say of an evaluation besides its shares.
_OF_IMAGES = ("images", "correct", "broken", "weights_sha256")


def _refuse_without_images(record: Record) -> None:
    """A share of images is the quotient of what its details count."""
    for name, samples in record.values.items():
        if name not in METRICS or METRICS[name].noise != "image":
            continue
        for key in _OF_IMAGES:
            if key not in record.details:
                raise DamageError(("details", key), f"is missing, and {name} rests on it")
        images, correct = record.details["images"], record.details["correct"].get(name)
        if correct is None or correct > images:
            raise DamageError(("details", "correct", name), f"expected a part of {images} images")
        if len(samples) != 1 or not math.isclose(samples[0], correct / images, abs_tol=1e-9):
            raise DamageError(("values", name), f"expected {correct} of {images} images")


def _refuse_without_work(record: Record) -> None:
    """What `roofline` measured has the work that it measured, by kind."""
    if "mac_rate" in record.values and "work" not in record.details:
        raise DamageError(("details", "work"), "is missing, and mac_rate rests on it")
    for kind, work in record.details.get("work", {}).items():
        if kind not in KINDS:
            raise DamageError(("details", "work", kind), f"unknown (known: {', '.join(KINDS)})")
        parts = {"macs": work["macs"], "seconds": min(work["seconds"]), "bytes": work["bytes"]}
        for name, amount in parts.items() if work["bytes"] else ():
            if amount < _LEAST:
                raise DamageError(("details", "work", kind, name), "expected more than 0")


def _refuse_other_best(record: Record) -> None:
    """The epochs of a training, and its best one, are those of its curve."""
    if not (training := record.details.get("training")):
        return
    best = max(training["curve"], key=lambda epoch: epoch["top1"])
    expected = {
        "epochs": len(training["curve"]),
        "best": {"epoch": best["number"], "top1": best["top1"]},
    }
    for key, value in expected.items():
        if training[key] != value:
            raise DamageError(("details", "training", key), f"expected {value}, as of the curve")
