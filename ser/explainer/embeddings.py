"""Embeddings of a finished run's clips: any hidden state, pooled over time by any fixed statistics.

Those of a frozen backbone are the same in all folds; the feature store has them. A backbone that was trained is another
network in every fold, whose axes mean something else: its embeddings are read fold by fold, and go into the store under
the run's key and the fold's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ser.backbone.base import Layer
from ser.backbone.extract import Waveforms, fill_hidden
from ser.backbone.statistics import Statistics, read_vectors
from ser.backbone.store import FeatureStore
from ser.errors import InputError
from ser.finished import FinishedRun
from ser.gather import fill_store, read_features
from ser.head.reading import Reading

#: Which clips of a corpus: all, or those that a fold tested.
Clips = Literal["all", "held_out"]


@dataclass(frozen=True, eq=False)
class Embedded:
    """Clips as points.

    Attributes:
        frame: rows of the manifest, numbered from 0.
        values: [N, D], float32, in the order of the frame.
        names: of the dimensions [D]: those of functionals, or ``mean_17``.
        layer: the hidden state; ``None`` for functionals.
    """

    frame: pd.DataFrame
    values: np.ndarray
    names: list[str]
    layer: int | None = None


def read_embeddings(
    finished: FinishedRun,
    layer: int | None = None,
    statistics: Sequence[str] | None = None,
    fold: str | None = None,
    clips: Clips | None = None,
) -> Embedded:
    """Embeddings of the clips of a run, in the order of its manifest.

    Args:
        finished: the run.
        layer: a hidden state by number, from the last if negative; ``None``: that which the head reads. Of no use with
            functionals, which have none.
        statistics: over time, side by side; ``None``: those that the head reads.
        fold: whose network it is where the backbone was trained; its held-out clips where it was not.
        clips: ``all`` or those that the fold held out; by default the latter where a fold is named.

    Raises:
        InputError: a trained backbone without the name of a fold, a layer or statistic that there is not, a head that
            reads a learned mixture of layers while no layer is named.
    """
    trunk, fold = finished.trunk, choose_fold(finished, fold)
    frame = choose_clips(finished, fold, clips or ("held_out" if fold else "all"))
    if not trunk.backbone.frames:
        store = fill_store(finished.config, trunk, finished.corpus.preparation, frame)
        values = read_features(trunk, store, frame["digest"].tolist())
        return Embedded(frame, values, name_dimensions(trunk.backbone, values.shape[1], ()))
    chosen = choose_layer(trunk.reading, layer)
    kinds = tuple(statistics or trunk.reading.statistics or ("mean",))
    values = read_vectors(fill_states(finished, frame, fold), frame["digest"].tolist(), chosen, kinds)
    depth = count_layers(finished, fold)
    return Embedded(frame, values, name_dimensions(trunk.backbone, values.shape[1], kinds), chosen % depth)


def count_layers(finished: FinishedRun, fold: str | None = None) -> int:
    """Number of hidden states that there are to read; 0 of functionals."""
    if not finished.trunk.backbone.frames:
        return 0
    frame = finished.corpus.manifest.frame.iloc[:1]
    return len(fill_states(finished, frame, choose_fold(finished, fold)).read(frame["digest"].tolist())[0])


def fill_states(finished: FinishedRun, frame: pd.DataFrame, fold: str | None) -> FeatureStore:
    """The store with statistics of all hidden states of clips: of the frozen backbone, or of a fold's network."""
    if not finished.trunk.trains:
        return fill_hidden_states(finished, finished.trunk.backbone, frame)
    assert fold is not None
    return fill_hidden_states(finished, FittedBackbone(finished, fold), frame)


def fill_hidden_states(finished: FinishedRun, backbone: Any, frame: pd.DataFrame) -> FeatureStore:
    """The store with statistics of all hidden states of clips of a run, by any backbone of frames."""
    preparation = finished.corpus.preparation
    waveforms = Waveforms(frame, frame["digest"].tolist(), preparation, backbone.rate)
    root = Path(finished.config.paths.cache) / "features"
    return fill_hidden(backbone, waveforms, root, Statistics(), str(finished.config.trainer.accelerator))


class FittedBackbone:
    """The backbone of a fold's model as something that yields features.

    Args:
        finished: the run.
        fold: the fold by name.
        step: file of the weights of a step that was kept, in the fold's folder; "" for the model that was tested.
    """

    frames = True
    pretrained = True

    def __init__(self, finished: FinishedRun, fold: str, step: str = "") -> None:
        self.finished = finished
        self.fold = fold
        self.step = step
        self.rate = int(finished.trunk.backbone.rate)
        self.layer: Layer = -1

    def identify(self) -> dict[str, object]:
        """The run and the fold, on top of what the network started as."""
        own: dict[str, object] = {"run": self.finished.origin.key, "fold": self.fold}
        return {**self.finished.trunk.backbone.identify(), **own, **({"step": self.step} if self.step else {})}

    def build(self) -> Any:
        """The network as it was trained, or as it was at the step."""
        if not self.step:
            return self.finished.load_model(self.fold).network.backbone
        head: Any = self.finished.choices.head  # a network, since it was trained with its backbone
        return head.load(self.finished.folds[self.fold], self.finished.trunk, self.step).network.backbone


def choose_fold(finished: FinishedRun, fold: str | None) -> str | None:
    """The fold by name; the only one where a trained backbone has but one.

    Raises:
        InputError: no such fold, or a trained backbone with several while none is named.
    """
    names = list(finished.folds)
    if fold is not None and str(fold) not in names:
        raise InputError(f"fold {fold!r}: the run has no such fold", expected=", ".join(names))
    if fold is None and finished.trunk.trains:
        if len(names) > 1:
            raise InputError(
                f"embeddings of a trained backbone: the run has {len(names)} networks, whose axes differ",
                expected="the name of a fold: " + ", ".join(names),
            )
        return names[0]
    return None if fold is None else str(fold)


def choose_clips(finished: FinishedRun, fold: str | None, clips: Clips) -> pd.DataFrame:
    """Rows of the manifest: all, or those that a fold tested; of all folds where none is named."""
    frame = finished.corpus.manifest.frame
    if clips == "held_out":
        tested = finished.tested
        held = tested if fold is None else tested[tested["fold"] == fold]
        frame = frame[frame["clip"].isin(held["clip"])]
    return frame.reset_index(drop=True)


def choose_layer(reading: Reading, layer: int | None) -> int:
    """The layer asked for, or the one that the head reads.

    Raises:
        InputError: the head reads a mixture.
    """
    if layer is not None:
        return layer
    if reading.layer == "mix":
        raise InputError("layer: the head reads a learned mixture of all layers", expected="the number of one")
    return int(reading.layer)


def name_dimensions(backbone: Any, size: int, statistics: Sequence[str]) -> list[str]:
    """Names of functionals; of pooled frames their statistic and place."""
    if not statistics:
        names = list(getattr(backbone, "names", ()))
        return names if len(names) == size else [f"dim_{place}" for place in range(size)]
    each = size // len(statistics)
    return [f"{statistic}_{place}" for statistic in statistics for place in range(each)]
