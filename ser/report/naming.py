"""Names of configurations, repeats, choices and files, as a reader sees them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

REPEATS = ("seed", "split.seed", "split.fold")
NOT_A_NAME = re.compile(r"[-+\d.\[{]|(true|false|none|null|yes|no|on|off)$", re.IGNORECASE)


def list_factors(varied: Sequence[str]) -> list[str]:
    """The varied factors that tell configurations apart: all but seeds and folds."""
    return [factor for factor in varied if factor not in REPEATS]


def list_repeats(varied: Sequence[str]) -> list[str]:
    """The varied factors that repeat a configuration: seeds and folds."""
    return [factor for factor in varied if factor in REPEATS]


def label_jobs(overrides: Sequence[Mapping[str, str]], varied: Sequence[str], unvaried: str) -> list[tuple[str, str]]:
    """Configuration and repeat of each job, e.g. ``("egemaps · linear", "seed=1")``.

    A value stands alone where it says what it is: all values of its factor are names, none of which another factor has
    too. ``unvaried`` names the configuration if no factor but seeds and folds varied.
    """
    factors = list_factors(varied)
    values = {factor: {job.get(factor, "default") for job in overrides} for factor in factors}
    alone = {factor for factor in factors if _speak_alone(factor, values)}
    repeats = list_repeats(varied)
    return [(_join(job, factors, alone) or unvaried, _join(job, repeats, ())) for job in overrides]


def name_choice(choice: Any) -> str:
    """The name of a config group's choice as the resolved config shows it, "" if it does not."""
    if isinstance(choice, Mapping):
        name = choice.get("name") or str(choice.get("_target_") or "").rpartition(".")[2]
        return str(name)
    return "" if choice is None else str(choice)


def describe_choice(choice: Any) -> str:
    """A choice and its plain settings on one line, e.g. ``kfold (folds=5, seed=0)``."""
    if not isinstance(choice, Mapping):
        return name_choice(choice)
    hidden = ("name", "_target_", "_convert_", "_partial_")
    plain = [f"{k}={_show(v)}" for k, v in choice.items() if k not in hidden and v not in (None, [], {}, "")]
    name = name_choice(choice)
    return f"{name} ({', '.join(plain)})" if name and plain else name or ", ".join(plain)


def name_files(configurations: Sequence[str]) -> dict[str, str]:
    """A distinct, portable file name stem for each configuration."""
    stems: dict[str, str] = {}
    for configuration in configurations:
        stem = base = re.sub(r"[^\w.=+-]+", "_", configuration).strip("._")[:100] or "configuration"
        number = 1
        while stem.lower() in {taken.lower() for taken in stems.values()}:
            number += 1
            stem = f"{base}_{number}"
        stems[configuration] = stem
    return stems


def _speak_alone(factor: str, values: Mapping[str, set[str]]) -> bool:
    others: set[str] = set().union(*(found for name, found in values.items() if name != factor))
    own = values[factor]
    return not own & others and not any(NOT_A_NAME.match(value) for value in own) and "default" not in own


def _join(job: Mapping[str, str], factors: Sequence[str], alone: Collection[str]) -> str:
    values = {factor: job.get(factor, "default") for factor in factors}
    return " · ".join(value if factor in alone else f"{factor}={value}" for factor, value in values.items())


def _show(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(str, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)
