"""Composing a configuration from Python, and what the command line adds to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omegaconf import DictConfig, open_dict

from ser.paths import find_shipped


def compose(overrides: Sequence[str] = (), stage: str = "train") -> DictConfig:
    """The configuration that ``ser <stage> <overrides>`` would run with.

    Raises:
        hydra.errors.HydraException: an unknown choice or key.
    """
    from hydra import compose as compose_hydra
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(find_shipped("conf")), version_base="1.3", job_name=stage):
        config = compose_hydra(stage, overrides=list(overrides), return_hydra_config=True)
    choices = dict(config.hydra.runtime.choices)
    with open_dict(config):
        del config["hydra"]
    return add_choices(config, choices)


def add_choices(config: DictConfig, choices: Mapping[str, object]) -> DictConfig:
    """Note in the configuration itself which YAML each group chose; ``ser``'s groups only."""
    with open_dict(config):
        config.choices = {str(k): v for k, v in choices.items() if not str(k).startswith("hydra") and "/" not in str(k)}
    return config
