"""openSMILE as a network of frames: it has no weights and no gradients."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ser.backbone.base import Tokens
from ser.backbone.functionals import make_smile

#: Seconds between frames of all of openSMILE's feature sets.
STEP = 0.01


class DescriptorNetwork(nn.Module):
    """Waveforms to low-level descriptors.

    Args:
        feature_set: name in ``opensmile.FeatureSet``.
        rate: sampling rate in Hz.
        dim: number of descriptors.
    """

    depth = 1

    def __init__(self, feature_set: str, rate: int, dim: int) -> None:
        super().__init__()
        self.feature_set = feature_set
        self.rate = rate
        self.dim = dim
        self._local = threading.local()  # an openSMILE object serves one thread at a time

    def __getstate__(self) -> dict[str, Any]:
        """Without openSMILE's objects, which cannot be copied."""
        return {name: value for name, value in self.__dict__.items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """With none yet."""
        super().__setstate__(state)
        self._local = threading.local()

    @property
    def tokens(self) -> Tokens:
        """Centres of the frames."""
        return Tokens(STEP, STEP)

    @property
    def front_end(self) -> Sequence[nn.Module]:
        """None: there are no weights."""
        return ()

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """None."""
        return ()

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Waveforms [B, T] with lengths [B] in samples to the one hidden state [B, F, dim] with lengths [B]."""
        pairs = zip(waveforms.detach().cpu().numpy(), lengths.tolist(), strict=True)
        clips = [torch.from_numpy(self.describe(wave[:length])) for wave, length in pairs]
        frames = torch.tensor([len(clip) for clip in clips], device=waveforms.device)
        return [pad_sequence(clips, batch_first=True).to(waveforms.device)], frames

    def describe(self, waveform: np.ndarray) -> np.ndarray:
        """Descriptors [F, dim] of a waveform [T]; no frame of one that is too short."""
        if not hasattr(self._local, "smile"):
            self._local.smile = make_smile(self.feature_set, "LowLevelDescriptors")
        table = self._local.smile.process_signal(waveform, self.rate).to_numpy(dtype=np.float32)
        return np.ascontiguousarray(table[np.isfinite(table).all(1)])
