"""Clips as points in each layer of a run, and which of them make the space that the others are looked at in.

Hidden states of a frozen backbone are the same whoever trained the head: the tested speakers are divided into halves
at random, several times, and each half is looked at in the space of all other speakers' clips. A network that was
fine-tuned, and the layers of a head, are others in every fold: there the clips of a fold's test part are looked at in
the space of its training part.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.explainer.embeddings import count_layers, read_embeddings
from ser.explainer.probing.folds import divide, make_groups
from ser.finished import FinishedRun
from ser.gather import gather_clips
from ser.head.fused_trunk import FusedTrunk
from ser.head.trunk import Trunk

log = logging.getLogger(__name__)

VALUES = attrgetter("values")
#: Times that speakers are halved.
HALVINGS = 5
#: Layers that are no hidden states of a backbone.
FUNCTIONALS, EMBEDDING, OUTPUT = "functionals", "embedding", "output"
#: Kinds of layers from the bottom up; those of networks of several sizes stand side by side.
KINDS = (FUNCTIONALS, "layer", EMBEDDING, "head", OUTPUT)


@dataclass(frozen=True, eq=False)
class Division:
    """Clips that make a space, and clips of other speakers that are looked at in it, by row number.

    Attributes:
        name: of the fold, or of the half.
        fit: row numbers.
        held: row numbers; their speakers have no clip among ``fit``.
    """

    name: str
    fit: np.ndarray
    held: np.ndarray


@dataclass(frozen=True, eq=False)
class Place:
    """A layer.

    Attributes:
        name: ``layer 3``, ``head 1``, ``output``, …
        order: from the bottom.
        vectors: of all clips [N, D], for each division.
    """

    name: str
    order: int
    vectors: Sequence[np.ndarray]


@dataclass(frozen=True, eq=False)
class Points:
    """A run's clips.

    Attributes:
        finished: the run.
        frame: all its clips [N].
        emotions: its K classes, sorted.
        classes, speakers: their numbers [N].
        by_fold: whether divisions are the run's folds.
        divisions: see :class:`Division`.
        head: whether layers of the head are looked at.
    """

    finished: FinishedRun
    frame: pd.DataFrame
    emotions: tuple[str, ...]
    classes: np.ndarray
    speakers: np.ndarray
    by_fold: bool
    divisions: list[Division]
    head: bool

    @classmethod
    def read(cls, finished: FinishedRun, head: bool, seed: int) -> Points:
        """Of a finished run.

        Args:
            finished: the run.
            head: whether to look at the layers of a head that is a network.
            seed: of the halves.

        Raises:
            InputError: a run whose head predicts numbers, or that tested one speaker and trained on none.
        """
        if finished.corpus.dimensions:
            raise InputError("explainer=overlap: the run predicts numbers, there are no classes that overlap")
        frame = finished.corpus.manifest.frame.reset_index(drop=True)
        heads = head and finished.choices.head.uses_trainer
        by_fold = finished.trunk.trains or heads
        speakers = make_groups(frame["speaker"].to_numpy())
        if by_fold:
            divisions = [Division(one.name, one.train, one.test) for one in divide(finished, frame)]
            warn_of_lone(divisions, speakers)
        else:
            divisions = halve(frame, finished.tested, speakers, seed)
        emotions = tuple(sorted(set(frame["emotion"])))
        classes = make_groups(frame["emotion"].to_numpy())
        return cls(finished, frame, emotions, classes, speakers, by_fold, divisions, heads)

    def check(self, least: int) -> None:
        """Raise InputError unless two classes have enough clips in some division."""
        for one in self.divisions:
            if (np.bincount(self.classes[one.held]) >= least).sum() > 1:
                return
        raise InputError(
            f"explainer=overlap: nowhere do two emotions have {least} held-out clips that are looked at together",
            expected="folds that test more clips" if self.by_fold else "more tested clips",
            remedy="explain a run with fewer folds, or pass explainer.least=2",
        )

    def list_places(self, layers: Sequence[int] | str, statistics: Sequence[str] | None) -> Iterator[Place]:
        """Layers from the bottom to the output.

        Args:
            layers: hidden states by number, or ``all``.
            statistics: over time; ``None``: those that the head reads.
        """
        order = 0
        for name, vectors in self._read_backbone(layers, statistics):
            yield Place(name, order, vectors)
            order += 1
        for name, vectors in self._read_head():
            yield Place(name, order, vectors)
            order += 1

    def _read_backbone(
        self, layers: Sequence[int] | str, statistics: Sequence[str] | None
    ) -> Iterator[tuple[str, Sequence[np.ndarray]]]:
        trunk = self.finished.trunk
        if not shows_backbone(trunk):
            return
        if not trunk.backbone.frames:
            yield FUNCTIONALS, [VALUES(read_embeddings(self.finished))] * len(self.divisions)
            return
        depth = count_layers(self.finished, next(iter(self.finished.folds)))
        for layer in range(depth) if layers == "all" else map(int, layers):
            kinds = statistics or trunk.reading.statistics or ("mean",)
            if trunk.trains:
                each = [read_embeddings(self.finished, layer, kinds, one.name, "all") for one in self.divisions]
            else:
                each = [read_embeddings(self.finished, layer, kinds)] * len(self.divisions)
            yield f"layer {each[0].layer}", list(map(VALUES, each))

    def _read_head(self) -> Iterator[tuple[str, Sequence[np.ndarray]]]:
        finished = self.finished
        shown = shows_backbone(finished.trunk)
        if not self.head and shown:
            return
        choices = replace(finished.choices, trunk=finished.trunk)
        part = gather_clips(finished.config, choices, finished.corpus, self.frame)
        if not self.head:
            yield EMBEDDING, [np.asarray(part.features)] * len(self.divisions)
            return
        from ser.explainer.overlap.head import read_head

        each = [read_head(finished.load_model(one.name).head, part) for one in self.divisions]
        for name in each[0]:
            if name != EMBEDDING or finished.trunk.reading.learns or not shown:
                yield name, [own[name] for own in each]


def rank_layer(name: str) -> tuple[int, int]:
    """Where a layer stands among those of all models."""
    kind, _, number = name.partition(" ")
    return KINDS.index(kind), int(number or 0)


def shows_backbone(trunk: Trunk) -> bool:
    """Whether there are vectors of what lies under the head: of one network that hears, or of functionals."""
    return not (trunk.reads_text or isinstance(trunk, FusedTrunk))


def check_places(trunk: Trunk, head: Any, wanted: bool) -> None:
    """Raise InputError where there is nothing to look at: two branches under a head without layers."""
    if isinstance(trunk, FusedTrunk) and not (head.uses_trainer and wanted):
        raise InputError(
            "explainer=overlap: two branches are fused inside a head that is a network, and there is none to look at",
            remedy="head=linear or head=mlp, with explainer.head=true; or explain a run of one branch",
        )


def halve(frame: pd.DataFrame, tested: pd.DataFrame, speakers: np.ndarray, seed: int) -> list[Division]:
    """Halves of the tested speakers, drawn :data:`HALVINGS` times; a space has all clips of speakers outside the half.

    Raises:
        InputError: nobody is left to make a space of.
    """
    clips = pd.MultiIndex.from_frame(tested[["dataset", "clip"]])
    held = pd.MultiIndex.from_frame(frame[["dataset", "clip"]]).isin(clips)
    names, rng, found = np.unique(speakers[held]), np.random.default_rng(seed), []
    for number in range(HALVINGS if len(names) > 1 else 1):
        for side, half in enumerate(np.array_split(rng.permutation(names), min(2, len(names)))):
            inside = np.isin(speakers, half)
            if inside.all():
                raise InputError("explainer=overlap: one speaker is all there is", expected="two speakers or more")
            name = f"half {number + 1}{'ab'[side]}"
            found.append(Division(name, np.flatnonzero(~inside), np.flatnonzero(inside & held)))
    return found


def warn_of_lone(divisions: Sequence[Division], speakers: np.ndarray) -> None:
    """Say so where folds test one speaker each: classes then overlap within speakers, not over them."""
    if any(len(np.unique(speakers[one.held])) > 1 for one in divisions):
        return
    log.warning(
        "each fold tests one speaker: what is measured is how far the classes of one speaker overlap. A run with "
        "split=kfold split.folds=2, or explainer.head=false where the backbone is frozen, shows several at once"
    )
