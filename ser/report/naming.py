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


def name_choice(config: Mapping[str, Any], group: str) -> str:
    """What a resolved config chose for a group: the YAML's name, else the class's; "" if neither is known."""
    named = (config.get("choices") or {}).get(group)
    chosen = config.get(group)
    if named or not isinstance(chosen, Mapping):
        return str(named or chosen or "")
    return str(chosen.get("_target_") or "").rpartition(".")[2]


def describe_choice(config: Mapping[str, Any], group: str, varied: Collection[str] = ()) -> str:
    """A choice and its plain settings, less those that varied, on one line, e.g. ``kfold (folds=5, seed=0)``."""
    name, chosen = name_choice(config, group), config.get(group)
    settings = chosen if isinstance(chosen, Mapping) else {}
    shown = {key: value for key, value in settings.items() if key[0] != "_" and value not in (None, [], {}, "")}
    shown = {key: value for key, value in shown.items() if f"{group}.{key}" not in varied}
    plain = ", ".join(f"{key}={_show(value)}" for key, value in shown.items())
    return f"{name} ({plain})" if name and plain else name or plain


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
