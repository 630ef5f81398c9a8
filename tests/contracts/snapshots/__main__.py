"""Writes the snapshots anew."""

from __future__ import annotations

from tests.contracts.snapshots.current import SNAPSHOTS

for path, current in SNAPSHOTS.items():
    path.write_text(current(), encoding="utf-8")
