"""``ser train``: one run, or with ``-m`` a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from ser.launch import launch
from ser.train import train


def main(arguments: Sequence[str]) -> int:
    """Run the stage; see ``conf/train.yaml``."""
    return launch("train", train, arguments)
