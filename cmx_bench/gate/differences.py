"""Tells what else differs between two values: their conditions, which make them incomparable, and
the model itself, which is judged all the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from cmx_bench.cell import Model, Setting
from cmx_bench.metrics import Metric
from cmx_bench.results import environment, origins
from cmx_bench.results.records import Environment, Run
from cmx_bench.units import first_few

if TYPE_CHECKING:  # for pandas is slow to import, and `ab` needs but the rest of this
    from cmx_bench.results.nouns import Key, Report
    from cmx_bench.results.summary import Result

_MOST_TOLD = 6  # differences in a reason: two recipes may have twenty
# Fields of a model or a setting that only name it, or that follow from its other fields.
_NAMES = ("name", "label", "family", "matched", "patch_size", "kernel_size", "activation")


class Sides(NamedTuple):
    """A metric of a model on both sides; None where a side has no such cell. `moved` says how the
    settings differ where both have one name."""

    old: Result | None
    new: Result | None
    moved: str = ""


def pair_results(base: Report, head: Report) -> list[Sides]:
    """The results of both, each with the one of the same model, metric and setting. A setting that
    has other values under the same name is the same one."""
    moved = _find_moved(base.run, head.run)
    sides: list[Sides] = []
    keys: set[Key] = set()
    for (model, setting, metric), old in base.results.items():
        key_in_head, what_differs = moved.get(setting, (setting, ""))
        key = model, key_in_head, metric
        sides.append(Sides(old, head.results.get(key), what_differs))
        keys.add(key)
    return sides + [Sides(None, new) for key, new in head.results.items() if key not in keys]


def _find_moved(base: Run, head: Run) -> dict[str, tuple[str, str]]:
    """Settings of the base that the head has with other values, by their keys: the key in the head,
    and what differs. Image sizes, which are the keys of what is exact, too."""
    of_head = {(setting.name, setting.hardware): setting for setting in head.settings}
    known, before, moved = keys_of(head), keys_of(base), {}
    for old in base.settings:
        new = of_head.get((old.name, old.hardware), old)
        what_differs = _tell_setting(base, head, old, new)
        sizes = f"r{old.image_size}", f"r{new.image_size}"
        for then, now in ((old.key, new.key), sizes):
            if then not in known and now not in before:
                moved[then] = now, what_differs
    return moved


def keys_of(run: Run) -> set[str]:
    """The settings of a run as cells name them, by their keys or by their image sizes."""
    return {key for each in run.settings for key in (each.key, f"r{each.image_size}")}


def _tell_setting(base: Run, head: Run, old: Setting, new: Setting) -> str:
    """In what a setting differs, and what `batch_size: auto` would have followed."""
    difference = f"the setting {old.name} differs: {tell(_fields_of(old), _fields_of(new))}"
    then, now = ({model.name: model.label for model in run.models} for run in (base, head))
    followed = [
        *(f"new model {label}" for name, label in now.items() if name not in then),
        *(f"no model {label} any more" for name, label in then.items() if name not in now),
        *filter(None, [tell_environments(base.machine, head.machine)]),
    ]
    if old.batch_size == new.batch_size or not followed:
        return difference
    return (f"{difference} (`batch_size: auto` follows the heaviest model and the cores; what "
            f"changed: {', '.join(followed)}); write a number, or take a new baseline")  # fmt: skip


def _fields_of(what: Model | Setting) -> dict[str, Any]:
    return {name: value for name, value in asdict(what).items() if name not in _NAMES}


def explain_incomparable(base: Report, head: Report, old: Result, new: Result, against: str) -> str:
    """Why values that are there, in one setting, are not compared; empty where they are."""
    if new.about.exact:
        return other_words(old.details, new.details)
    if differences := tell_environments(
        _environment(base, new.setting), _environment(head, new.setting)
    ):
        return f"measured elsewhere: {differences}"
    then, now = (result.details.get("peak_since", "the pass") for result in (old, new))
    if then != now:
        return f"a peak since {then} in the {against}, since {now} in the run"
    if new.about.noise != "image":
        return ""
    if differences := tell(_tell_prepared(base.run, old), _tell_prepared(head.run, new)):
        return f"evaluated otherwise: {differences}"
    return _other_images(base, head, old, new, against)


def _other_images(base: Report, head: Report, old: Result, new: Result, against: str) -> str:
    """In what two accuracies are of something else: images, labels, the classes to choose among, or
    the size from which weights were resampled. Empty where in nothing."""
    sizes = [result.details.get("resampled") for result in (old, new)]
    if sizes[0] != sizes[1]:
        was, is_now = map(_from, sizes)
        return f"weights were resampled {was} in the {against}, {is_now} in the run"
    chosen = [result.details.get("valid_labels_sha256") for result in (old, new)]
    if chosen[0] != chosen[1]:
        return "evaluated among other classes: valid_labels differ"
    then, now = base.votes.images, head.votes.images
    if then.keys and now.keys:
        first = then.changed(now)
        return f"evaluated on other images or labels: the first is {first}" if first else ""
    was, is_now = (
        f"{result.details.get('images')} images of {result.details.get('dataset')}"
        for result in (old, new)
    )
    return "" if was == is_now else f"evaluated on {was} in the {against}, on {is_now} in the run"


def _from(resampled: Mapping[str, int | None] | None) -> str:
    """From which image size the weights of an accuracy were resampled."""
    if resampled is None:
        return "from no other size"
    size = resampled["image_size"]
    return "from an unknown size" if size is None else f"from {size} px"


def _tell_prepared(run: Run, result: Result) -> dict[str, Any]:
    """How a model was prepared for an evaluation: its weights, images and training."""
    details = result.details
    prepared = {
        "weights": "trained" if "training" in details else "given",
        **details.get("preprocessing", {}),
        "calibration": details.get("runtime", {}).get("calibration", {}),
    }
    if "training" not in details:
        return prepared
    recipe = dict(run.accuracy.get("train") or {}) | {"about": None}
    return prepared | {"train": recipe | {"images": details["training"].get("images")}}


def name_others(base: Report, head: Report, old: Result | None, new: Result | None) -> str:
    """What else differs where a value got worse: the model as the suite and its code describe it,
    and what is installed. Empty where nothing does, or where a side has no such cell."""
    if old is None or new is None:
        return ""
    known = old.details.keys() & new.details.keys()
    model = tell(_describe(base, old, known), _describe(head, new, known))
    software = environment.other_software(base.run.machine, head.run.machine)
    software.pop("git_commit", None)  # the sides are described with it
    parts = {"the model differs": model, "measured with other software": _tell_pairs(software)}
    return "; ".join(f"{what}: {text}" for what, text in parts.items() if text)


def _describe(report: Report, result: Result, known: Collection[str]) -> dict[str, Any]:
    """A model, with the digests of its code and of given weights where both sides know them."""
    fields = _fields_of(report.models[result.model])
    if "origin" in known:
        fields["code"] = origins.describe(result.details["origin"])
    if "weights_sha256" in known and "training" not in known:
        fields["weights_sha256"] = result.details["weights_sha256"][:12]
    return fields


def tell_elsewhere(base: Report, head: Report, setting: str, skipped: bool) -> str:
    """Why the head has no such value: another device, or what this one lacks.

    Empty where it has the setting and skipped nothing, or where the machines are alike.
    """
    if setting in keys_of(head.run) and not skipped:
        return ""
    if base.run.kinds.keys() != head.run.kinds.keys():
        return f"on {base.run.device_name}, now on {head.run.device_name}"
    return tell_environments(base.run.machine, head.run.machine)


def other_words(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """How the user's entries for operators differ between two counts; empty if they do not.

    Args:
        old, new: the details of the one and the other.
    """
    then, now = ({name: _word(word) for name, word in sorted(details.get("given", {}).items())}
                 for details in (old, new))  # fmt: skip
    differing = tell(then, now, "no word")
    return f"counted by other words: {differing}" if differing else ""


def _word(word: Mapping[str, Any]) -> str:
    """`zero`, or the function with the hash of its code: `ours.rules:gram (sha256 3f5a09c1)`."""
    origin = word.get("origin")
    return f"{word['by']} (sha256 {origin['sha256'][:8]})" if origin else str(word["by"])


def no_direction(metric: Metric) -> str:
    """Why a metric of which no value is better than another is not judged; empty of others."""
    neutral = metric.better == "none"
    return f"{metric.direction}, so it is shown and not judged" if neutral else ""


def tell(old: Mapping[str, Any], new: Mapping[str, Any], none: str = "none") -> str:
    """In what two mappings differ, at any depth: `batch_size 64, now 16, geometry.crop_pct 1.0,
    now 0.9`; `none` stands for what a side lacks."""
    then, now = dict(_flatten(old)), dict(_flatten(new))
    pairs = {name: (then.get(name), now.get(name)) for name in then | now}
    return _tell_pairs({name: pair for name, pair in pairs.items() if pair[0] != pair[1]}, none)


def _flatten(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def tell_environments(old: Environment, new: Environment) -> str:
    """In what two environments differ: two GPUs of one model do by 8 % on average, and versions of
    this package may measure differently."""
    return _tell_pairs(environment.differences(old, new, ("device_uuid", "cmx_bench")))


def _tell_pairs(differences: Mapping[str, tuple[Any, Any]], none: str = "unknown") -> str:
    def shown(name: str, value: object) -> object:
        return ("not set" if name.isupper() else none) if value is None else value

    told = [f"{name} {shown(name, then)}, now {shown(name, now)}"
            for name, (then, now) in differences.items()]  # fmt: skip
    return first_few(told, _MOST_TOLD)


def _environment(report: Report, setting: str) -> Environment:
    """The one that the setting's counted records share, of all devices of the run."""
    shared = dict(report.run.environments.get(report.environments.get(setting, ""), {}))
    if "device_uuid" in shared and "device_uuid" in report.run.machine:
        shared["device_uuid"] = report.run.machine["device_uuid"]
    return shared
