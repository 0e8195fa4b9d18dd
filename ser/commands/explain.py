"""``ser explain``: explain a finished run; with ``-m``, by several explainers."""

from __future__ import annotations

from collections.abc import Sequence

from ser.explain import explain
from ser.launch import launch


def main(arguments: Sequence[str]) -> int:
    """Run the stage; see ``conf/explain.yaml``."""
    return launch("explain", explain, arguments)
