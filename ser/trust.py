"""What a configuration that was read from a run may create.

Classes of this package and of the libraries it is for, and whatever the user's own ``conf/`` names, which a command
given in that folder would create anyhow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from omegaconf import OmegaConf

from ser.errors import InputError
from ser.paths import find_own

#: Packages whose classes a ``_target_`` may name. Their classes only: functions of torch and modules that they import
#: can load code from anywhere.
TRUSTED = ("ser", "sklearn", "torch.nn", "torch.optim", "torch_audiomentations")


def check_targets(settings: Any, source: str) -> None:
    """Refuse settings that would run anything else.

    Args:
        settings: of a configuration, or a whole one.
        source: where they are from, for the message.

    Raises:
        InputError: a name that is neither a class of :data:`TRUSTED` nor in ``conf/`` where the command is given.
    """
    own = list_own()
    for target in list_targets(settings):
        if target not in own and not is_trusted(target):
            raise InputError(
                f"{source}: it would run {target}",
                expected="classes of " + ", ".join(TRUSTED) + ", or what the YAML files in conf/ where you are name",
                remedy="if you trust it, give the command in the folder whose conf/ names it",
            )


def is_trusted(target: str) -> bool:
    """Whether a name is that of a class which a trusted package defines; imports nothing else."""
    if not _lies_in(target):
        return False
    module, _, name = target.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError):  # also of a name with more dots than modules
        return False
    # What a module imports from elsewhere can be reached through it; it says itself where it is from.
    return isinstance(found, type) and _lies_in(found.__module__)


def list_own() -> set[str]:
    """All names of objects in the user's own configuration."""
    own = find_own()
    files = [] if own is None else own.rglob("*.yaml")
    return {name for path in files for name in list_targets(OmegaConf.load(path))}


def list_targets(settings: Any) -> Iterator[str]:
    """All names of objects in settings."""
    plain = OmegaConf.to_container(settings) if OmegaConf.is_config(settings) else settings
    if isinstance(plain, Mapping):
        if "_target_" in plain:
            yield str(plain["_target_"])
        for value in plain.values():
            yield from list_targets(value)
    elif isinstance(plain, list | tuple):
        for value in plain:
            yield from list_targets(value)


def _lies_in(name: str) -> bool:
    return any(name.startswith(f"{package}.") for package in TRUSTED)
