"""Seeds derived from their place alone."""

from __future__ import annotations

from cmx_bench.training import derive


def test_a_place_has_one_seed_on_every_machine() -> None:
    assert derive(0, "order", 3) == derive(0, "order", 3) == 548429900
    assert 0 <= derive("x") < 2**32


def test_neighbouring_places_have_seeds_of_their_own() -> None:
    places = [(seed, what, epoch) for seed in range(10) for what in ("order", "image")
              for epoch in range(50)]  # fmt: skip
    assert len({derive(*place) for place in places}) == len(places)
    assert derive(1, 23) != derive(12, 3)
