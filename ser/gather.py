"""What the folds of a run take their clips from: all clips, their features, and their augmented copies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig

from ser.backbone.extract import extract_features
from ser.corpus import Corpus
from ser.errors import InputError
from ser.head.data import Part, read_targets
from ser.split.fold import Split

if TYPE_CHECKING:
    from ser.augmentation.base import Augmentation
    from ser.train import Choices


def gather_clips(config: DictConfig, choices: Choices, corpus: Corpus, frame: pd.DataFrame) -> Part:
    """All clips as one frame has them, with features where the backbone is frozen."""
    features = None
    if not choices.backbone.trains:
        store = Path(config.paths.cache) / "features"
        features = extract_features(choices.backbone, frame, frame["digest"].tolist(), corpus.preparation, store)
    return make_part(corpus, frame, features)


def make_part(corpus: Corpus, frame: pd.DataFrame, features: np.ndarray | None) -> Part:
    """All clips of a corpus as one frame has them."""
    targets = read_targets(frame, corpus.dimensions) if corpus.dimensions else None
    return Part(frame, frame["samples"].to_numpy(), features, corpus.preparation, targets, corpus.dimensions)


def gather_copies(config: DictConfig, choices: Choices, corpus: Corpus, split: Split) -> list[Part]:
    """Augmented copies of all clips that train, for a frozen backbone; each is a part like the original's."""
    if choices.augmentation is None or choices.backbone.trains:
        return []
    from ser.augmentation.copies import CopyExtractor  # imports torch, which a run without augmentation may not need

    frame, store = corpus.as_trained(), Path(config.paths.cache) / "features"
    rows = np.unique(np.concatenate([fold.train for fold in split.folds]))
    trained, digests = frame.iloc[rows], frame["digest"].iloc[rows].tolist()
    parts = []
    for copy in range(config.augmentation.copies):
        extractor = CopyExtractor(choices.backbone, choices.augmentation, config.seed, copy)
        variants = extract_features(extractor, trained, digests, corpus.preparation, store)
        for variant in np.moveaxis(variants, 1, 0):
            features = np.full((len(frame), variant.shape[1]), np.nan, dtype=variant.dtype)
            features[rows] = variant
            parts.append(make_part(corpus, frame, features))
    return parts


def make_augmentation(config: DictConfig) -> Augmentation | None:
    """The augmentation, or ``None`` where none is chosen."""
    if config.augmentation.copies < 1:
        raise InputError(f"augmentation.copies={config.augmentation.copies}", expected="1 or more")
    own = {key: value for key, value in config.augmentation.items() if key != "copies"}
    return instantiate(own) if own else None
