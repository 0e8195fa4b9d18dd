"""Independent random streams: what one draws never shifts what another yields."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What is drawn; the numbers are part of the corpus version."""

    SPEAKER = 0
    TEXT = 1
    ORDER = 2
    LENS = 3
    PROSODY = 4
    PERTURBATION = 5
    ASPIRATION = 6
    FRICATION = 7
    CHANNEL = 8
    BACKGROUND = 9
    SPAN = 10
    SHORTCUT = 11


def open_stream(stream: Stream, key: Sequence[int]) -> np.random.Generator:
    """The generator of one stream of one item.

    Args:
        stream: what is drawn from it.
        key: the seed, then the place of the item (speaker, utterance, …); all at least 0. The place goes into the spawn
            key, because entropies that differ only in trailing zeros give the same state in numpy.
    """
    return np.random.default_rng(np.random.SeedSequence(key[0], spawn_key=(int(stream), *key[1:])))
