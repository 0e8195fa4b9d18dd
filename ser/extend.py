"""Training for longer: a finished run's configuration with more epochs, and its checkpoints to go on from."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ser.errors import InputError
from ser.results import CHECKPOINTS, read_json
from ser.runs import find_files
from ser.tracking.key import WITHOUT_EFFECT, hash_run
from ser.trust import check_targets

log = logging.getLogger(__name__)

CONFIG = "config.yaml"
#: What of the configuration is this command's and not the run's.
PRESENT = ("paths", "tracking", "resume", "report")
#: What an extension may change of the run, besides settings that cannot change a result.
CHANGEABLE = (
    "run",
    "trainer.max_epochs",
    "trainer.early_stopping.patience",
    "trainer.early_stopping.min_delta",
    "trainer.early_stopping.also",
    "trainer.keep_checkpoints",
)
#: What a fold leaves of its training.
LEFT = ("last.ckpt", "best.ckpt", "history.csv")


@dataclass(frozen=True)
class Origin:
    """A finished run.

    Attributes:
        folder: its directory, or a copy of its artifacts.
        key: its identity.
        run_id: its MLflow run.
        config: its resolved configuration.
    """

    folder: Path
    key: str
    run_id: str
    config: DictConfig

    @classmethod
    def find(cls, run: str, config: DictConfig) -> Origin:
        """The run with this id, key or directory.

        Args:
            run: see above.
            config: a configuration with ``tracking`` and ``paths``.

        Raises:
            InputError: there is none that finished, or its configuration would run foreign code.
        """
        tracker, cache = instantiate(config.tracking), Path(config.paths.cache)
        folder = find_files(run, [CONFIG, "run.json", CHECKPOINTS], tracker, cache)
        record = read_json(folder / "run.json")
        if record.get("state") != "finished":
            raise InputError(f"run={run}: it did not finish", remedy="run its command again")
        found = OmegaConf.load(folder / CONFIG)
        assert isinstance(found, DictConfig)
        check_targets(found, str(folder / CONFIG))
        return cls(folder.absolute(), record["key"], record["run_id"], found)


def compose_extension(config: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """The configuration of the run that ``config.run`` names, with what the command changes.

    Args:
        config: as composed from the command.
        overrides: the command.

    Raises:
        InputError: no such run, nothing to extend, changes that would make another run of it.
    """
    origin = Origin.find(str(config.run), config)
    extended = origin.config.copy()
    for name in PRESENT:
        value = config[name]
        extended[name] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    names = [item.key_or_group for item in OverridesParser.create().parse_overrides(list(overrides))]
    for name in names:
        check_change(name)
        if name.partition(".")[0] not in (*PRESENT, "hydra", "run"):
            OmegaConf.update(extended, name, OmegaConf.select(config, name), merge=False)
    before, after = origin.config.trainer.max_epochs, extended.trainer.max_epochs
    if after < before or (after == before and not any(name.startswith("trainer.early_stopping") for name in names)):
        raise InputError(
            f"run={config.run}: it had trainer.max_epochs={before}", remedy="pass trainer.max_epochs=<more>"
        )
    if OmegaConf.select(origin.config, "scheduler.T_max") or "warmup" in (origin.config.get("scheduler") or {}):
        log.warning("the learning rate followed a course of %d epochs; it goes on as the scheduler sees fit", before)
    extended.run = {"key": origin.key, "run_id": origin.run_id, "folder": str(origin.folder)}
    return extended


def check_change(name: str) -> None:
    """Raise InputError for a change that goes deeper than more epochs."""
    allowed = (*PRESENT, *CHANGEABLE, *WITHOUT_EFFECT, "hydra")
    if not any(name == each or name.startswith(f"{each}.") for each in allowed):
        raise InputError(
            f"{name}: a run that is extended goes on as it began",
            expected=", ".join(CHANGEABLE[1:]) + ", and settings that cannot change a result",
            remedy="leave it out, or leave out run=… to begin anew",
        )


def read_config(origin: Mapping[str, Any]) -> dict[str, Any]:
    """The resolved configuration of the run that is extended, as plain containers."""
    plain = OmegaConf.to_container(OmegaConf.load(Path(origin["folder"]) / CONFIG))
    assert isinstance(plain, dict)
    return {str(name): value for name, value in plain.items()}


def check_same(
    origin: Mapping[str, Any], effective: Mapping[str, Any], data: str, split: str, extractor: Mapping[str, Any]
) -> None:
    """Refuse to go on with other data than the run had.

    Args:
        origin: ``run`` of an extended configuration.
        effective: what decides the result in the configuration of the run that is extended.
        data, split, extractor: those of today, as :func:`ser.tracking.key.hash_run` takes them.

    Raises:
        InputError: with them, that configuration has another key than the run.
    """
    key = hash_run(effective, data, split, extractor)
    if key != origin["key"]:
        raise InputError(
            f"run={origin['run_id']}: its data, split, weights or version are no longer what they were",
            expected=f"the key {origin['key']}, found {key}",
            remedy="leave out run=… to begin anew",
        )


def bring_checkpoints(origin: Mapping[str, Any], folder: Path) -> None:
    """Copy what the folds of a run left of their training to where folds of its extension look for it.

    Raises:
        InputError: the run was not trained by epochs.
    """
    folds = sorted(Path(origin["folder"]).glob(f"{CHECKPOINTS}/fold-*/last.ckpt"))
    if not folds:
        raise InputError(
            f"run={origin['run_id']}: it has no training that could go on",
            expected="a run with head=linear or mlp, whose checkpoints are still there",
        )
    for last in folds:
        target = folder / CHECKPOINTS / last.parent.name
        if target.is_dir():  # of an extension that was interrupted
            continue
        temporary = target.with_name(f"{target.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name in LEFT:
            if (last.parent / name).is_file():
                shutil.copy2(last.parent / name, temporary / name)
        temporary.rename(target)
