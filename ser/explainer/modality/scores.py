"""Scores of a model as a whole: what it loses without a modality, and without what modalities do to each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ser.explainer.modality.table import Array, Rows


def find_hits(logits: Array, classes: Rows) -> Mapping[str, Array]:
    """Whether a model is right about each clip [N]: as it is, with a modality permuted, and made additive.

    ``text`` and ``audio`` are chances over all permutations of that modality among the clips (perceptual score; Gat,
    Schwartz & Schwing, 2021, Perceptual score: what data modalities does your model perceive?, NeurIPS).
    ``additive`` is the best approximation of the logits by a part of audio and a part of text (EMAP; Hessel & Lee,
    2020, Does my multimodal model learn cross-modal interactions?, EMNLP).

    Args:
        logits: of the sound of each clip with the words of each [N, N, K].
        classes: true ones [N].
    """
    rows = np.arange(len(classes))
    right = logits.argmax(-1)
    return {
        "both": (right[rows, rows] == classes).astype(float),
        "text": (right == classes[:, None]).mean(1),
        "audio": (right == classes).mean(0),
        "additive": (project(logits).argmax(-1) == classes).astype(float),
    }


def project(logits: Array) -> Array:
    """Logits [N, K] of the clips by a sum of a part of audio and a part of text that is nearest to [N, N, K]."""
    return np.asarray(logits.mean(1) + logits.mean(0) - logits.mean((0, 1)))
