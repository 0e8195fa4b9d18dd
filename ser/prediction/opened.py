"""A finished run, or an export of one, opened for prediction: its models, without its corpus and without MLflow.

What an export (:mod:`ser.deployment.folder`) holds is laid out as in a run's directory, so both are opened alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ser.audio.prepare import Preparation
from ser.chosen import build_trunk
from ser.errors import InputError
from ser.extend import CONFIG
from ser.fold import VALIDATION, find_folds
from ser.head.trunk import Trunk
from ser.language.heard import LANGUAGE
from ser.language.start import start_from
from ser.model import TrainedModel, load_model
from ser.results import CHECKPOINTS, read_json
from ser.runs import find_files, holds
from ser.trust import check_targets

NEEDED = (CONFIG, "run.json", CHECKPOINTS)
#: Parts of the configuration that objects are made of here.
MADE = ("backbone", "fusion", "finetune", "pooling", "head", "audio")
#: Of an export: its format, where its backbone's weights are, its temperatures.
EXPORT = "export.json"


@dataclass(frozen=True)
class OpenedRun:
    """A run as far as predictions need it.

    Attributes:
        folder: its directory, a copy of its artifacts, or an export.
        key: its identity.
        config: its configuration.
        accelerator: ``cpu``, or others for the accelerator that there is.
    """

    folder: Path
    key: str
    config: DictConfig
    accelerator: str = "auto"

    @classmethod
    def open(cls, run: str | Path, present: DictConfig | None = None, accelerator: str = "auto") -> OpenedRun:
        """The run with this id, key or directory, or the export in this folder.

        Args:
            run: see above.
            present: a configuration with ``tracking`` and ``paths``, to look up ids and keys; ``None``: the usual one.
            accelerator: see above.

        Raises:
            InputError: there is none that finished, or its configuration would run foreign code.
        """
        folder = find_folder(str(run), present, NEEDED)
        record = read_json(folder / "run.json")
        if record.get("state") != "finished":
            raise InputError(f"run={run}: it did not finish", remedy="run its command again")
        config = OmegaConf.load(folder / CONFIG)
        assert isinstance(config, DictConfig)
        if "dataset" not in config or "head" not in config:
            raise InputError(f"run={run}: it is no run of `ser train`", expected="a run that fitted a model")
        for name in MADE:
            check_targets(config.get(name, {}), f"{folder / CONFIG}: {name}")
        if OmegaConf.select(config, "choices.language", default="none") != "none" and not (folder / EXPORT).is_file():
            folder = find_folder(str(run), present, (*NEEDED, LANGUAGE))
        return cls(folder.absolute(), str(record["key"]), config, accelerator)

    @property
    def name(self) -> str:
        """For people: what it was made of, and its key."""
        made = self.config.get("choices") or {}
        words = [str(made[group]) for group in ("backbone", "finetune", "head") if group in made]
        return f"{' '.join(words)} ({self.key})"

    @property
    def exported(self) -> dict[str, Any]:
        """What an export says of itself; empty for a run."""
        return read_json(self.folder / EXPORT)

    @cached_property
    def folds(self) -> dict[str, Path]:
        """Folder of each fold by its name, in order.

        Raises:
            InputError: checkpoints are gone.
        """
        return find_folds(self.folder)

    def choose_folds(self, fold: str | None = None) -> list[str]:
        """All folds, or the one of this name or number.

        Raises:
            InputError: there is none.
        """
        if fold is None:
            return list(self.folds)
        numbers = {folder.name.removeprefix("fold-"): name for name, folder in self.folds.items()}
        name = fold if fold in self.folds else numbers.get(fold)
        if name is None:
            raise InputError(f"fold={fold}: the run has no such fold", expected=", ".join(self.folds))
        return [name]

    @cached_property
    def trunk(self) -> Trunk:
        """What lies under the heads, with the weights that they started from.

        Raises:
            InputError: weights that are no longer there, or no longer those that the run had.
        """
        config = self.config.copy()
        for key, place in self.exported.get("weights", {}).items():
            OmegaConf.update(config, f"backbone.{key}", str(self.folder / place))
        trunk = build_trunk(config)
        source = read_json(self.folder / LANGUAGE).get("source")
        if source:
            trunk = replace(trunk, backbone=start_from(trunk.backbone, source))
        self._check_weights(trunk)
        return trunk

    @cached_property
    def preparation(self) -> Preparation:
        """How files became waveforms."""
        return instantiate(self.config.audio)

    def load_model(self, fold: str) -> TrainedModel:
        """The model of a fold by name."""
        head = instantiate(self.config.head, class_weight=self.config.class_weight)
        return load_model(head, self.trunk, self.preparation, self.folds[fold], self.accelerator)

    def read_validated(self, folds: list[str]) -> pd.DataFrame:
        """Predictions of the validation parts of folds; empty where there were none."""
        paths = [path for fold in folds if (path := self.folds[fold] / VALIDATION).is_file()]
        tables = [table for table in map(pd.read_parquet, paths) if len(table)]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def _check_weights(self, trunk: Trunk) -> None:
        """Raise InputError where a checkpoint was exchanged since the run."""
        if self.exported.get("weights"):  # they are its own, under other names
            return
        had, has = (dict(list_weights(each)) for each in (read_json(self.folder / "backbone.json"), trunk.identify()))
        changed = [name for name, found in had.items() if has.get(name, found) != found]
        if changed:
            raise InputError(
                f"backbone.source={getattr(trunk.backbone, 'source', '')}: other weights than the run had",
                expected=f"those with the hash {had[changed[0]]}",
                remedy="bring the checkpoint back, or use an export, which holds its weights",
            )


def list_weights(described: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Hashes of checkpoints in what is said of a backbone, or of several by name; where they stand says whose."""
    for name, value in described.items() if isinstance(described, dict) else ():
        if name == "weights":
            yield place, str(value)
        elif name in ("audio", "text"):
            yield from list_weights(value, name)
        elif name == "identity":
            yield from list_weights(value, place)


def find_folder(run: str, present: DictConfig | None, names: tuple[str, ...]) -> Path:
    """The folder with these files of a run; see :func:`ser.runs.find_files`."""
    folder = Path(run).expanduser()
    if folder.is_dir() and holds(folder, names):
        return folder
    if present is None:
        from ser.config import compose

        present = compose([], "explain")
    return find_files(run, names, instantiate(present.tracking), Path(present.paths.cache))
