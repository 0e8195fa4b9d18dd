"""Noise in place of features: what an honest pipeline scores when there is nothing to learn."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np


class Noise:
    """Standard normal vectors that depend on a clip's content and a seed, on nothing that carries emotion.

    Args:
        dim: length of the vector.
        seed: another seed, other noise.
        rate: sampling rate in Hz at which clips are read.
    """

    frames = False

    def __init__(self, dim: int = 88, seed: int = 0, rate: int = 16000) -> None:
        self.dim = dim
        self.seed = seed
        self.rate = rate

    def identify(self) -> dict[str, object]:
        """Name and parameters."""
        return {"extractor": "noise", "dim": self.dim, "seed": self.seed, "rate": self.rate}

    def compute(self, waveform: np.ndarray) -> np.ndarray:
        """Noise [dim], the same for the same waveform [T]."""
        digest = blake2b(waveform.tobytes(), digest_size=8).digest()
        generator = np.random.default_rng([self.seed, int.from_bytes(digest, "little")])
        return generator.standard_normal(self.dim).astype(np.float32)
