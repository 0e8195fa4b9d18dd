"""What a cue linker is given, and what it yields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from ser.cue.tracks import Array


@dataclass(frozen=True, eq=False)
class Recording:
    """A clip as it sounds, whose emotion is known: what others are compared with.

    Args:
        clip, speaker, emotion: as in the manifest.
        waveform: mono ``[T]``.
        rate: in Hz.
    """

    clip: str
    speaker: str
    emotion: str
    waveform: np.ndarray
    rate: int


@dataclass(frozen=True, eq=False)
class Heard(Recording):
    """A clip, what a model heard in it, and where.

    Args:
        predicted: the emotion that the model named.
        offset: when ``waveform[0]`` happens, s on the time axis of the file.
        relevance: signed, for each cell ``[cells]``.
        times: centres of the cells, s on the time axis of the file ``[cells]``.
        step: s between cells.
    """

    predicted: str
    offset: float
    relevance: Array
    times: Array
    step: float

    @property
    def correct(self) -> bool:
        """Whether the model named the emotion."""
        return self.predicted == self.emotion


@dataclass(frozen=True, eq=False)
class Linked:
    """Cues at the places that explanations point at.

    Args:
        cues: one row a clip x cue x quantile.
        contrasts: one row an emotion x cue x kind of contrast x correct | wrong | all | difference.
        plausibility: agreement with the expert table, with its chance levels.
        sentences: ``scope`` (clip or emotion), ``name``, ``text``.
        notes: what a reader must know: clips left out, references replaced.
    """

    cues: pd.DataFrame = field(default_factory=pd.DataFrame)
    contrasts: pd.DataFrame = field(default_factory=pd.DataFrame)
    plausibility: pd.DataFrame = field(default_factory=pd.DataFrame)
    sentences: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["scope", "name", "text"]))
    notes: tuple[str, ...] = ()


class CueLinker(Protocol):
    """Says what acoustic cues explanations point at."""

    def link(self, clips: Sequence[Heard], references: Sequence[Recording]) -> Linked:
        """Cues of explained clips; ``references`` are clips of the same speakers, neutral ones above all."""


@dataclass(frozen=True)
class NoLink:
    """Leaves explanations as they are."""

    def link(self, clips: Sequence[Heard], references: Sequence[Recording]) -> Linked:  # noqa: ARG002
        """Nothing."""
        return Linked()
