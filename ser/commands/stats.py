"""``ser stats``: statistics of a sweep or of any table; ``ser stats plan``: of a next sweep."""

from __future__ import annotations

from collections.abc import Sequence

from ser.launch import launch
from ser.stats import stats

#: Keys whose values are text that Hydra's grammar would trip over: formulas, paths with brackets or blanks.
TEXT = ("statistics.formula", "table", "sweep")


def main(arguments: Sequence[str]) -> int:
    """Run the stage; see ``conf/stats.yaml``. A bare ``plan`` is short for ``action=plan``."""
    return launch("stats", stats, [complete(item) for item in arguments])


def complete(argument: str) -> str:
    """An override as Hydra takes it: names of one's own contrasts are additions, text is in quotes."""
    if argument in ("plan", "analyse"):
        return f"action={argument}"
    return f"++{argument}" if argument.startswith("statistics.contrasts") else quote(argument)


def quote(argument: str) -> str:
    """An override with its text in quotes, unless it has some: ``statistics.formula=uar ~ arch + (1 | speaker)``."""
    name, equals, value = argument.partition("=")
    plain = value and value != "null" and value[0] not in "'\"" and "${" not in value
    return f"{name}='{value.replace(chr(39), chr(92) + chr(39))}'" if equals and name in TEXT and plain else argument
