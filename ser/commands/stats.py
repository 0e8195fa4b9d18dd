"""``ser stats``: statistics of a sweep or of any table; ``ser stats plan``: of a next sweep."""

from __future__ import annotations

from collections.abc import Sequence

from ser.launch import launch
from ser.stats import stats


def main(arguments: Sequence[str]) -> int:
    """Run the stage; see ``conf/stats.yaml``. A bare ``plan`` is short for ``action=plan``."""
    return launch("stats", stats, [f"action={item}" if item in ("plan", "analyse") else item for item in arguments])
