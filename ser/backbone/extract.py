"""Features of a corpus: read from the store, compute what is missing on all cores, show progress."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from ser.audio.inspect import count_cores
from ser.audio.prepare import Preparation
from ser.backbone.store import FeatureStore
from ser.progress import show_progress

log = logging.getLogger(__name__)


class Extractor(Protocol):
    """A frozen backbone: functionals or embeddings that never change with training."""

    trains: bool
    rate: int

    def identify(self) -> dict[str, object]:
        """Everything that decides what :meth:`compute` yields."""

    def compute(self, waveform: np.ndarray) -> np.ndarray:
        """Functionals [D] of a waveform [T]; must be safe to call from several threads."""


def extract_features(
    extractor: Extractor, frame: pd.DataFrame, digests: list[str], preparation: Preparation, root: str | Path
) -> np.ndarray:
    """Functionals [N, D] of all clips, float32, in the order of ``frame``.

    Args:
        extractor: the frozen backbone.
        frame: rows of a manifest.
        digests: the content hash of each row's prepared waveform.
        preparation: how files become waveforms.
        root: folder of the feature store.
    """
    store = FeatureStore(root, extractor.identify())
    missing = store.find_missing(digests)
    if missing:
        place = dict(zip(digests, zip(frame["path"], frame["start"], frame["end"], strict=True), strict=True))

        def compute(digest: str) -> None:
            path, start, end = place[digest]
            clip = preparation.prepare(path, extractor.rate, *(None if np.isnan(t) else t for t in (start, end)))
            # Functionals are of the clip; zeros that only make it longer would count as pauses.
            store.write(digest, extractor.compute(clip.waveform[clip.begin : clip.begin + clip.valid]))

        log.info("extracting features of %d of %d clips", len(missing), len(digests))
        computed = 0
        with ThreadPoolExecutor(count_cores()) as pool, show_progress("features", len(missing)) as advance:
            for batch in store.claim(missing):
                for _ in pool.map(compute, batch):
                    advance(1)
                computed += len(batch)
        if computed < len(missing):
            log.info("%d of them came from another process", len(missing) - computed)
    return np.stack(store.read(digests)).astype(np.float32)
