"""What a head is given: the clips of one part of one fold, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from ser.audio.prepare import Preparation
from ser.errors import InputError
from ser.head.pair import PairedFeatures

if TYPE_CHECKING:
    from ser.augmentation.base import Augmentation
    from ser.head.trunk import Trunk
    from ser.training.fit import Training


@dataclass(frozen=True)
class Part:
    """Clips of a training, validation or test part.

    Attributes:
        frame: their manifest rows.
        samples: length of each prepared waveform [N].
        features: of a frozen backbone: vectors [N, D], or [N, L, D] of all layers, or an object array [N] of frames
            [F, D] or [F, L, D]; ``None`` where the backbone is trained and reads audio; of two backbones by modality.
        preparation: how files become waveforms.
        targets: what to predict where that is numbers, from :func:`read_targets` [N, D]; ``None``: the emotion.
        dimensions: names of the targets' columns; none where the emotion is predicted.
    """

    frame: pd.DataFrame
    samples: np.ndarray
    features: np.ndarray | PairedFeatures | None
    preparation: Preparation
    targets: np.ndarray | None = None
    dimensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.frame), len(self.dimensions)) if self.dimensions else None
        if shape != (None if self.targets is None else self.targets.shape):
            raise ValueError(f"targets of {len(self.frame)} clips do not fit the dimensions {self.dimensions}")

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def matrix(self) -> np.ndarray:
        """Features that are one vector a clip [N, D]; of two backbones side by side."""
        assert self.features is not None
        return self.features.join() if isinstance(self.features, PairedFeatures) else self.features

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
        targets = None if self.targets is None else self.targets[rows]
        return Part(self.frame.iloc[rows], self.samples[rows], features, self.preparation, targets, self.dimensions)


def join_parts(parts: Sequence[Part]) -> Part:
    """Parts one after the other; they share how files are read and what is predicted."""
    first = parts[0]
    if len(parts) == 1:
        return first

    def stack(arrays: Sequence[Any]) -> Any:
        if isinstance(arrays[0], PairedFeatures):
            return PairedFeatures.stack(arrays)
        return None if arrays[0] is None else np.concatenate(arrays)

    return replace(
        first,
        frame=pd.concat([part.frame for part in parts], ignore_index=True),
        samples=np.concatenate([part.samples for part in parts]),
        features=stack([part.features for part in parts]),
        targets=stack([part.targets for part in parts]),
    )


def read_targets(frame: pd.DataFrame, dimensions: Sequence[str]) -> np.ndarray:
    """Ratings [N, D] of clips from the columns of their manifest.

    Raises:
        InputError: no such column, a clip without a rating, a rating that is no number, or the same for all clips.
    """
    columns = []
    for name in dimensions:
        if name not in frame:
            numbers = frame.select_dtypes("number").columns.drop(["start", "end", "age"], errors="ignore")
            raise InputError(
                f"dataset.target: the corpus has no column {name!r}",
                expected="some of its columns with numbers: " + (", ".join(map(str, numbers)) or "there is none"),
                remedy="choose a corpus with ratings, or map your table's columns with dataset.columns.<name>=<column>",
            )
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            clips = ", ".join(frame["clip"].iloc[wrong[:5]].astype(str)) + (" …" if len(wrong) > 5 else "")
            raise InputError(
                f"dataset.target: {name} is missing or no number for {len(wrong)} of {len(frame)} clips: {clips}",
                remedy="leave clips without a rating out of the corpus table",
            )
        if np.ptp(values) == 0:
            raise InputError(
                f"dataset.target: {name} is {values[0]:g} for all {len(values)} clips", remedy="leave it out"
            )
        columns.append(values)
    return np.column_stack(columns)


def find_spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation [D] of values [N, D]; 1 in place of the deviation of a constant."""
    exact = values.astype(np.float64)
    mean, deviation = exact.mean(axis=0), exact.std(axis=0)
    varies = deviation > 1e-8 * np.maximum(1, np.abs(mean))
    return mean, np.where(varies, deviation, 1)


def find_frame_spread(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`find_spread` over the frames of all clips; one clip at a time, for they may lie on disk.

    Means and sums of squares are joined as Chan, Golub and LeVeque (1983) do.
    """
    count, mean, squares = 0, np.zeros(features[0].shape[1:]), np.zeros(features[0].shape[1:])
    for clip in features:
        frames = np.asarray(clip, dtype=np.float64)
        own, joint = frames.mean(0), count + len(frames)
        squares += np.square(frames - own).sum(0) + np.square(own - mean) * (count * len(frames) / joint)
        mean += (own - mean) * (len(frames) / joint)
        count = joint
    deviation = np.sqrt(squares / count)
    return mean, np.where(deviation > 1e-8 * np.maximum(1, np.abs(mean)), deviation, 1)


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


@dataclass(frozen=True)
class Values:
    """What a model of dimensions says of N clips.

    Attributes:
        dimensions: names of the D columns.
        predicted: in the unit of the ratings [N, D].
    """

    dimensions: tuple[str, ...]
    predicted: np.ndarray


class Model(Protocol):
    """A fitted head, with whatever it was fitted on top of; one of ``emotions`` and ``dimensions`` is empty."""

    emotions: tuple[str, ...]
    dimensions: tuple[str, ...]

    def predict(self, part: Part) -> Predictions | Values:
        """Predictions for all clips of a part, in order."""

    def save(self, folder: Path) -> None:
        """Write what :meth:`Head.load` needs."""


@dataclass(frozen=True)
class Workspace:
    """What a fit may use besides its data.

    Attributes:
        folder: where checkpoints go, and where an interrupted fit left its own.
        trunk: what lies under the head; it builds a network anew, so that no fold starts from another's weights.
        training: how networks are trained; ``None`` for heads that are not.
        log_epoch: takes the metrics of an epoch and its number.
        augmentation: varies what a trained backbone hears, or ``None``.
    """

    folder: Path
    trunk: Trunk
    training: Training | None
    log_epoch: Callable[[Mapping[str, float], int], None]
    augmentation: Augmentation | None = None


class Head(Protocol):
    """A classifier or a regressor to be fitted."""

    uses_trainer: bool

    def check(self, trunk: Trunk) -> None:
        """Raise InputError where this head cannot work on what the trunk yields."""

    def check_target(self, dimensions: Sequence[str]) -> None:
        """Raise InputError unless this head can predict these dimensions; none means emotions."""

    def fit(self, train: Part, validation: Part | None, workspace: Workspace) -> Model:
        """Fit on the training part; the validation part, if any, only chooses."""

    def load(self, folder: Path, trunk: Trunk) -> Model:
        """A model as it was saved."""
