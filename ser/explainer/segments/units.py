"""How a clip is cut into segments. Pauses are segments like others: a model may listen to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import ClassVar, Protocol

import numpy as np
from torch import Tensor

from ser.audio.trim import drop_short, fill_short, find_runs, measure_levels
from ser.errors import InputError
from ser.explainer.cells import Cells, cut_cells, make_cells
from ser.explainer.subject import Subject

#: Start and end of something in a clip, in s from its first prepared sample.
Mark = tuple[float, float]
#: Frames in which the level of a waveform is measured, and from one to the next, in s.
FRAME, HOP = 0.025, 0.010
#: dB below a waveform's loudest frame from which on all is equally silent.
RANGE = 60.0
#: dB between loud and quiet frames under which a sound is steady; of spectrograms, in SDs of all cells.
STEADY, STEADY_CELLS = 6.0, 0.3


class Unit(Protocol):
    """A way to cut clips."""

    #: Column of the manifest with the marks that it needs, or none.
    column: str | None

    def check(self, subject: Subject) -> None:
        """Raise InputError where it cannot cut such a model's inputs."""

    def cut(self, subject: Subject, inputs: Tensor, marks: Sequence[Mark] | None) -> Cells:
        """Segments of one clip [1, M, F] or [1, T]."""


class _AnyInput:
    """Cuts inputs of every kind without marks."""

    column: ClassVar[str | None] = None

    def check(self, subject: Subject) -> None:
        """Nothing to refuse."""


@dataclass(frozen=True)
class FixedLength(_AnyInput):
    """Stretches of equal length.

    Args:
        seconds: their length.
    """

    seconds: float = 0.1

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise InputError(f"explainer.unit.seconds={self.seconds}", expected="s above 0")

    def cut(self, subject: Subject, inputs: Tensor, marks: Sequence[Mark] | None) -> Cells:  # noqa: ARG002 - as all
        """See :class:`Unit`."""
        return make_cells(subject, inputs, self.seconds, bands=1)


@dataclass(frozen=True)
class Stretches(_AnyInput):
    """Speech and pauses, told apart by level.

    A frame is speech if its level lies above ``share`` of the way from a quiet frame (a tenth stay under it) to a loud
    one (a twentieth exceed it).

    Args:
        share: see above.
        shortest: shorter bursts are no speech, and shorter gaps no pauses, in s.
        longest: a longer stretch is cut into equal parts, in s.
    """

    share: float = 0.4
    shortest: float = 0.1
    longest: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError(f"explainer.unit.share={self.share}", expected="between 0 and 1")
        if self.shortest < 0 or self.longest <= 0:
            raise InputError(
                f"explainer.unit.shortest={self.shortest} longest={self.longest}", expected="s, at least and above 0"
            )

    def cut(self, subject: Subject, inputs: Tensor, marks: Sequence[Mark] | None) -> Cells:  # noqa: ARG002 - as all
        """See :class:`Unit`."""
        sound = measure_envelope(subject, inputs)
        bounds = find_bounds(sound.find_speech(self.share, self.shortest))
        longest = self.longest / sound.step
        parts = [np.linspace(a, b, max(1, ceil((b - a) / longest)), endpoint=False) for a, b in pairwise(bounds)]
        return cut_cells(subject, inputs, sound.first + np.concatenate(parts) * sound.step)


@dataclass(frozen=True)
class Syllables(_AnyInput):
    """Stretches around peaks of level, roughly syllables; pauses stay whole.

    Each stretch of speech is cut where its level dips deepest under the lowest contour over it that rises to the peak
    and falls after it, and so on with the parts. Mermelstein (1975), Automatic segmentation of speech into syllabic
    units, JASA 58(4), with level for loudness.

    Args:
        dip: least depth of a cut, as a share of the way from quiet to loud frames.
        share: of that way from which a frame is speech.
        shortest: s a syllable or a pause lasts at least.
    """

    dip: float = 0.1
    share: float = 0.4
    shortest: float = 0.06

    def __post_init__(self) -> None:
        if not (0 < self.dip < 1 and 0 < self.share < 1):
            raise InputError(f"explainer.unit.dip={self.dip} share={self.share}", expected="between 0 and 1")
        if self.shortest < 0:
            raise InputError(f"explainer.unit.shortest={self.shortest}", expected="s, at least 0")

    def cut(self, subject: Subject, inputs: Tensor, marks: Sequence[Mark] | None) -> Cells:  # noqa: ARG002 - as all
        """See :class:`Unit`."""
        sound = measure_envelope(subject, inputs)
        speech = sound.find_speech(self.share, self.shortest)
        quiet, loud = sound.find_range()
        depth, least = self.dip * (loud - quiet), max(1, round(self.shortest / sound.step))
        runs = find_runs(speech) if loud > quiet else []
        dips = [cut for start, stop in runs for cut in split_dips(sound.levels, start, stop, depth, least)]
        return cut_cells(subject, inputs, sound.first + np.union1d(find_bounds(speech), dips) * sound.step)


@dataclass(frozen=True)
class MelBands:
    """Parts of the frequency axis of a spectrogram over the whole clip.

    Args:
        bands: how many parts, with equally many bands of the spectrogram.
    """

    column: ClassVar[str | None] = None

    bands: int = 8

    def check(self, subject: Subject) -> None:
        """Refuse models without a spectrogram.

        Raises:
            InputError: it hears waveforms.
        """
        if subject.spectrogram is None:
            raise InputError(
                "explainer.unit=mel_band: this model hears waveforms, which have no bands",
                expected="a backbone that reads a spectrogram (mel_cnn, byol_*, whisper_*)",
                remedy="choose explainer/unit=fixed",
            )
        if not 1 < self.bands <= len(subject.spectrogram.freqs):
            raise InputError(f"explainer.unit.bands={self.bands}", expected=f"2 to {len(subject.spectrogram.freqs)}")

    def cut(self, subject: Subject, inputs: Tensor, marks: Sequence[Mark] | None) -> Cells:  # noqa: ARG002 - as all
        """See :class:`Unit`."""
        assert subject.spectrogram is not None
        return make_cells(subject, inputs, inputs.shape[-1] * subject.spectrogram.step, self.bands)


@dataclass(frozen=True)
class Words:
    """Words, and what lies between them.

    Args:
        column: of the manifest, with start and end in s of each word of a clip (:mod:`ser.explainer.marks`).
    """

    column: str = "words"

    def check(self, subject: Subject) -> None:
        """Nothing to refuse: the manifest, not the model, has words or not."""

    def cut(self, subject: Subject, inputs: Tensor, marks: Sequence[Mark] | None) -> Cells:
        """See :class:`Unit`.

        Raises:
            InputError: no words.
        """
        if not marks:
            raise InputError(
                f"explainer.unit=word: there are no times of words (column {self.column} of the manifest)",
                expected="start and end in s of each word of each clip",
                remedy="choose explainer/unit=syllable, which finds nuclei in the sound",
            )
        return cut_cells(subject, inputs, np.unique(np.asarray(marks, dtype=np.float64)))


@dataclass(frozen=True, eq=False)
class Envelope:
    """Level of a clip over time.

    Attributes:
        levels: in dB, or what its spectrogram counts in [F].
        first: s at which the first frame begins.
        step: s from one frame to the next.
        least: difference between loud and quiet frames under which the sound is steady.
    """

    levels: np.ndarray
    first: float
    step: float
    least: float

    def find_range(self) -> tuple[float, float]:
        """Levels that a tenth of the frames stay under and that a twentieth exceed; equal in a steady sound."""
        quiet, loud = np.percentile(self.levels, [10, 95])
        return (float(quiet), float(loud)) if loud - quiet >= self.least else (float(loud), float(loud))

    def find_speech(self, share: float, shortest: float) -> np.ndarray:
        """Which frames [F] are speech, apart from bursts and gaps shorter than so many s; all of a steady sound."""
        quiet, loud = self.find_range()
        if quiet == loud:
            return np.ones(len(self.levels), dtype=bool)
        frames = round(shortest / self.step)
        return drop_short(fill_short(self.levels > quiet + share * (loud - quiet), frames), frames)


def measure_envelope(subject: Subject, inputs: Tensor) -> Envelope:
    """Of one clip [1, M, F] or [1, T]."""
    if subject.spectrogram is not None:
        step = subject.spectrogram.step
        levels = inputs[0].mean(0).double().cpu().numpy()
        return Envelope(levels, -step / 2, step, STEADY_CELLS * float(inputs.std(correction=0)))
    levels = measure_levels(inputs[0].cpu().numpy(), subject.rate, FRAME, HOP)
    return Envelope(np.maximum(levels, levels.max() - RANGE), 0.0, round(HOP * subject.rate) / subject.rate, STEADY)


def find_bounds(flags: np.ndarray) -> np.ndarray:
    """Frames at which flags [F] change, with 0 and F."""
    return np.concatenate([[0], np.flatnonzero(np.diff(flags)) + 1, [len(flags)]])


def split_dips(levels: np.ndarray, start: int, stop: int, depth: float, least: int) -> list[int]:
    """Frames at which to cut levels [F] between two frames, ascending; see :class:`Syllables`."""
    part = levels[start:stop]
    if len(part) < 2 * least:
        return []
    peak = int(part.argmax())
    hull = np.concatenate([np.maximum.accumulate(part[:peak]), np.maximum.accumulate(part[peak:][::-1])[::-1]])
    lack = (hull - part)[least : len(part) - least + 1]
    if not lack.size or lack.max() < depth:
        return []
    cut = start + least + int(lack.argmax())
    before, after = split_dips(levels, start, cut, depth, least), split_dips(levels, cut, stop, depth, least)
    return [*before, cut, *after]
