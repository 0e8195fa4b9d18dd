"""What the articulators do: formant tracks with transitions, voicing, frication and bursts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve1d

from ser.dataset.planted.cues import Array
from ser.dataset.planted.prosody import Timeline
from ser.dataset.planted.speaker import Speaker
from ser.dataset.planted.text import Onset, Sentence, Syllable

F1_CLOSED = 260.0  # Hz, of a closed tract
HIGH_FORMANTS = (3500.0, 4500.0)  # Hz, F4 and F5
BANDWIDTHS = (80.0, 95.0, 140.0, 200.0, 260.0)  # Hz, F1 to F5
NASAL_POLE = 270.0  # Hz
NASAL_DAMPING = (1.0, 2.2, 2.2, 2.0, 2.0)  # factors on the bandwidths in a murmur
TRANSITION = 0.05  # s from a consonant to the vowel
GAP = 0.012  # s of silence between words that breaks the articulation


@dataclass(frozen=True)
class Noise:
    """Noise made in the mouth: from, to (s), its consonant, dB relative to the vowel, the number of its syllable."""

    start: float
    end: float
    onset: Onset
    level: float
    syllable: int


@dataclass(frozen=True)
class Articulation:
    """What happens in the tract.

    Args:
        formants, bandwidths: Hz, ``[frames, 5]``.
        zero: Hz of the nasal zero, ``[frames]``; it lies on the nasal pole where the nose is shut.
        runs: start, end (s) and first syllable of each voiced stretch.
        voicing: times (s) and linear amplitudes of the voice, two arrays of knots.
        puffs: the same for the aspiration after bursts, relative to the pulses.
        noises: frication and bursts.
    """

    formants: Array
    bandwidths: Array
    zero: Array
    runs: list[tuple[float, float, int]]
    voicing: tuple[Array, Array]
    puffs: tuple[Array, Array]
    noises: list[Noise]


def articulate(
    sentence: Sentence, timeline: Timeline, speaker: Speaker, doses: Mapping[str, Array], times: Array
) -> Articulation:
    """Turn syllables and their times into tracks at the frame times (s)."""
    joined = _find_joins(timeline)
    formants = _move_formants(sentence, timeline, joined, times)
    nose, zero = _open_nose(sentence, timeline, joined, times)
    place = np.clip(np.searchsorted(timeline.start, times, side="right") - 1, 0, len(sentence.syllables) - 1)
    formants[:, 0] *= 2 ** doses["f1"][place]
    bandwidths = np.array(BANDWIDTHS) * (1 + nose[:, None] * (np.array(NASAL_DAMPING) - 1))
    bandwidths[:, 0] *= 2 ** doses["f1_bw"][place]
    return Articulation(
        formants=formants * speaker.tract,
        bandwidths=bandwidths,
        zero=zero,
        runs=_find_runs(sentence, timeline, joined),
        voicing=_shape_voicing(sentence, timeline, joined),
        puffs=_shape_puffs(sentence, timeline),
        noises=_place_noises(sentence, timeline),
    )


def _find_joins(timeline: Timeline) -> list[bool]:
    """Whether each syllable follows the one before without a pause."""
    return [False, *(timeline.start[1:] - timeline.end[:-1] < GAP)]


def _locate(onset: Onset, vowel: Sequence[float]) -> Array:
    """F1 to F3 at the release of a consonant before a vowel, Hz."""
    return np.array([F1_CLOSED, onset.f2 + onset.slope * (vowel[1] - onset.f2), onset.f3])


def _move_formants(sentence: Sentence, timeline: Timeline, joined: list[bool], times: Array) -> Array:
    knots: list[tuple[float, Array]] = []
    syllables = sentence.syllables
    for at, (syllable, start, vowel, end) in enumerate(
        zip(syllables, timeline.start, timeline.vowel, timeline.end, strict=True)
    ):
        target = np.array(syllable.vowel.formants)
        step = min(TRANSITION, 0.35 * (end - vowel))
        if syllable.onset.kind != "none":
            locus = _locate(syllable.onset, syllable.vowel.formants)
            knots += [(start + 0.25 * (vowel - start), locus), (max(vowel - 0.01, start), locus)]
        knots += [(vowel + step, target), (end - step, target)]
        follower = syllables[at + 1] if at + 1 < len(syllables) and joined[at + 1] else None
        if follower is not None and follower.onset.kind != "none":
            closing = _locate(follower.onset, syllable.vowel.formants)
            # The way into a closure stops short of the place where the way out starts.
            knots.append((end, target + 0.7 * (closing - target)))
    moments = np.array([moment for moment, _ in knots])
    values = np.array([value for _, value in knots])
    moving = np.stack([np.interp(times, moments, values[:, k]) for k in range(3)], axis=1)
    window = np.hanning(9)[1:-1]
    moving = convolve1d(moving, window / window.sum(), axis=0, mode="nearest")
    return np.concatenate([moving, np.broadcast_to(HIGH_FORMANTS, (len(times), 2))], axis=1)


def _open_nose(sentence: Sentence, timeline: Timeline, joined: list[bool], times: Array) -> tuple[Array, Array]:
    """How far the velum is lowered (0-1), and the frequency of the nasal zero in Hz, ``[frames]``."""
    knots: list[tuple[float, float, float]] = [(0.0, 0.0, NASAL_POLE)]
    for at, syllable in enumerate(sentence.syllables):
        if syllable.onset.kind != "nasal":
            continue
        start, vowel = timeline.start[at], timeline.vowel[at]
        lead = 0.03 if joined[at] else 0.0
        knots += [
            (start - lead, 0.0, NASAL_POLE),
            (start, 1.0, syllable.onset.zero),
            (vowel - 0.005, 1.0, syllable.onset.zero),
            (vowel + 0.04, 0.0, NASAL_POLE),
        ]
    moments, nose, zero = np.array(knots).T
    return np.interp(times, moments, nose), np.interp(times, moments, zero)


def _starts_voiceless(syllable: Syllable) -> bool:
    return syllable.onset.kind in ("fricative", "stop")


def _find_runs(sentence: Sentence, timeline: Timeline, joined: list[bool]) -> list[tuple[float, float, int]]:
    runs: list[tuple[float, float, int]] = []
    for at, syllable in enumerate(sentence.syllables):
        end = float(timeline.end[at])
        if _starts_voiceless(syllable):
            runs.append((float(timeline.vowel[at]), end, at))
        elif joined[at]:
            runs[-1] = (runs[-1][0], end, runs[-1][2])
        else:
            runs.append((float(timeline.start[at]), end, at))
    return runs


def _shape_voicing(sentence: Sentence, timeline: Timeline, joined: list[bool]) -> tuple[Array, Array]:
    knots: list[tuple[float, float]] = [(0.0, 0.0)]
    syllables = sentence.syllables
    for at, syllable in enumerate(syllables):
        start, vowel, end = timeline.start[at], timeline.vowel[at], timeline.end[at]
        if _starts_voiceless(syllable):
            knots += [(vowel, 0.0), (vowel + 0.015, 0.85)]
        elif syllable.onset.kind == "nasal":
            knots += [(start, 0.0 if not joined[at] else 0.6), (start + 0.015, 0.5), (vowel - 0.005, 0.5)]
        elif joined[at]:
            knots.append((start, 0.5))
        else:
            knots += [(start, 0.0), (start + 0.03, 0.85)]
        knots.append((vowel + 0.35 * (end - vowel), 1.0))
        goes_on = at + 1 < len(syllables) and joined[at + 1] and not _starts_voiceless(syllables[at + 1])
        if goes_on:
            knots.append((end - 0.015, 0.75))
        else:
            fade = 0.02 if at + 1 < len(syllables) and joined[at + 1] else 0.06
            knots += [(end - fade, 0.75), (end, 0.0)]
    return _split_knots(knots)


def _shape_puffs(sentence: Sentence, timeline: Timeline) -> tuple[Array, Array]:
    knots: list[tuple[float, float]] = [(0.0, 0.0)]
    for at, syllable in enumerate(sentence.syllables):
        if syllable.onset.kind == "stop":
            release, vowel = _find_release(syllable.onset, timeline, at), timeline.vowel[at]
            knots += [(release, 0.0), (release + 0.005, 0.12), (vowel, 0.08), (vowel + 0.01, 0.0)]
    return _split_knots(knots)


def _find_release(onset: Onset, timeline: Timeline, at: int) -> float:
    """When a stop is released, s: its closure is its share of the syllable."""
    return float(timeline.start[at] + onset.share * (timeline.end[at] - timeline.start[at]))


def _place_noises(sentence: Sentence, timeline: Timeline) -> list[Noise]:
    noises = []
    for at, syllable in enumerate(sentence.syllables):
        onset = syllable.onset
        if onset.kind == "fricative":
            noises.append(Noise(float(timeline.start[at]), float(timeline.vowel[at]) + 0.005, onset, onset.level, at))
        elif onset.kind == "stop":
            release = _find_release(onset, timeline, at)
            noises.append(Noise(release, release + 0.010, onset, onset.level, at))
    return noises


def _split_knots(knots: list[tuple[float, float]]) -> tuple[Array, Array]:
    moments, values = np.array(knots).T
    return np.maximum.accumulate(moments), values
