"""Seeds derived from their place alone."""

from __future__ import annotations

from cmx_bench.training import derived


def test_a_place_has_one_seed_on_every_machine() -> None:
    assert derived(0, "order", 3) == derived(0, "order", 3) == 548429900
    assert 0 <= derived("x") < 2**32


def test_neighbouring_places_have_seeds_of_their_own() -> None:
    places = [(seed, what, epoch) for seed in range(10) for what in ("order", "image")
              for epoch in range(50)]  # fmt: skip
    assert len({derived(*place) for place in places}) == len(places)
    assert derived(1, 23) != derived(12, 3)
