"""Masks on the waveform: a stretch of time, or a band of frequencies, is silenced; everything else stays."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ser.augmentation.base import Transform, draw, draw_integer


class TimeMask(Transform):
    """A stretch of the clip becomes silence.

    Args:
        min_share: of the clip's length, 0 to 1.
        max_share: of the clip's length.
        fade: in s, at both ends inside the stretch (at most a quarter of it each), so that the cuts do not click.
        p: probability that a clip is transformed.
    """

    def __init__(self, min_share: float = 0.1, max_share: float = 0.2, fade: float = 0.005, p: float = 1.0) -> None:
        self.min_share = min_share
        self.max_share = max_share
        self.fade = fade
        super().__init__(p)

    def transform(self, clip: Tensor, rate: int, generator: torch.Generator) -> Tensor:
        """Mask."""
        width = min(round(draw(generator, self.min_share, self.max_share) * len(clip)), len(clip))
        start = draw_integer(generator, len(clip) - width + 1)
        gain = torch.ones(len(clip))
        gain[start : start + width] = make_gap(width, min(round(self.fade * rate), width // 4))
        return clip * gain


def make_gap(width: int, fade: int) -> Tensor:
    """Gain [width] that falls from 1 to 0 within ``fade`` samples (half a cosine) and rises so at its end."""
    gap = torch.zeros(width)
    ramp = 0.5 + 0.5 * torch.cos(math.pi * (torch.arange(fade) + 1) / (fade + 1))
    gap[:fade] = ramp
    gap[width - fade :] = ramp.flip(0)
    return gap


class FrequencyMask(Transform):
    """A band of frequencies is silenced, over the whole clip.

    Bins of a short-time Fourier transform are set to zero and the rest, magnitude and phase, goes back to a waveform.
    (The published system put a masked power spectrogram through the inverse transform, which loses all phases.)

    Args:
        min_width: of the band in Hz.
        max_width: of the band in Hz, at most half the sampling rate.
        window: in s, rounded to a power of two in samples; the band's edges are about two bins of 1 / window wide.
        p: probability that a clip is transformed.
    """

    def __init__(
        self, min_width: float = 0.0, max_width: float = 3200.0, window: float = 0.064, p: float = 1.0
    ) -> None:
        self.min_width = min_width
        self.max_width = max_width
        self.window = window
        super().__init__(p)

    def transform(self, clip: Tensor, rate: int, generator: torch.Generator) -> Tensor:
        """Mask."""
        width = min(draw(generator, self.min_width, self.max_width), rate / 2)
        low = draw(generator, 0, rate / 2 - width)
        return stop_band(clip, rate, low, low + width, 2 ** round(math.log2(self.window * rate)))


def stop_band(clip: Tensor, rate: int, low: float, high: float, fft: int) -> Tensor:
    """Clip [n] at a rate in Hz without the band from ``low`` to ``high`` Hz; ``fft`` is the window in samples."""
    # Zeros around the clip: its ends then lie where windows overlap fully, and clips may be shorter than a window.
    padded = torch.nn.functional.pad(clip, (fft, fft))
    window = torch.hann_window(fft)
    spectrum = torch.stft(padded, fft, fft // 4, window=window, pad_mode="constant", return_complex=True)
    frequencies = torch.fft.rfftfreq(fft, 1 / rate)
    spectrum[(frequencies >= low) & (frequencies <= high)] = 0
    return torch.istft(spectrum, fft, fft // 4, window=window, length=len(padded))[fft : fft + len(clip)]
