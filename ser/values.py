"""Words where numbers belong: refused before anything is computed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import HydraException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from ser.errors import InputError

#: What annotations of parameters that take no words are made of: ``int``, ``float | None``, ``Optional[bool]``, …
KINDS = {"bool": "true or false", "int": "a number", "float": "a number"}
BESIDE = {"None", "NoneType", "Optional", "Union", "Tensor", "class", "torch", "typing"}


def check_values(config: DictConfig, overrides: Sequence[str], primary: Path) -> None:
    """Refuse a word for a key that takes numbers, or a switch.

    Args:
        config: composed with these overrides.
        overrides: of one job.
        primary: the YAML of the stage, whose own keys are known by their defaults; others by the class they go to.

    Raises:
        InputError: naming the first such key.
    """
    for item, override in zip(overrides, OverridesParser.create().parse_overrides(list(overrides)), strict=True):
        key = str(override.key_or_group)
        if is_word(override) and (kind := find_kind(config, key, primary)):
            raise InputError(item, expected=kind, remedy="--cfg job shows all keys with their values")


def is_word(override: Override) -> bool:
    """Whether the value is text that is the same whatever else is chosen."""
    value = None if override.is_delete() else override.value()
    text = value.text if isinstance(value, QuotedString) else value
    return isinstance(text, str) and "${" not in text


def find_kind(config: DictConfig, key: str, primary: Path) -> str:
    """What a key takes, in words; empty for one that takes words, or of which nothing is known."""
    above, _, name = key.rpartition(".")
    if not above:
        defaults: Any = OmegaConf.to_container(OmegaConf.load(primary), resolve=False)
        return KINDS.get(type(defaults.get(name)).__name__, "")
    target = OmegaConf.select(config, f"{above}._target_", throw_on_resolution_failure=False)
    return describe_parameter(str(target), name) if target else ""


def describe_parameter(target: str, name: str) -> str:
    """What a parameter of a class takes, if that is neither words nor unknown."""
    try:
        made: Any = get_object(target)
        parameter = inspect.signature(made).parameters.get(name)
    except (HydraException, ImportError, TypeError, ValueError):  # instantiating it will say what is wrong
        return ""
    if parameter is None:
        return ""
    parts = set(re.findall(r"\w+", str(parameter.annotation)))
    kinds = [kind for part, kind in KINDS.items() if part in parts]
    return kinds[0] if kinds and parts <= KINDS.keys() | BESIDE else ""
