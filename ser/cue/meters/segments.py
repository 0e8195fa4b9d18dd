"""Speech, pauses, voiced stretches and syllables from the level and the voicing of frames.

Syllables are peaks of the smoothed level in voiced frames with a dip between neighbours, after de Jong, N. H. & Wempe,
T. (2009). Praat script to detect syllable nuclei and measure speech rate automatically. Behavior Research Methods 41,
385-390. Silence before the first and after the last speech belongs to the editing and is no pause.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.signal import find_peaks

from ser.cue.meters.frames import find_stretches
from ser.cue.tracks import STEP, Array, Flags, Segments

#: dB below the loud frames at which silence begins.
BELOW = 30.0
#: The same for noisy recordings: the share of the way from the noise floor up to the loud frames.
ABOVE_NOISE = 0.25
#: s; shorter silences are closures of stops.
SHORTEST_PAUSE = 0.1
SMOOTH = 1.5  # frames, SD
DIP = 1.5  # dB between two syllables
ATTACK = 0.12  # s before a nucleus in which the level rises
#: s around a peak in which the voice must sound.
NEAR = 0.03
#: s from the voice beyond which a noise is none of the speaker's.
APART = 0.25


def mark_speech(level: Array, voiced: Flags) -> Flags:
    """Frames that are not silent ``[F]``: near the loud frames in level and the voice in time, or voiced."""
    loud, noise = np.percentile(level, 95), np.percentile(level, 5)
    active = (level > max(loud - BELOW, noise + ABOVE_NOISE * (loud - noise))) | voiced
    for first, end in find_stretches(active):
        if not _widen(voiced, APART)[first:end].any():
            active[first:end] = False
    return np.asarray(active)


def find_segments(level: Array, sonority: Array, voiced: Flags, speech: Flags) -> Segments:
    """Segments of an utterance from its tracks ``[F]``.

    Args:
        level: dB, over all frequencies.
        sonority: dB, where vowels are strong and fricatives weak; its peaks are the syllables.
        voiced, speech: flags.
    """
    spoken = np.flatnonzero(speech)
    if not spoken.size:
        none = np.empty((0, 2))
        return Segments(none, none, none, np.empty(0), np.empty(0), np.empty(0))
    first, end = int(spoken[0]), int(spoken[-1]) + 1
    gaps = find_stretches(~speech[first:end]) + first
    pauses = gaps[np.diff(gaps, axis=1)[:, 0] >= SHORTEST_PAUSE / STEP - 1e-9]
    smooth = gaussian_filter1d(np.maximum(sonority, np.percentile(sonority, 95) - 2 * BELOW), SMOOTH)
    nuclei = find_nuclei(smooth, voiced)
    syllables = _divide(smooth, nuclei, first, end)
    silent = np.zeros(len(level))
    for begin, stop in pauses:
        silent[begin:stop] = STEP
    total = np.concatenate([[0.0], np.cumsum(silent)])
    return Segments(
        voiced=_time(find_stretches(voiced)),
        pauses=_time(pauses),
        syllables=_time(syllables),
        silence=total[syllables[:, 1]] - total[syllables[:, 0]],
        level=_measure_levels(level, voiced, syllables),
        attack=_measure_attacks(smooth, nuclei),
    )


def _time(stretches: np.ndarray) -> Array:
    """Frames as s."""
    return np.asarray(stretches * STEP, dtype=np.float64)


def find_nuclei(smooth: Array, voiced: Flags) -> np.ndarray:
    """Frames of the syllables' peaks."""
    # Equal peaks of a steady tone would each count as prominent; a slope far below hearing makes them unequal.
    peaks, _ = find_peaks(smooth + 1e-6 * np.arange(len(smooth)), prominence=DIP)
    return np.asarray(peaks[_widen(voiced, NEAR)[peaks]])


def _widen(flags: Flags, reach: float) -> Flags:
    """Frames within so many s of a flagged one."""
    size = 2 * round(reach / STEP) + 1
    return np.asarray(maximum_filter1d(flags.astype(np.uint8), size, mode="constant") > 0)


def _divide(smooth: Array, nuclei: np.ndarray, first: int, end: int) -> np.ndarray:
    """First and end frame of the stretch of each nucleus: they meet where the level is lowest in between."""
    if not nuclei.size:
        return np.empty((0, 2), dtype=np.int64)
    dips = [left + int(smooth[left:right].argmin()) for left, right in pairwise(nuclei)]
    edges = np.array([min(first, nuclei[0]), *dips, max(end, nuclei[-1] + 1)])
    return np.stack([edges[:-1], edges[1:]], axis=1)


def _measure_levels(level: Array, voiced: Flags, syllables: np.ndarray) -> Array:
    """Mean power of each syllable's voiced frames, or of all where the voice ends just before it, dB."""
    found = []
    for first, end in syllables:
        power = 10 ** (level[first:end] / 10)
        inside = voiced[first:end]
        found.append(10 * np.log10(power[inside].mean() if inside.any() else power.mean()))
    return np.array(found, dtype=float)


def _measure_attacks(smooth: Array, nuclei: np.ndarray) -> Array:
    """Steepest rise before each nucleus, dB/s."""
    rise = np.diff(smooth, prepend=smooth[:1]) / STEP
    reach = round(ATTACK / STEP)
    return np.array([rise[max(peak - reach, 0) : peak + 1].max() for peak in nuclei], dtype=float)
