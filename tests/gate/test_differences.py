"""What differs between two runs beside the values, without any folder."""

from __future__ import annotations

from dataclasses import replace

from cmx_bench.gate import differences
from cmx_bench.results.reading import summarise

from ..report.synthetic import BF16, ENVIRONMENT, FP16, FP32, PAPER, make_records, make_run

MODEL = PAPER[0].name


def pair(base: tuple[object, ...], head: tuple[object, ...]) -> dict[tuple[str, str], str]:
    """What is said of each pair of settings in which a run of each has params and throughput."""
    reports = []
    for settings in (base, head):
        run = make_run(PAPER[:1], settings, ("params", "throughput"))  # type: ignore[arg-type]
        reports.append(summarise(run, make_records(run)))
    return {
        (both.old.setting if both.old else "", both.new.setting if both.new else ""): both.moved
        for both in differences.pair_results(*reports)
    }


def test_a_setting_is_the_same_by_its_key_whatever_its_name() -> None:
    renamed = replace(FP16, name="other")
    assert pair((FP16,), (renamed,)) == {("r224", "r224"): "", (FP16.key, FP16.key): ""}


def test_a_setting_with_other_values_is_the_same_by_its_name() -> None:
    other = replace(FP16, layout="nhwc", image_size=192)
    told = "the setting paper differs: layout nchw, now nhwc, image_size 224, now 192"
    assert pair((FP16,), (other,)) == {("r224", "r192"): told, (FP16.key, other.key): told}


def test_names_that_change_places_move_nothing() -> None:
    swapped = replace(FP16, name="fp32"), replace(FP32, name="paper")
    assert set(pair((FP16, FP32), swapped).values()) == {""}


def test_a_size_that_another_setting_still_has_is_not_moved() -> None:
    smaller = replace(FP16, image_size=192)
    told = pair((FP16, FP32), (smaller, FP32))
    assert told["r224", "r224"] == "" and told["", "r192"] == ""
    assert told[FP16.key, smaller.key].endswith("image_size 224, now 192")


def test_what_has_another_name_is_gone_and_new() -> None:
    assert pair((FP32,), (BF16,)) == {
        ("r224", "r224"): "", (FP32.key, ""): "", ("", BF16.key): "",
    }  # fmt: skip


def test_differences_are_told_at_any_depth() -> None:
    old = {"a": {"b": 1, "c": [1]}, "d": None, "same": 2}
    new = {"a": {"b": 2, "c": [1]}, "d": "x", "same": 2, "e": False}
    assert differences.tell(old, new) == "a.b 1, now 2, d none, now x, e none, now False"
    many = {str(number): number for number in range(9)}
    assert differences.tell({}, many).endswith("5 none, now 5 and 3 more")


def test_what_environments_lack_is_unknown_or_not_set() -> None:
    new = ENVIRONMENT | {"mkldnn": True, "OMP_NUM_THREADS": "1"}
    assert differences.tell_environments(ENVIRONMENT, new) == (
        "mkldnn unknown, now True, OMP_NUM_THREADS not set, now 1"
    )
