"""What a head is given: the clips of one part of one fold, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from ser.audio.prepare import Preparation

if TYPE_CHECKING:
    from ser.training.fit import Training


@dataclass(frozen=True)
class Part:
    """Clips of a training, validation or test part.

    Attributes:
        frame: their manifest rows.
        samples: length of each prepared waveform [N].
        features: functionals [N, D] of a frozen backbone; ``None`` where the backbone is trained and reads audio.
        preparation: how files become waveforms.
    """

    frame: pd.DataFrame
    samples: np.ndarray
    features: np.ndarray | None
    preparation: Preparation

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def emotions(self) -> np.ndarray:
        """True emotion of each clip [N]."""
        return self.frame["emotion"].to_numpy(dtype=str)

    @property
    def speakers(self) -> np.ndarray:
        """Speaker of each clip [N]."""
        return self.frame["speaker"].to_numpy(dtype=str)

    def take(self, rows: np.ndarray) -> Part:
        """Some of the clips, by position."""
        features = None if self.features is None else self.features[rows]
        return Part(self.frame.iloc[rows], self.samples[rows], features, self.preparation)


@dataclass(frozen=True)
class Predictions:
    """What a model says of N clips.

    Attributes:
        emotions: its K emotions, sorted.
        predicted: the emotion it names for each clip [N].
        probabilities: [N, K], rows sum to 1.
    """

    emotions: tuple[str, ...]
    predicted: np.ndarray
    probabilities: np.ndarray


class Model(Protocol):
    """A fitted head, with whatever it was fitted on top of."""

    emotions: tuple[str, ...]

    def predict(self, part: Part) -> Predictions:
        """Predictions for all clips of a part, in order."""

    def save(self, folder: Path) -> None:
        """Write what :meth:`Head.load` needs."""


@dataclass(frozen=True)
class Workspace:
    """What a fit may use besides its data.

    Attributes:
        folder: where checkpoints go, and where an interrupted fit left its own.
        make_backbone: builds the backbone anew, so that no fold starts from another's weights.
        training: how networks are trained; ``None`` for heads that are not.
        log_epoch: takes the metrics of an epoch and its number.
    """

    folder: Path
    make_backbone: Callable[[], Any]
    training: Training | None
    log_epoch: Callable[[Mapping[str, float], int], None]


class Head(Protocol):
    """A classifier to be fitted."""

    uses_trainer: bool

    def check(self, backbone: Any) -> None:
        """Raise InputError where this head and this backbone cannot work together."""

    def fit(self, train: Part, validation: Part | None, workspace: Workspace) -> Model:
        """Fit on the training part; the validation part, if any, only chooses."""

    def load(self, folder: Path, make_backbone: Callable[[], Any]) -> Model:
        """A model as it was saved."""
