"""Augmented copies for frozen backbones: an extractor that varies a clip before it reads it.

A frozen backbone sees a clip once, so there is no batch to augment in training. Instead each training clip gets seeded
copies, which pass through the extractor into the feature store under an address that names transform, parameters,
seed and copy.
"""

from __future__ import annotations

from hashlib import blake2b
from threading import Lock

import numpy as np
import torch

from ser.augmentation.base import Augmentation
from ser.backbone.extract import Extractor


class CopyExtractor:
    """Features of what an augmentation makes of a clip.

    Args:
        extractor: the frozen backbone.
        augmentation: makes one or several variants of a clip.
        seed: of the augmentation.
        copy: number of the copy; another number, another draw.
    """

    trains = False

    def __init__(self, extractor: Extractor, augmentation: Augmentation, seed: int, copy: int) -> None:
        self.extractor = extractor
        self.augmentation = augmentation
        self.seed = seed
        self.copy = copy
        self.rate = extractor.rate
        self._lock = Lock()  # augmentations swap the global random state while they draw

    def identify(self) -> dict[str, object]:
        """All that decides what :meth:`compute` yields."""
        own = {"augmentation": self.augmentation.identify(), "augmentation_seed": self.seed, "copy": self.copy}
        return {**self.extractor.identify(), **own}

    def compute(self, waveform: np.ndarray) -> np.ndarray:
        """Features [V, D] of the V variants of a waveform [T]; a union's original is not among them."""
        with self._lock:
            variants = self.augmentation.vary(torch.from_numpy(waveform), self.rate, self._make_generator(waveform))
        changed = variants[1:] if self.augmentation.keeps_original else variants
        return np.stack([self.extractor.compute(variant.numpy()) for variant in changed])

    def _make_generator(self, waveform: np.ndarray) -> torch.Generator:
        # The clip's own content seeds its copies, so they do not depend on which other clips there are.
        digest = blake2b(waveform.tobytes(), digest_size=7, salt=f"{self.seed}/{self.copy}".encode()[:16]).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest, "little"))
