"""Numbers as a reader of a paper expects them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

MISSING = "–"
#: Decimals of an estimate whose standard error is not known, and the most that are ever shown.
DECIMALS, MOST_DECIMALS = 3, 6


def is_number(value: Any) -> bool:
    """Whether a value is a finite number (a truth value is none)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def show_fixed(value: Any, decimals: int) -> str:
    """Fixed decimals; a dash for what is missing."""
    if not is_number(value):
        return MISSING
    text = f"{value:.{decimals}f}"
    return text[1:] if text.startswith("-") and not float(text) else text  # -0.00 is 0.00


def show_p(value: Any) -> str:
    """A probability without its leading zero: ``.034``, ``< .001``."""
    if not is_number(value):
        return MISSING
    if value < 0.001:
        return "< .001"
    text = f"{value:.3f}"
    if text.startswith("0"):
        return text[1:]
    return "1" if value >= 1 else "> .999"


def show_df(value: Any) -> str:
    """Degrees of freedom: whole where they are, else one decimal."""
    if not is_number(value):
        return MISSING
    return f"{round(value):d}" if abs(value - round(value)) < 5e-3 else f"{value:.1f}"


def show_significant(value: Any, digits: int = 4) -> str:
    """Significant digits, without an exponent between 0.0001 and 999,999."""
    if not is_number(value):
        return MISSING
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}"
    decimals = digits - 1 - (math.floor(math.log10(abs(value))) if value else 0)
    return f"{value:,.{max(0, decimals)}f}"


def show_interval(low: Any, high: Any, decimals: int) -> str:
    """``[low, high]``; a dash if both are missing."""
    if not is_number(low) and not is_number(high):
        return MISSING
    return f"[{show_fixed(low, decimals)}, {show_fixed(high, decimals)}]"


def choose_decimals(errors: Sequence[Any]) -> int:
    """Decimals that show two digits of the median standard error (or deviation) of a table."""
    known = [abs(error) for error in errors if is_number(error) and error]
    if not known:
        return DECIMALS
    return min(MOST_DECIMALS, max(0, 1 - math.floor(math.log10(median(known)))))
