"""A stage inside a run: overrides in ``language.pretune`` become the configuration that its own command would have."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from omegaconf import DictConfig, OmegaConf, open_dict

from ser.config import complete, permit_own_keys
from ser.errors import InputError

#: Composes a stage: (stage, overrides) → its configuration with Hydra's own settings under ``hydra``.
LoadStage = Callable[[str, Sequence[str]], DictConfig]
#: What both runs have in common; the stage has it from the run.
SHARED = ("backbone", "paths", "tracking")


def compose_stage(config: DictConfig, load_stage: LoadStage) -> DictConfig:
    """Put the stage's configuration in place of its overrides.

    Args:
        config: of the run, composed and completed; its choice of ``language`` names the stage, or nothing is done.
        load_stage: composes a stage.

    Raises:
        InputError: an override of what the run itself says.
    """
    language = config.get("language") or OmegaConf.create()
    overrides = language.get("pretune")
    if not language.get("stage") or language.get("run") or not overrides or OmegaConf.is_dict(overrides):
        return config
    stage, own = str(language.stage), [str(override) for override in overrides]
    for override in own:
        if override.lstrip("+~").partition("=")[0].partition(".")[0] in SHARED:
            raise InputError(
                f"language.pretune: {override}", expected=f"{', '.join(SHARED)} are those of the run itself"
            )
    made = load_stage(stage, permit_own_keys([f"backbone={config.choices.backbone}", *own]))
    choices = dict(made.hydra.runtime.choices)
    with open_dict(made):
        del made["hydra"]
        for name in SHARED:
            made[name] = OmegaConf.to_container(config[name], resolve=True)
    made = complete(made, choices, lambda group, name: load_stage(stage, [f"{group}={name}"])[group])
    with open_dict(config):
        config.language.pretune = OmegaConf.to_container(made, resolve=True)
    return config
