"""Augmented copies for frozen backbones: what a backbone hears in place of a clip.

A frozen backbone sees a clip once, so there is no batch to augment in training. Instead each training clip gets seeded
copies, whose features lie in the store under an address that names transform, parameters, seed and copy.
"""

from __future__ import annotations

from hashlib import blake2b
from threading import Lock

import numpy as np
import torch

from ser.augmentation.base import Augmentation


class Copies:
    """One copy of each clip; several variants of it, where the augmentation makes several.

    Args:
        augmentation: makes one or several variants of a clip.
        rate: of the waveforms in Hz.
        seed: of the augmentation.
        copy: number of the copy; another number, another draw.
    """

    def __init__(self, augmentation: Augmentation, rate: int, seed: int, copy: int) -> None:
        self.augmentation = augmentation
        self.rate = rate
        self.seed = seed
        self.copy = copy
        self._lock = Lock()  # augmentations swap the global random state while they draw
        self.variants = len(self.vary(np.zeros(0, dtype=np.float32)))

    def identify(self) -> dict[str, object]:
        """All that decides what is heard in place of a clip."""
        return {"augmentation": self.augmentation.identify(), "augmentation_seed": self.seed, "copy": self.copy}

    def vary(self, waveform: np.ndarray) -> list[np.ndarray]:
        """Variants [T] of a waveform [T]; a union's original is not among them."""
        with self._lock:
            variants = self.augmentation.vary(torch.from_numpy(waveform), self.rate, self._make_generator(waveform))
        return [variant.numpy() for variant in variants[int(self.augmentation.keeps_original) :]]

    def _make_generator(self, waveform: np.ndarray) -> torch.Generator:
        # The clip's own content seeds its copies, so they do not depend on which other clips there are.
        digest = blake2b(waveform.tobytes(), digest_size=7, salt=f"{self.seed}/{self.copy}".encode()[:16]).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest, "little"))
