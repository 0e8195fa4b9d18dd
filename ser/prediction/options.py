"""The command lines of ``ser predict`` and ``ser export``: options of their own, and groups of ``ser explain``.

They are no Hydra stages of their own, since ``audio=`` and ``explain=`` would choose from the groups of these names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ser.config import compose
from ser.errors import InputError
from ser.launch import explain_mistake
from ser.paths import find_shipped

#: Groups of ``conf/explain.yaml`` that mean something to a stage.
GROUPS = {
    "predict": ("explainer", "cue_link", "meter", "tracking", "paths"),
    "export": ("tracking", "paths"),
}


@dataclass(frozen=True)
class Options:
    """What one call is about.

    Attributes:
        own: as ``conf/<stage>.yaml`` has them.
        present: ``tracking``, ``paths`` and the groups that were admitted.
    """

    own: DictConfig
    present: DictConfig


def read_options(stage: str, overrides: Sequence[str] = ()) -> Options:
    """Compose the configuration.

    Args:
        stage: ``predict`` or ``export``.
        overrides: ``key=value``; a value is text, except for lists, null, and true or false where the key has these.

    Raises:
        InputError: an unknown key, a value of another kind.
    """
    own, groups = OmegaConf.load(find_shipped("conf") / f"{stage}.yaml"), GROUPS[stage]
    assert isinstance(own, DictConfig)
    OmegaConf.set_struct(own, True)
    others = []
    for override in overrides:
        name, equals, value = override.partition("=")
        head = name.partition(".")[0].partition("@")[0].lstrip("+~")
        if head in groups:
            others.append(override)
            continue
        if not equals or not is_key(own, name):
            near = get_close_matches(name, [*own, *groups], n=1)
            raise InputError(
                f"{override}: {stage} has no such option",
                expected=", ".join(f"{each}=…" for each in [*own, *groups]),
                remedy=f"did you mean {near[0]}=…?" if near else "",
            )
        OmegaConf.update(own, name, parse(name, value, OmegaConf.select(own, name)))
    try:
        return Options(own, compose(others, "explain"))
    except (HydraException, OmegaConfBaseException) as error:
        raise explain_mistake(error) from error


def is_key(own: DictConfig, name: str) -> bool:
    """Whether an option is there, and not a mapping of options."""
    head, _, last = name.rpartition(".")
    holder = OmegaConf.select(own, head) if head else own
    return isinstance(holder, DictConfig) and last in holder and not OmegaConf.is_dict(holder._get_node(last))


def parse(name: str, value: str, default: Any) -> Any:
    """A value as its option has it: a path or an id stays as it was typed, even ``03`` or ``a: b``.

    Raises:
        InputError: a value of another kind than the default, or a list that is none.
    """
    if value in ("null", ""):
        return None
    try:
        found = yaml.safe_load(value)
    except yaml.YAMLError as error:
        if value.startswith("["):
            raise InputError(f"{name}={value}: no list", expected="[one,another]") from error
        return value
    if isinstance(default, bool):
        if not isinstance(found, bool):
            raise InputError(f"{name}={value}", expected="true or false")
        return found
    if value.startswith("["):
        return [str(each) for each in found]
    return [value] if OmegaConf.is_list(default) else value
