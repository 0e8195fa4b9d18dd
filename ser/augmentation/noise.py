"""Noise at a drawn signal-to-noise ratio, which holds on the clip's own samples."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ser.augmentation.base import Transform, draw
from ser.augmentation.library import ALWAYS, LibraryTransform, load_library
from ser.augmentation.recordings import Reader, Recordings

#: Below this frequency, in Hz, coloured noise has no energy: nobody hears it, and brown noise would be little else.
LOWEST = 20.0
#: The noise of a short clip is cut from one of this length, in s: low frequencies need time to exist.
SHORTEST = 1.0


class ColouredNoise(Transform):
    """Noise whose power falls with frequency as 1/f^decay, from 20 Hz on.

    Own code, for torch-audiomentations' AddColoredNoise measures the level of the noise over one second: with
    ``f_decay`` 2, ratios on clips of 0.1 s are up to 3.5 dB off. Its noise is one second repeated, and its
    ``f_decay`` 2 falls by 9 to 10 dB an octave, not by the 6 dB of brown noise.

    Args:
        decay: 0 is white, 1 pink, 2 brown noise.
        min_snr: in dB, over the whole clip.
        max_snr: in dB.
        p: probability that a clip is transformed.
    """

    def __init__(self, decay: float = 0.0, min_snr: float = 4.771, max_snr: float = 19.956, p: float = 1.0) -> None:
        self.decay = decay
        self.min_snr = min_snr
        self.max_snr = max_snr
        super().__init__(p)

    def transform(self, clip: Tensor, rate: int, generator: torch.Generator) -> Tensor:
        """Add noise."""
        noise = make_noise(len(clip), rate, self.decay, generator)
        return add_noise(clip, noise, draw(generator, self.min_snr, self.max_snr))


def make_noise(length: int, rate: int, decay: float, generator: torch.Generator) -> Tensor:
    """Gaussian noise [length] at a rate in Hz with power proportional to 1/f^decay; its level is arbitrary."""
    size = max(length, math.ceil(SHORTEST * rate))
    spectrum = torch.fft.rfft(torch.randn(size, generator=generator))
    frequencies = torch.fft.rfftfreq(size, 1 / rate)
    shape = torch.where(frequencies < LOWEST, 0.0, frequencies.clamp(min=LOWEST) ** (-decay / 2))
    return torch.fft.irfft(spectrum * shape, n=size)[:length]


def add_noise(clip: Tensor, noise: Tensor, snr: float) -> Tensor:
    """Clip [n] plus noise [n] scaled to a signal-to-noise ratio in dB; a silent clip stays silent."""
    level, level_noise = clip.square().mean().sqrt(), noise.square().mean().sqrt()
    if level_noise == 0:
        return clip
    return clip + noise * (level / level_noise * 10 ** (-snr / 20))


class BackgroundNoise(LibraryTransform):
    """A stretch of a recording from the user's folder, such as MUSAN's (Snyder et al., 2015).

    Which file and which stretch is drawn; a recording shorter than the clip is continued by others. Files of any rate
    are resampled. Where a stretch is digital silence, nothing is added.

    Args:
        folder: of recordings, searched to any depth.
        min_snr: in dB, over the whole clip.
        max_snr: in dB.
        p: probability that a clip is transformed.

    Raises:
        InputError: no such folder, no audio in it, or files that cannot be read.
    """

    def __init__(
        self, folder: str | None = None, min_snr: float = 4.771, max_snr: float = 19.956, p: float = 1.0
    ) -> None:
        self.folder = folder
        self.min_snr = min_snr
        self.max_snr = max_snr
        super().__init__(p)
        self.recordings = Recordings(folder, "noise recordings")

    def build(self, rate: int) -> Any:
        """The library's transform, reading our files our way."""
        # It keeps .wav names only, and looks at none before it reads: it gets one and then the files.
        noise = load_library().AddBackgroundNoise(["none.wav"], self.min_snr, self.max_snr, **ALWAYS)
        noise.background_paths = self.recordings.paths
        noise.audio = Reader(rate)
        return noise

    def identify(self) -> dict[str, object]:
        """Name, parameters, and the recordings by content, wherever their folder is."""
        return super().identify() | {"folder": self.recordings.fingerprint}
