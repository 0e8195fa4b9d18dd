"""A game of two players, audio and text: the worth of a set of them is the margin when the others are drawn anew.

The whole, from nothing to both, is what text adds alone, what audio adds alone, and what only both together add
(dividends; Harsanyi, 1963). A Shapley value is what a player adds alone and half of what both add together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ser.explainer.modality.table import Array, Rows

MODALITIES = ("text", "audio")


@dataclass(frozen=True, eq=False)
class Game:
    """Worth [N] of each set of modalities for N clips: a margin or a probability.

    Attributes:
        none: both are drawn anew.
        text: audio is.
        audio: text is.
        both: the clip as it is.
    """

    none: Array
    text: Array
    audio: Array
    both: Array

    @property
    def total(self) -> Array:
        """What there is to be shared out."""
        return self.both - self.none

    @property
    def together(self) -> Array:
        """What both add beyond what each adds alone: above 0 they need each other, below either is enough."""
        return self.both - self.text - self.audio + self.none

    @property
    def alone(self) -> Mapping[str, Array]:
        """What a modality adds to nothing."""
        return {"text": self.text - self.none, "audio": self.audio - self.none}

    @property
    def shapley(self) -> Mapping[str, Array]:
        """Shapley values; they sum to :attr:`total`."""
        return {name: alone + self.together / 2 for name, alone in self.alone.items()}


def play(worth: Array, classes: Rows, audio: Rows, text: Rows) -> Game:
    """The game of each clip.

    All four worths use the same draws, so that a model that adds up what it hears and what it reads has exactly nothing
    for both together.

    Args:
        worth: of each class for the sound of each clip with the words of each [N, N, K].
        classes: which are explained [N].
        audio: rows of the clips whose sound stands for an unknown one [N, M].
        text: the same of words [N, M].
    """
    rows, column = np.arange(len(classes)), classes[:, None]
    return Game(
        none=worth[audio[:, :, None], text[:, None, :], column[:, None]].mean((1, 2)),
        text=worth[audio, rows[:, None], column].mean(1),
        audio=worth[rows[:, None], text, column].mean(1),
        both=worth[rows, rows, classes],
    )
