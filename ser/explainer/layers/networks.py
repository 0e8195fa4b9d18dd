"""The networks of runs at several points of their training, and hidden states of clips as they yield them.

A frozen backbone is one network, ``pretrained``. One that was fine-tuned is another in every fold: as it started, at
each step whose weights were kept (``trainer.keep_checkpoints``), and as it was tested (``final``; with early stopping
that is the best epoch, which may lie before the last steps).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser.backbone.statistics import find_layer, read_vectors
from ser.errors import InputError
from ser.explainer.embeddings import FittedBackbone, count_layers, fill_hidden_states
from ser.finished import FinishedRun

log = logging.getLogger(__name__)

PRETRAINED, FINAL = "pretrained", "final"
#: Where a fold keeps the weights of steps, as :class:`ser.training.callbacks.Snapshots` names them.
STEPS = "steps/step-*.ckpt"


@dataclass(frozen=True, eq=False)
class Network:
    """A network of a run; of a run that was fine-tuned, those of all folds at the same point.

    Attributes:
        finished: the run.
        run: what it is called in tables.
        checkpoint: ``pretrained``, ``step 50``, ``final``.
        path: of the weights below a fold's folder; ``""`` for the model that was tested, ``None`` before training.
        layers: numbers of the hidden states that are looked at.
        statistics: over time.
    """

    finished: FinishedRun
    run: str
    checkpoint: str
    path: str | None
    layers: tuple[int, ...]
    statistics: tuple[str, ...]

    @property
    def trained(self) -> bool:
        """Whether it is another in every fold."""
        return self.path is not None

    def embed(self, frame: pd.DataFrame, fold: str, layer: int) -> np.ndarray:
        """Vectors [N, D] of clips in one layer, float32."""
        return read_vectors(self._fill(frame, fold), frame["digest"].tolist(), layer, self.statistics)

    def read(self, frame: pd.DataFrame, fold: str) -> Iterator[np.ndarray]:
        """Vectors [N, D] of clips in each layer that is looked at."""
        found = read_vectors(self._fill(frame, fold), frame["digest"].tolist(), "mix", self.statistics)
        yield from found.transpose(1, 0, 2)[list(self.layers)]

    def _fill(self, frame: pd.DataFrame, fold: str) -> Any:
        backbone = self.finished.trunk.backbone if self.path is None else FittedBackbone(self.finished, fold, self.path)
        return fill_hidden_states(self.finished, backbone, frame)


def list_networks(
    finished: FinishedRun,
    run: str,
    layers: Sequence[int] | str,
    statistics: Sequence[str] | None,
    checkpoints: Sequence[int] | str,
) -> list[Network]:
    """All networks of a run that are looked at, in the order of training.

    Args:
        finished: the run.
        run: what it is called.
        layers: numbers of hidden states, or ``all``.
        statistics: over time; ``None``: those that the head reads, else the mean.
        checkpoints: steps, or ``all``.

    Raises:
        InputError: layers or steps that there are not.
    """
    depth = count_layers(finished, next(iter(finished.folds)))
    numbers = range(depth) if layers == "all" else dict.fromkeys(find_layer(int(layer), depth) for layer in layers)
    kinds = tuple(statistics or finished.trunk.reading.statistics or ("mean",))
    paths: dict[str, str | None] = {PRETRAINED: None}
    if finished.trunk.trains:
        if not finished.trunk.backbone.pretrained:
            paths.clear()  # random weights that nobody kept
        steps = choose_steps(find_steps(finished), checkpoints)
        paths |= {f"step {step}": str(Path(STEPS).with_name(f"step-{step:06d}.ckpt")) for step in steps}
        paths[FINAL] = ""
    return [Network(finished, run, name, path, tuple(numbers), kinds) for name, path in paths.items()]


def find_steps(finished: FinishedRun) -> list[int]:
    """Steps whose weights all folds kept; says so where some folds kept more."""
    each = [{int(path.stem.partition("-")[2]) for path in folder.glob(STEPS)} for folder in finished.folds.values()]
    common = set.intersection(*each)
    if more := set.union(*each) - common:
        log.warning("steps that not every fold kept are left out: %s", ", ".join(map(str, sorted(more))))
    return sorted(common)


def choose_steps(known: Sequence[int], wanted: Sequence[int] | str) -> list[int]:
    """Those that are wanted of the steps that there are.

    Raises:
        InputError: a step that there is not.
    """
    if wanted == "all":
        return list(known)
    if missing := [step for step in wanted if step not in known]:
        raise InputError(
            f"explainer.checkpoints={list(wanted)}: no weights of step {missing[0]}",
            expected=", ".join(map(str, known)) or "none: the run kept no steps",
            remedy="train with trainer.keep_checkpoints={every_n_steps: 50}",
        )
    return sorted(int(step) for step in wanted)
