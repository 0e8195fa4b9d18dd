"""What the folds of a run take their clips from: all clips, their features, and their augmented copies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig

from ser.audio.prepare import Preparation
from ser.backbone.extract import Source, Waveforms, fill_functionals, fill_hidden, read_functionals
from ser.backbone.statistics import Frames, Statistics, read_frames, read_vectors
from ser.backbone.store import FeatureStore
from ser.backbone.texts import Texts, measure_texts
from ser.corpus import Corpus
from ser.errors import InputError
from ser.head.data import Part, read_targets
from ser.head.fused_trunk import FusedTrunk
from ser.head.pair import Pair, PairedFeatures
from ser.head.trunk import Trunk
from ser.split.fold import Split

if TYPE_CHECKING:
    from ser.augmentation.base import Augmentation
    from ser.augmentation.copies import Copies
    from ser.chosen import Choices


def gather_clips(config: DictConfig, choices: Choices, corpus: Corpus, frame: pd.DataFrame) -> Part:
    """All clips as one frame has them, with features where the backbone is frozen."""
    return make_part(corpus, frame, gather_features(config, choices.trunk, corpus.preparation, frame))


def gather_features(config: DictConfig, trunk: Trunk, preparation: Preparation, frame: pd.DataFrame) -> Any:
    """Features of clips as :class:`~ser.head.data.Part` has them: ``None`` where a backbone is trained."""
    if isinstance(trunk, FusedTrunk):
        return PairedFeatures(*(gather_features(config, branch, preparation, frame) for branch in trunk.branches))
    if trunk.trains:
        return None
    return read_features(trunk, fill_store(config, trunk, preparation, frame), list_digests(trunk, frame))


def make_part(corpus: Corpus, frame: pd.DataFrame, features: np.ndarray | PairedFeatures | None) -> Part:
    """All clips of a corpus as one frame has them."""
    targets = read_targets(frame, corpus.dimensions) if corpus.dimensions else None
    return Part(frame, frame["samples"].to_numpy(), features, corpus.preparation, targets, corpus.dimensions)


def gather_copies(config: DictConfig, choices: Choices, corpus: Corpus, split: Split) -> list[Part]:
    """Augmented copies of all clips that train, for a frozen backbone; each is a part like the original's.

    Where clips are read as well, copies sound different and say the same.
    """
    if choices.augmentation is None or choices.trunk.trains_on_sound:
        return []
    from ser.augmentation.copies import Copies  # imports torch, which a run without augmentation may not need

    frame, rows = corpus.as_trained(), split.train
    trained = frame.iloc[rows]
    heard, read = choices.trunk.branches if isinstance(choices.trunk, FusedTrunk) else (choices.trunk, None)
    texts = None if read is None else gather_features(config, read, corpus.preparation, frame)
    digests = list_digests(heard, trained)
    parts = []
    for number in range(config.augmentation.copies):
        copies = Copies(choices.augmentation, choices.trunk.backbone.rate, config.seed, number)
        store = fill_store(config, heard, corpus.preparation, trained, copies)
        for variant in range(copies.variants):
            features = spread(read_features(heard, store, digests, variant), rows, len(frame))
            parts.append(make_part(corpus, frame, features if read is None else PairedFeatures(features, texts)))
    return parts


def fill_store(
    config: DictConfig, trunk: Trunk, preparation: Preparation, frame: pd.DataFrame, copies: Copies | None = None
) -> FeatureStore:
    """The feature store with all that a frozen backbone yields for the clips of a frame, or for copies of them.

    Its :meth:`~ser.backbone.store.FeatureStore.read_record` tells which weights a network had.
    """
    root = Path(config.paths.cache) / "features"
    waveforms = choose_source(trunk, preparation, frame, copies)
    if not trunk.backbone.frames:
        return fill_functionals(trunk.backbone, waveforms, root)
    level = Frames(trunk.reading.layer) if trunk.reading.needs_frames else Statistics()
    return fill_hidden(trunk.backbone, waveforms, root, level, config.trainer.accelerator)


def choose_source(trunk: Trunk, preparation: Preparation, frame: pd.DataFrame, copies: Copies | None = None) -> Source:
    """What a frozen backbone gets of the clips of a frame: waveforms, or transcripts."""
    if not trunk.reads_text:
        return Waveforms(frame, frame["digest"].tolist(), preparation, trunk.backbone.rate, copies)
    return Texts(frame, trunk.backbone.missing, trunk.backbone.encode_text if trunk.backbone.frames else str)


def list_digests(trunk: Trunk, frame: pd.DataFrame) -> list[str]:
    """What the features of each clip of a frame are stored under: the hash of its waveform, or of its transcript."""
    if not trunk.reads_text:
        return frame["digest"].tolist()
    return Texts(frame, trunk.backbone.missing, str).digests


def describe_texts(trunk: Trunk, frame: pd.DataFrame, split: Split) -> tuple[dict[str, float], list[str]]:
    """How much of the tested transcripts a backbone knows: metrics and notes; nothing of one that reads audio."""
    text = trunk.text
    if text is None:
        return {}, []
    return measure_texts([(text.learn(frame.iloc[fold.train]).backbone, frame.iloc[fold.test]) for fold in split.folds])


def describe_backbone(
    config: DictConfig, trunk: Trunk, preparation: Preparation, frame: pd.DataFrame
) -> dict[str, Any]:
    """Source, number and hash of a pretrained network's weights; nothing of other backbones."""
    if isinstance(trunk, FusedTrunk):
        each = trunk.branches.map(lambda branch: describe_backbone(config, branch, preparation, frame))
        return join_descriptions(each)
    if not (trunk.backbone.frames and trunk.backbone.pretrained):
        return {}
    if not trunk.trains:
        return fill_store(config, trunk, preparation, frame.iloc[:1]).read_record()
    from ser.backbone.frames import describe_network  # imports torch, as training does

    return describe_network(trunk.backbone, trunk.backbone.build())


def join_descriptions(each: Pair[dict[str, Any]]) -> dict[str, Any]:
    """What is said of the weights of two branches, as one; nothing where neither has any."""
    told = {name: found for name, found in each._asdict().items() if found}
    if not told:
        return {}
    return {
        "source": ", ".join(f"{name}: {found['source']}" for name, found in told.items()),
        "parameters": sum(found["parameters"] for found in told.values()),
        "hash": "-".join(found["hash"] for found in told.values()),
        **told,
    }


def read_features(trunk: Trunk, store: FeatureStore, digests: list[str], variant: int = 0) -> np.ndarray:
    """Features of clips as :class:`~ser.head.data.Part` has them, from a store that has them all."""
    if not trunk.backbone.frames:
        return read_functionals(store, digests, variant)
    if trunk.reading.needs_frames:
        return read_frames(store, digests, variant)
    return read_vectors(store, digests, trunk.reading.layer, trunk.reading.statistics, variant)


def spread(features: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Features of some rows among ``count`` of them; the others are NaN, or ``None`` where features are frames."""
    nothing = None if features.dtype == object else np.nan
    whole = np.full((count, *features.shape[1:]), nothing, dtype=features.dtype)
    whole[rows] = features
    return whole


def make_augmentation(config: DictConfig) -> Augmentation | None:
    """The augmentation, or ``None`` where none is chosen."""
    if config.augmentation.copies < 1:
        raise InputError(f"augmentation.copies={config.augmentation.copies}", expected="1 or more")
    own = {key: value for key, value in config.augmentation.items() if key != "copies"}
    return instantiate(own) if own else None
