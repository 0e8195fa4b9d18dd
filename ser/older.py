"""Configurations of runs that an earlier version made: what was added since, as it is by default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError

from ser.errors import InputError
from ser.paths import find_shipped

#: Groups that came later, whose default changes nothing.
LATER = ("augmentation", "language")
#: Keys of all choices that came one by one, each with a default that changes nothing.
GROWN = ("augmentation", "data", "dataset", "metrics")


def complete_older(config: DictConfig) -> DictConfig:
    """A configuration with what it lacks of :data:`LATER` and :data:`GROWN`; what it has stays as it is."""
    folder = find_shipped("conf")
    stage = OmegaConf.load(folder / "train.yaml")
    assert isinstance(stage, DictConfig)
    chosen = {name: choice for item in stage.defaults if OmegaConf.is_dict(item) for name, choice in item.items()}
    whole = config.copy()
    with open_dict(whole):
        for group in LATER:
            if group not in whole:
                whole[group] = OmegaConf.load(folder / group / f"{chosen[group]}.yaml")
                whole[group].pop("defaults", None)  # keys that choices share, none of which the default needs
        for name in GROWN:
            whole[name] = OmegaConf.merge(stage[name], whole.get(name, {}))
    return whole


@contextmanager
def name_missing(run: str) -> Iterator[None]:
    """Say of a configuration which key it lacks.

    Args:
        run: whose it is.

    Raises:
        InputError: with the key.
    """
    try:
        yield
    except (ConfigAttributeError, ConfigKeyError) as error:
        raise InputError(
            f"run={run}: its configuration has no {error.full_key}",
            expected="the configuration of a run of this version of ser, or of one that lacks nothing that decides",
            remedy="train it again",
        ) from error
