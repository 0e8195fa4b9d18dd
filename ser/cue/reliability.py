"""How well each meter follows planted cues, as measured (``ser/cue/reliability.yaml``)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).with_name("reliability.yaml")


def read_reliability(meter: str) -> dict[str, float | None]:
    """Of each measured cue, 0 to 1; ``None`` where no ladder tests it."""
    return dict(_read()[meter])


@lru_cache(maxsize=1)
def _read() -> dict[str, Any]:
    return dict(yaml.safe_load(TABLE.read_text()))
