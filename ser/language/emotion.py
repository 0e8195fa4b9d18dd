"""Weights that a run of ``ser train`` fine-tuned: intermediate training on another emotional corpus."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from ser.backbone.transformer import Transformer
from ser.corpus import make_dataset
from ser.errors import InputError
from ser.fold import DONE
from ser.language.heard import LANGUAGE, Heard, describe_heard, read_heard, write_heard
from ser.language.start import check_backbone, check_origin, start_from
from ser.results import CHECKPOINTS, read_json, write_json
from ser.runs import find_files
from ser.trust import check_targets

#: What carries the corpus's name where several corpora are read together.
NAMED = ("clip", "speaker")


class Emotion:
    """Starts from the backbone of a finished run of ``ser train`` that trained it.

    Args:
        run: id, key or directory of the run.
        fold: whose weights; those of each fold have heard other speakers.
        tracking: settings of the tracker that knows runs.
        cache: folder for the weights, as transformers keeps them.
        _: keys of the other choices.
    """

    def __init__(
        self, tracking: Mapping[str, Any], cache: str, run: str | None = None, fold: int = 0, **_: object
    ) -> None:
        if not run:
            raise InputError(
                "language=emotion: which weights?",
                expected="language.run=<id, key or directory of a finished `ser train` that trained its backbone>",
            )
        self.tracking = tracking
        self.cache = Path(cache)
        self.run = str(run)
        self.fold = fold

    @cached_property
    def folder(self) -> Path:
        """The run's directory, or what is needed of it."""
        needed = ["config.yaml", "run.json", "split.csv", f"{CHECKPOINTS}/fold-{self.fold}"]
        return find_files(self.run, needed, instantiate(self.tracking), self.cache, "language.run")

    @cached_property
    def config(self) -> DictConfig:
        """The run's configuration."""
        config = OmegaConf.load(self.folder / "config.yaml")
        assert isinstance(config, DictConfig)
        return config

    @property
    def key(self) -> str:
        """The run's key."""
        return read_json(self.folder / "run.json")["key"]

    def list_heard(self, backbone: Any) -> list[Heard]:
        """Clips of the fold's training and validation speakers, and what that run itself started from."""
        check_backbone(backbone, "language=emotion", Transformer)
        if not make_own(self.config.finetune).trains:
            raise InputError(
                f"language.run={self.run}: that run did not train its backbone",
                expected="a run of `ser train` with finetune=full, last_k, lora, …",
            )
        check_origin(backbone, make_own(self.config.backbone).identify(), f"language.run={self.run}")
        trained = describe_heard(f"{self.key} fold {self.fold}", self.list_trained())
        return [*read_heard(self.folder), *trained]

    def list_trained(self) -> pd.DataFrame:
        """Manifest rows of all speakers of the fold's training and validation parts.

        Raises:
            InputError: the run's corpus is not there, so that its clips could not be compared.
        """
        split = pd.read_csv(self.folder / "split.csv", dtype=str)
        fold = read_json(self.folder / CHECKPOINTS / f"fold-{self.fold}" / DONE)["fold"]
        rows = split[split["fold"] == fold]
        trained, tested = rows[rows["part"] != "test"], set(rows.loc[rows["part"] == "test", "clip"])
        corpora = self.config.data.get("corpora")
        frames = []
        for name, settings in (corpora or {"": self.config.dataset}).items():
            manifest = make_dataset(check_own(settings)).load()
            names = (
                manifest.frame[column].map(lambda own, name=name: f"{name}/{own}" if name else own) for column in NAMED
            )
            clips, speakers = names
            # A split without training rows means: every clip that has no row in the fold.
            listed = set(trained["speaker"]) if (split["part"] == "train").any() else set(speakers[~clips.isin(tested)])
            frames.append(manifest.frame[speakers.isin(listed)].assign(dataset=name or manifest.name))
        return pd.concat(frames, ignore_index=True)

    def apply(self, backbone: Any) -> Any:
        """The backbone with these weights."""
        from ser.train import hold

        folder = (self.cache / "language" / f"{self.key}-fold-{self.fold}").absolute()
        with hold(folder.with_suffix(".lock")):
            if not (folder / LANGUAGE).is_file():
                with TemporaryDirectory(dir=folder.parent) as temporary:
                    self.save(Path(temporary) / "model", backbone)
                    (Path(temporary) / "model").rename(folder)
        return start_from(backbone, folder)

    def save(self, folder: Path, backbone: Any) -> None:
        """Write the trained encoder, adapters merged, and what it has heard."""
        import torch

        from ser.head.network import WEIGHTS
        from ser.language.folder import load_trained, merge_adapters, save_encoder

        started = read_json(self.folder / LANGUAGE).get("source")
        own = make_own(self.config.backbone)
        policy = make_own(self.config.finetune)
        begun = start_from(own, started) if started else own
        network = policy.apply(begun.build())
        saved = torch.load(self.folder / CHECKPOINTS / f"fold-{self.fold}" / WEIGHTS, weights_only=True)
        mine = {name.removeprefix("backbone."): value for name, value in saved.items() if name.startswith("backbone.")}
        load_trained(network, mine, self.run)
        settings = begun.checkpoint.read_preprocessor() if begun.checkpoint else {}
        save_encoder(merge_adapters(network), settings, folder)
        write_json(folder / LANGUAGE, {"key": self.key, "heard": write_heard(self.list_heard(backbone))})


def make_own(settings: Any) -> Any:
    """The object that a part of a run's configuration names."""
    return instantiate(check_own(settings))


def check_own(settings: Any) -> Any:
    """The settings, if they only name what may be created of a run's configuration.

    Raises:
        InputError: they name anything else.
    """
    check_targets(settings, "language.run: its config.yaml")
    return settings
