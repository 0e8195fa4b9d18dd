"""What was meant by a group, a choice or a key that there is not: the nearest name, then those that there are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hydra import compose as compose_hydra
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ser.choices import find_nearest, list_groups, refuse
from ser.errors import InputError
from ser.paths import find_shipped

#: How Hydra begins what it says of a name that it does not know.
UNKNOWN = re.compile(r"Could not (?:override|delete from config\.) '([^'@]+)'")
#: And of several values where one belongs.
SEVERAL = re.compile(r"Ambiguous value for argument '(.+)'")


def suggest(error: Exception, stage: str, arguments: Sequence[str]) -> InputError | None:
    """The error for a misspelt name, or ``None`` where an error of Hydra's is about something else.

    Args:
        error: that Hydra raised.
        stage: whose configuration was composed.
        arguments: overrides and flags.
    """
    if isinstance(error, MissingConfigException) and error.options:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        problem = f"{group}={choice}: no such choice"
        return refuse(problem, choice, error.options, f"`ser list {group}` says what each is")
    if several := SEVERAL.match(str(error)):
        return InputError(
            f"{several[1]}: several values",
            expected="one; a list is written in brackets",
            remedy=f"`ser {stage} -m` runs every combination",
        )
    found = UNKNOWN.match(str(error))
    if found is None:
        return None
    name, groups = found[1], list_groups(nested=True)
    keys, choices = list_keys(stage, arguments)
    above, group = name.rpartition(".")[0], name.partition(".")[0]
    what = f"{group}={choices[group]} has no such key" if above and group in choices else "no such key"
    beside = [key for key in keys if key.rpartition(".")[0] == above]
    near = guess(name, [*keys, *groups])
    return InputError(
        f"{name}: {what}{'' if above else ' or group'}" + (f"; did you mean {near}?" if near else ""),
        expected=", ".join(dict.fromkeys([*([] if above else groups), *beside])) or f"a key of {above}",
        remedy=f"`ser {stage} --help` says what there is, --cfg job shows all keys",
    )


def guess(name: str, known: Sequence[str]) -> str:
    """What was probably meant, or nothing: a name spelt alike, or a key that has this name further down."""
    below = [key for key in known if key.endswith(f".{name}")]
    near = find_nearest(name, known, cutoff=0.75) or below or find_nearest(name, known)
    return " or ".join(near[:3])


def list_keys(stage: str, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Dotted names of all keys of a stage with the choices that a command makes (of a sweep, the first ones); these."""
    parser, groups = OverridesParser.create(), list_groups(nested=True)
    chosen = []
    for item in (item for item in arguments if "=" in item and not item.startswith("-")):
        override = parser.parse_override(item)
        if override.key_or_group in groups and not override.is_delete():
            chosen.append(f"{item.partition('=')[0]}={take_first(override)}")
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(find_shipped("conf")), version_base="1.3", job_name=stage):
            config = compose_hydra(stage, overrides=chosen, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException):  # more than one name is wrong; the others are told next time
        return [], {}
    choices = {str(group): str(name) for group, name in config.hydra.runtime.choices.items()}
    plain: Any = OmegaConf.to_container(config)
    return [name for name in list_names(plain) if not name.startswith("hydra.")], choices


def take_first(override: Override) -> str:
    """The value of an override, of a sweep the first one."""
    return str(next(iter(override.sweep_string_iterator())) if override.is_sweep_override() else override.value())


def list_names(settings: Mapping[Any, Any], prefix: str = "") -> list[str]:
    """Dotted names of keys at all depths."""
    names = []
    for name, value in settings.items():
        names.append(f"{prefix}{name}")
        if isinstance(value, Mapping):
            names += list_names(value, f"{prefix}{name}.")
    return names
