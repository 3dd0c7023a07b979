"""The search for garbage stops, and goes on as before."""

from __future__ import annotations

import gc

import pytest

from cmx_bench.results import collector


@pytest.mark.parametrize("enabled", [True, False])
def test_it_is_afterwards_as_it_was_before(enabled: bool) -> None:
    try:
        (gc.enable if enabled else gc.disable)()
        with collector.pausing():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
        with pytest.raises(ValueError, match="inside"), collector.pausing():
            raise ValueError("inside")
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
