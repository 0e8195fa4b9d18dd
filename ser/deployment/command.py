"""The command that makes a run's configuration, found from the configuration itself."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ser.config import compose
from ser.tracking.key import flatten, select_effective

#: What cannot be left out of a command, although it does not change the result: where a table of one's own lies.
PLACES = ("dataset.path",)
#: Groups whose choices do not change a run's result.
ELSEWHERE = ("tracking", "statistics", "hparams_search", "explainer", "explain", "explain_eval", "cue_link", "meter")


def find_command(config: DictConfig) -> str:
    """``ser train …`` that composes what a run had; empty where none is found.

    Args:
        config: of the run, resolved.
    """
    choices = {name: str(choice) for name, choice in config.choices.items() if name not in ELSEWHERE}
    try:
        usual = compose([]).choices
        chosen = [f"{name}={choice}" for name, choice in choices.items() if usual.get(name) != choice]
        overrides = [*chosen, *list_changes(config, compose(chosen))]
        if list_changes(config, compose(overrides)):
            return ""
    except Exception:  # a choice or a key that is no longer there, in any of Hydra's and our own ways to say so
        return ""
    places = [f"{name}=…" for name in PLACES if OmegaConf.select(config, name)]
    return shlex.join(["ser", "train", *overrides, *places])


def list_changes(config: DictConfig, composed: DictConfig) -> list[str]:
    """Overrides that make a configuration what the run had; keys that are newer than the run keep their defaults."""
    had, has = flatten(select(config)), flatten(select(composed))
    return [
        f"{'' if name in has else '+'}{name}={write(value)}"
        for name, value in had.items()
        if name not in has or has[name] != value
    ]


def select(config: DictConfig) -> dict[str, Any]:
    """What decides the result."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return select_effective({str(name): value for name, value in plain.items()}, uses_trainer=True)


def write(value: Any) -> str:
    """A value as Hydra's grammar has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{write(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(write, value)) + "]"
    if isinstance(value, str) and not (value.replace("_", "").replace(".", "").isalnum() and not value[0].isdigit()):
        return "'" + value.replace("'", "\\'") + "'"
    return str(value)
