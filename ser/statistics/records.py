"""Results as records that can be written as JSON."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

import numpy as np


class Record:
    """A result that can be written as JSON."""

    def describe(self) -> dict[str, Any]:
        """Fields by name, ready for JSON: no arrays, and null for what is not defined (NaN, infinite)."""
        return {field.name: to_json(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]


def to_json(value: Any) -> Any:
    """A value with plain numbers, lists and mappings only; None for NaN and infinity."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(part) for part in value]
    if isinstance(value, np.ndarray | np.generic):
        return to_json(value.tolist())
    return None if isinstance(value, float) and not isfinite(value) else value
