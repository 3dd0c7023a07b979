"""What a model is made of, digested."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cmx_bench.models import digest_of


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    content = b"weights" * 100_000
    for name in ("one.pt", "other.py"):
        (tmp_path / name).write_bytes(content)
        assert digest_of(tmp_path / name) == hashlib.sha256(content).hexdigest()
