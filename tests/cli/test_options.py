"""What the words of options stand for, and what is said of words that stand for nothing."""

from __future__ import annotations

import re

import pytest

from cmx_bench.cli import options
from cmx_bench.errors import CmxError


def test_a_percentage_is_a_share() -> None:
    assert options.share_of("--threshold", "5%") == 0.05
    with pytest.raises(CmxError, match="^--threshold 5: expected a percentage such as"):
        options.share_of("--threshold", "5")


def test_a_time_is_in_seconds_and_none_where_none_is_given() -> None:
    assert options.seconds_of("--budget", "2m") == 120.0
    assert options.seconds_of("--budget", None) is None
    with pytest.raises(CmxError, match="^--budget soon: expected a time such as"):
        options.seconds_of("--budget", "soon")


def test_a_word_is_looked_up_and_the_known_ones_are_named() -> None:
    known = {"local": 1, "ray": 2}
    assert options.look_up("--executor", "executor", "ray", known) == 2
    line = "--executor rai: unknown executor, did you mean 'ray'? (known: local, ray)"
    with pytest.raises(CmxError, match=f"^{re.escape(line)}$"):
        options.look_up("--executor", "executor", "rai", known)


def test_a_home_behind_an_equals_sign_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    for given, meant in (
        ("photos=~/val", "photos=/home/me/val"),
        ("net=~nobody-is-called-so/x.pth", "net=~nobody-is-called-so/x.pth"),
        ("photos=/a~/b", "photos=/a~/b"),
        ("~x", "~x"),
    ):
        assert options.with_home(given) == meant
