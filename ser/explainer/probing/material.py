"""A finished run as probes see it: its clips, classes, speakers, folds and targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.explainer.embeddings import read_embeddings
from ser.explainer.probing.folds import divide, make_groups
from ser.explainer.probing.residuals import Residualiser, cross
from ser.explainer.probing.ridge import Division
from ser.explainer.probing.targets import Targets, read_targets
from ser.finished import FinishedRun


@dataclass(frozen=True, eq=False)
class LayerVectors:
    """Embeddings of all clips.

    Attributes:
        number: of the hidden state; ``None`` for functionals.
        names: of the dimensions [D].
        vectors: for each fold [N, D].
    """

    number: int | None
    names: list[str]
    vectors: list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Material:
    """All that probes of a run have in common.

    Attributes:
        finished: the run.
        frame: all its clips [N].
        emotions: its K classes, sorted.
        classes: number of each clip's class [N].
        speakers: number of its speaker [N].
        divisions: the folds.
        targets: of all clips.
    """

    finished: FinishedRun
    frame: pd.DataFrame
    emotions: tuple[str, ...]
    classes: np.ndarray
    speakers: np.ndarray
    divisions: list[Division]
    targets: Targets

    @classmethod
    def read(cls, finished: FinishedRun, functionals: str, columns: Sequence[str], inner: int) -> Material:
        """Of a finished run.

        Args:
            finished: the run.
            functionals: set of openSMILE; empty for none.
            columns: of the manifest, names or patterns.
            inner: inner folds.

        Raises:
            InputError: a run whose head predicts numbers, a split that speakers share, no targets.
        """
        frame = finished.corpus.manifest.frame.reset_index(drop=True)
        if finished.corpus.dimensions:
            raise InputError("explainer: probes rank dimensions by emotion", remedy="explain a run of emotions")
        divisions = divide(finished, frame, inner)
        emotions = tuple(sorted(set(frame["emotion"])))
        return cls(
            finished,
            frame,
            emotions,
            make_groups(frame["emotion"].to_numpy()),
            make_groups(frame["speaker"].to_numpy()),
            divisions,
            read_targets(finished, frame, functionals, columns),
        )

    @property
    def residualiser(self) -> Residualiser:
        """Takes class and speaker out."""
        return Residualiser(self.classes, self.speakers)

    @property
    def cells(self) -> np.ndarray:
        """Number of each clip's speaker and class together [N]."""
        return cross(self.speakers, self.classes)

    @property
    def sentences(self) -> np.ndarray | None:
        """Number of each clip's sentence [N], where sentences are known and repeat."""
        if "sentence" not in self.frame or self.frame["sentence"].isna().any():
            return None
        found = make_groups(self.frame["sentence"].to_numpy())
        return found if found.max() + 1 < len(found) else None

    def embed(self, layer: int | None, statistics: Sequence[str] | None) -> LayerVectors:
        """Embeddings of all clips as the network of each fold yields them; of a frozen one, the same for all folds."""
        if self.finished.trunk.trains:
            names = [division.name for division in self.divisions]
            found = [read_embeddings(self.finished, layer, statistics, name, "all") for name in names]
        else:
            found = [read_embeddings(self.finished, layer, statistics)] * len(self.divisions)
        return LayerVectors(found[0].layer, found[0].names, list(map(attrgetter("values"), found)))
