"""Loudness by ITU-R BS.1770, as an augmentation."""

from __future__ import annotations

import torch
from torch import Tensor

from ser.audio.loudness import ABSOLUTE_GATE, measure_loudness
from ser.augmentation.base import Transform


class Loudness(Transform):
    """The clip brought to a loudness. A clip below -70 LUFS, the standard's absolute gate, stays as it is.

    Samples may exceed 1, as speech at -12 LUFS does: nothing is clipped. (``audio.loudness`` prepares every clip, at
    test too, and stops at a peak; this one changes training clips only, and reaches its target.)

    Args:
        target: in LUFS.
        p: probability that a clip is transformed.
    """

    def __init__(self, target: float = -12.0, p: float = 1.0) -> None:
        self.target = target
        super().__init__(p)

    def transform(self, clip: Tensor, rate: int, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """Scale."""
        loudness = measure_loudness(clip.numpy(), rate)
        return clip * 10 ** ((self.target - loudness) / 20) if loudness > ABSOLUTE_GATE else clip
