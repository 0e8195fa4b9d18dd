"""A finished run taken up again: its configuration, its clips, what it said of them, and its models by fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig, OmegaConf, open_dict

from ser.chosen import Choices
from ser.corpus import Corpus, read_corpora
from ser.errors import InputError
from ser.extend import PRESENT, Origin
from ser.fold import TEST, VALIDATION, find_folds
from ser.head.trunk import Trunk
from ser.language.start import choose_weights
from ser.model import TrainedModel, load_model
from ser.older import complete_older, name_missing


@dataclass(frozen=True)
class FinishedRun:
    """A run of ``ser train``.

    Attributes:
        origin: where it is and what it is called.
        config: its configuration, with paths and tracking of the present.
        choices: the objects that this names.
    """

    origin: Origin
    config: DictConfig
    choices: Choices

    @classmethod
    def open(cls, run: str, present: DictConfig) -> FinishedRun:
        """The run with this id, key or directory.

        Args:
            run: see above.
            present: a configuration with ``tracking`` and ``paths``.

        Raises:
            InputError: there is none that finished, its configuration would run foreign code, or lacks something.
        """
        origin = Origin.find(run, present)
        config = complete_older(origin.config)
        with open_dict(config):
            for name in PRESENT:
                if name in present:
                    value = present[name]
                    config[name] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        with name_missing(run):
            return cls(origin, config, Choices.build(config))

    @cached_property
    def corpus(self) -> Corpus:
        """Its clips, each file read once to see that it is there."""
        return read_corpora(self.config, self.choices.preparation, self.choices.trunk.backbone.rate)

    @cached_property
    def folds(self) -> dict[str, Path]:
        """Folder of each fold by its name.

        Raises:
            InputError: checkpoints are gone.
        """
        return find_folds(self.origin.folder)

    @cached_property
    def tested(self) -> pd.DataFrame:
        """Predictions of the test parts, a row a clip, with its place in its file."""
        return self._locate(TEST)

    @cached_property
    def validated(self) -> pd.DataFrame:
        """Predictions of the validation parts; empty where there was none."""
        return self._locate(VALIDATION)

    @cached_property
    def trunk(self) -> Trunk:
        """What lies under the heads, with the weights that they started from."""
        frame = self.corpus.manifest.frame
        tested = frame[frame["clip"].isin(self.tested["clip"])]
        backbone, _ = choose_weights(self.choices.language, self.choices.trunk.backbone, tested)
        return replace(self.choices.trunk, backbone=backbone)

    def load_model(self, fold: str) -> TrainedModel:
        """The model of a fold by name."""
        accelerator = str(self.config.trainer.accelerator)
        return load_model(self.choices.head, self.trunk, self.corpus.preparation, self.folds[fold], accelerator)

    def _locate(self, name: str) -> pd.DataFrame:
        tables = [pd.read_parquet(path) for folder in self.folds.values() if (path := folder / name).is_file()]
        tables = [table for table in tables if len(table)]
        if not tables:
            return pd.DataFrame()
        said = pd.concat(tables, ignore_index=True)
        frame = self.corpus.manifest.frame
        if "source" in frame:
            raise InputError(
                f"{self.origin.folder}: its clips were cut into windows, and a decision is a mean over them",
                remedy="explain a run without audio/duration=chunk",
            )
        keep = ["dataset", "clip", *frame.columns.difference(said.columns)]
        missing = set(said["clip"]) - set(frame["clip"])
        if missing:
            raise InputError(
                f"{self.config.dataset.get('root', 'the corpus')}: clips of the run are no longer there: "
                + ", ".join(sorted(missing)[:5]),
                remedy="point data.roots or dataset.root to the copy that the run was made on",
            )
        return said.merge(frame[keep], on=["dataset", "clip"], how="left", validate="many_to_one")
