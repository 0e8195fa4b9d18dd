"""Composing a configuration from Python, and what the command line adds to one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from ser.dataset.target import list_dimensions
from ser.errors import InputError
from ser.paths import find_shipped

#: Keys of ``dataset`` that every corpus has, beside those of its own choice.
SHARED = ("emotions", "target", "merge", "variant", "texts")
#: Mappings whose keys are the user's own; Hydra would take a new key for a misspelt one.
FREE = ("data.roots", "dataset.merge", "dataset.values", "dataset.columns", "cue_link.variants")
#: The loss, and what early stopping monitors, where the target decides.
AUTO = "auto"
FOR_EMOTIONS, FOR_DIMENSIONS = ("cross_entropy", "val/uar"), ("ccc", "val/ccc")

#: Composes one choice of a group anew: (group, choice) → its settings.
LoadChoice = Callable[[str, str], DictConfig]


def compose(overrides: Sequence[str] = (), stage: str = "train") -> DictConfig:
    """The configuration that ``ser <stage> <overrides>`` would run with.

    Raises:
        hydra.errors.HydraException: an unknown choice or key.
        InputError: a corpus in ``data.train`` or ``data.test`` that is none.
    """
    from hydra import compose as compose_hydra
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from ser.language.nested import compose_stage  # which itself completes what it composes

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(find_shipped("conf")), version_base="1.3", job_name=stage):

        def load(name: str, items: Sequence[str]) -> DictConfig:
            return compose_hydra(name, overrides=list(items), return_hydra_config=True)

        config = load(stage, permit_own_keys(overrides))
        choices, named = dict(config.hydra.runtime.choices), list(config.hydra.overrides.task)
        with open_dict(config):
            del config["hydra"]

        def load_choice(group: str, name: str) -> DictConfig:
            return load(stage, [f"{group}={name}"])[group]

        return compose_stage(complete(config, choices, load_choice, named), load)


def permit_own_keys(arguments: Sequence[str]) -> list[str]:
    """Overrides with those inside the mappings of :data:`FREE` marked as additions (``++``)."""

    def is_free(argument: str) -> bool:
        name = argument.partition("=")[0]
        return any(name == free or name.startswith(f"{free}.") for free in FREE)

    return [f"++{argument}" if is_free(argument) else argument for argument in arguments]


def complete(
    config: DictConfig, choices: Mapping[str, object], load_choice: LoadChoice, overrides: Sequence[str] = ()
) -> DictConfig:
    """Add what Hydra does not: the name of each group's choice, what ``auto`` means, the corpora named in ``data``.

    Where ``run`` names a finished run, its configuration with what the command changes (:mod:`ser.extend`).

    Args:
        config: as composed.
        choices: group → choice, as Hydra knows them.
        load_choice: composes one choice of a group.
        overrides: those that the configuration was composed with.
    """
    if config.get("run") and "dataset" in config:
        from ser.extend import compose_extension

        return compose_extension(config, overrides)
    named = {name_group(str(k)): v for k, v in choices.items() if is_own(str(k)) and v is not None}
    with open_dict(config):
        config.choices = named
        if "dataset" not in config:
            return config
        choose_by_target(config, load_choice)
        if config.data.train or config.data.test:
            # In one order whatever trains, so that what is said of the corpora is said alike.
            names = sorted(list_corpora(config))
            config.data.corpora = {name: load_corpus(config, name, load_choice) for name in names}
            config.dataset = {key: config.dataset[key] for key in SHARED}
            config.choices.dataset = "+".join(config.data.train)
    return config


def is_own(group: str) -> bool:
    """Whether a choice is one of a config group of ours, and not of a group inside one."""
    return not group.startswith("hydra") and "/" not in group


def name_group(group: str) -> str:
    """Where a choice lies in the configuration: ``backbone@backbone.audio`` lies in ``backbone.audio``."""
    return group.rpartition("@")[2]


def name_override(override: Any) -> str:
    """What one of Hydra's overrides is about, a key or a group: ``backbone.audio`` of ``backbone@backbone.audio=…``."""
    return str(override.package or override.key_or_group)


def choose_by_target(config: DictConfig, load_choice: LoadChoice) -> None:
    """Put in place of ``loss=auto`` and of the monitor ``auto`` what suits emotions, or dimensions."""
    dimensional = bool(list_dimensions(config.dataset.target))
    loss, monitor = FOR_DIMENSIONS if dimensional else FOR_EMOTIONS
    if config.choices.get("loss") == AUTO:
        config.choices.loss = FOR_EMOTIONS[0]
        # Whoever sets a key of the cross-entropy means it: such a loss stays, and is refused for dimensions later.
        if dimensional and config.loss == load_choice("loss", AUTO):
            config.choices.loss, config.loss = loss, load_choice("loss", loss)
    stopping = config.trainer.early_stopping
    if stopping is not None and stopping.get("monitor") == AUTO:
        stopping.monitor = monitor


def list_corpora(config: DictConfig) -> list[str]:
    """Corpora named for training and test, each once."""
    for side, other in (("train", "test"), ("test", "train")):
        value = config.data[side]
        if value is None:
            config.data[side] = config.data[other]
        elif isinstance(value, str) or not value:
            raise InputError(f"data.{side}={value}", expected="a list of corpora", remedy=f"data.{side}=[emodb]")
    return list(dict.fromkeys([*config.data.train, *config.data.test]))


def load_corpus(config: DictConfig, name: str, load_choice: LoadChoice) -> DictConfig:
    """The choice of one corpus, with its root from ``data.roots``."""
    dataset = load_choice("dataset", name)
    own = OmegaConf.create({key: dataset._get_node(key) for key in dataset if key not in SHARED})
    own._set_parent(config)
    if name in config.data.roots:
        own.root = config.data.roots[name]
    plain: Any = OmegaConf.to_container(own, resolve=True)
    return OmegaConf.create(plain)
