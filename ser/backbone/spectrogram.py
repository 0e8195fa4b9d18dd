"""Spectrograms as inputs of their own: networks that read one say where its cells lie in time and frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ser.backbone.base import FrameNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, eq=False)
class SpectrogramGrid:
    """Where the cells of a spectrogram lie; frame ``i`` is centred at ``i * step``.

    Attributes:
        step: between frames, in s.
        freqs: centre of each band in Hz [M].
        silence: value of a cell in which there is nothing.
    """

    step: float
    freqs: np.ndarray
    silence: float


@runtime_checkable
class SpectrogramNetwork(FrameNetwork, Protocol):
    """A :class:`~ser.backbone.base.FrameNetwork` in two steps: ``listen(*look(waveforms, lengths))`` is its forward."""

    @property
    def grid(self) -> SpectrogramGrid:
        """Where the cells of its spectrograms lie."""

    def look(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms [B, T] and lengths [B] in samples to spectrograms [B, M, F] and lengths [B] in frames."""

    def listen(self, mel: Tensor, frames: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        """Spectrograms [B, M, F] with lengths [B] in frames to hidden states [B, F', D] and lengths [B]."""


def find_centres(spectrogram: Any) -> np.ndarray:
    """Centre of each band [M] in Hz of torchaudio's ``MelSpectrogram``."""
    return weigh_centres(spectrogram.mel_scale.fb, spectrogram.sample_rate)


def weigh_centres(filters: Tensor, rate: int) -> np.ndarray:
    """Centre of mass of each filter of a bank [bins, M], in Hz.

    A filter so narrow that it meets no bin lies between its neighbours.
    """
    hertz = torch.linspace(0, rate / 2, len(filters), dtype=torch.float64)
    weight = filters.double().sum(0)
    centres = ((filters.double() * hertz[:, None]).sum(0) / weight).numpy()
    empty = weight.numpy() == 0
    places = np.arange(len(centres))
    centres[empty] = np.interp(places[empty], places[~empty], centres[~empty])
    return centres
