"""Timing, melody and syllable gains of an utterance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser.dataset.planted.cues import Array
from ser.dataset.planted.speaker import Speaker
from ser.dataset.planted.streams import Stream, open_stream
from ser.dataset.planted.text import Sentence

RATE_NEUTRAL = 4.5  # syllables/s
PAUSE_NEUTRAL = 0.06  # share of the utterance
GAIN_SD_NEUTRAL = 1.5  # dB
MELODY_SD_NEUTRAL = 1.5  # semitones
EDGE = 0.1  # s of silence before and after


@dataclass(frozen=True)
class Prosody:
    """What the prosody stream decides, before any dose.

    Args:
        lengths: of the syllables relative to their mean, ``[syllables]``.
        gains: of the syllables, mean 0, SD 1, ``[syllables]``.
        pauses: share of the pausing after each word but the last, ``[words - 1]``, sums to 1.
        accents: semitones of the accent on each syllable (0: none), ``[syllables]``.
        declination: semitones from first to last syllable (negative).
        fall: semitones at the very end (negative).
    """

    lengths: Array
    gains: Array
    pauses: Array
    accents: Array
    declination: float
    fall: float


@dataclass(frozen=True)
class Timeline:
    """When things happen, s.

    Args:
        start, vowel, end: of each syllable, ``[syllables]``; the onset lies between start and vowel.
        words: start and end of each word, ``[words, 2]``.
        duration: of the utterance with its silent edges.
    """

    start: Array
    vowel: Array
    end: Array
    words: Array
    duration: float


def draw_prosody(sentence: Sentence, key: Sequence[int]) -> Prosody:
    """Draw lengths, gains, pauses and accents for a sentence."""
    rng = open_stream(Stream.PROSODY, key)
    count, words = len(sentence.syllables), sentence.words
    draws = rng.standard_normal((count, 3))
    starts = [first for first, _ in words]
    accents = np.zeros(count)
    accents[starts] = np.where(rng.random(len(words)) < 0.8, 3.2 + 0.7 * draws[starts, 0], 0.0)
    lengths = np.exp(0.12 * draws[:, 1])
    lengths[[end - 1 for _, end in words]] *= 1.12
    lengths[accents > 0] *= 1.12
    lengths[-1] *= 1.15
    gains = 0.8 * draws[:, 2] + 0.6 * (accents > 0)
    breaks = rng.gamma(0.7, size=len(words) - 1) + 1e-3
    return Prosody(
        lengths=lengths / lengths.mean(),
        gains=(gains - gains.mean()) / gains.std(),
        pauses=breaks / breaks.sum(),
        accents=accents,
        declination=-2.8 + 0.5 * float(rng.standard_normal()),
        fall=-1.5 + 0.4 * float(rng.standard_normal()),
    )


def lay_out(sentence: Sentence, prosody: Prosody, speaker: Speaker, doses: Mapping[str, Array]) -> Timeline:
    """Turn lengths, rate and pause doses into times."""
    lengths = prosody.lengths / (RATE_NEUTRAL * speaker.rate * 2 ** doses["rate"])
    share = PAUSE_NEUTRAL + float(doses["pause"][0])
    silence = lengths.sum() * share / (1 - share)
    before = np.zeros(len(lengths))
    for (first, _), part in zip(sentence.words[1:], prosody.pauses, strict=True):
        before[first] = silence * part
    start = EDGE + np.cumsum(before) + np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    end = start + lengths
    onsets = [syllable.onset for syllable in sentence.syllables]
    vowel = start + lengths * np.array([onset.share for onset in onsets])
    # The aspiration after a burst shrinks with the syllable, but less than in proportion.
    vowel += np.array([onset.vot for onset in onsets]) * np.sqrt(lengths * RATE_NEUTRAL)
    words = np.array([(start[first], end[last - 1]) for first, last in sentence.words])
    return Timeline(start, vowel, end, words, float(end[-1] + EDGE))


def draw_melody(prosody: Prosody, timeline: Timeline, times: Array, voiced: NDArray[np.bool_]) -> Array:
    """Semitones about their mean over voiced frames, ``[frames]``, before the range dose.

    The contour is a function of the place within the syllables, not of time, so that it stretches with the rate.
    """
    count = len(prosody.accents)
    knots = np.stack([timeline.start, timeline.end], axis=1).ravel()
    # A pause holds the place: the melody goes on where it stopped.
    place = np.interp(times, knots, np.repeat(np.arange(count + 1), 2)[1:-1])
    centres = np.arange(count) + 0.6
    bumps = np.exp(-0.5 * ((place[:, None] - centres) / 0.55) ** 2) @ prosody.accents
    contour = prosody.declination * place / count + bumps + prosody.fall * np.clip(place - count + 1, 0, 1)
    contour -= contour[voiced].mean()
    # Utterances differ in range by nature, but by much less than a dose does.
    return contour * (MELODY_SD_NEUTRAL / contour[voiced].std()) ** 0.75


def balance_gains(prosody: Prosody, timeline: Timeline, doses: Mapping[str, Array]) -> Array:
    """Syllable gains in dB about the level, ``[syllables]``; their mean power over the vowels is that of 0 dB.

    So the loudness dose alone decides the level, whatever the spread of the gains.
    """
    gains = prosody.gains * GAIN_SD_NEUTRAL * 2 ** doses["loud_var"]
    power = np.average(10 ** (gains / 10), weights=timeline.end - timeline.vowel)
    return gains - 10 * np.log10(power)
