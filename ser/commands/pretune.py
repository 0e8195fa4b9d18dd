"""``ser pretune``: one run, or with ``-m`` a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from ser.launch import launch
from ser.pretune import pretune


def main(arguments: Sequence[str]) -> int:
    """Run the stage; see ``conf/pretune.yaml``."""
    return launch("pretune", pretune, arguments)
