"""A clip whose prediction is explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Clip:
    """What explainers, and those who score them, know of a clip.

    Attributes:
        clip: its id in the manifest.
        dataset: name of its corpus.
        speaker: of the clip.
        true: emotion that was felt, or acted.
        predicted: emotion that the model names.
        inputs: as the subject encodes it [1, …].
        classes: index of the explained emotion among the subject's [1].
        waveform: prepared, at the subject's rate [T].
        offset: when its first sample happens, in s on the time axis of the file.
        row: its row of the manifest.
    """

    clip: str
    dataset: str
    speaker: str
    true: str
    predicted: str
    inputs: Tensor
    classes: Tensor
    waveform: np.ndarray
    offset: float
    row: Mapping[str, Any]
