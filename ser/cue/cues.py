"""The cues that are compared: how each follows from tracks over any set of frames, and what experts call it.

A cue over all frames of an utterance is its functional; over the frames of a salient region, how the region sounds.
Many sets of frames are measured at once, because a null distribution needs hundreds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ser.cue.tracks import STEP, Array, Flags, Tracks

#: Frames with a value that a statistic needs.
FEWEST = 3


@dataclass(frozen=True)
class Cue:
    """One measured cue.

    Args:
        name: its key in results.
        title: with the sense of a rise: "higher F0".
        fall: the same for a fall: "lower F0".
        unit: of its values.
        expected: the cue of the expert table that it stands for.
        sign: whether a rise of the measure is a rise (1) or a fall (-1) of the table's cue.
        measure: from tracks and sets of frames ``[R, F]`` to values ``[R]``, NaN where it is not defined.
    """

    name: str
    title: str
    fall: str
    unit: str
    expected: str
    sign: int
    measure: Callable[[Tracks, Flags], Array]


def average(name: str, *, speech_only: bool = False) -> Callable[[Tracks, Flags], Array]:
    """The mean of a descriptor over the frames where it is defined."""

    def measure(tracks: Tracks, frames: Flags) -> Array:
        values, known = _take(tracks, name, speech_only)
        count = (frames & known).sum(axis=1)
        sums = frames.astype(np.float64) @ np.where(known, values, 0.0)
        return np.where(count >= FEWEST, sums / np.maximum(count, 1), np.nan)

    return measure


def take_quantiles(name: str, low: float, high: float | None = None) -> Callable[[Tracks, Flags], Array]:
    """A quantile of a descriptor, or the distance of two, over the frames where it is defined."""

    def measure(tracks: Tracks, frames: Flags) -> Array:
        values, known = _take(tracks, name, False)
        order = np.argsort(values[known])
        if not order.size:
            return np.full(len(frames), np.nan)
        ordered = values[known][order]
        ranks = np.cumsum(frames[:, known][:, order], axis=1)
        count = ranks[:, -1]

        def pick(share: float) -> Array:
            wanted = np.maximum(np.ceil(share * count), 1)[:, None]
            return np.asarray(ordered[(ranks >= wanted).argmax(axis=1)])

        found = pick(low) if high is None else pick(high) - pick(low)
        return np.where(count >= FEWEST, found, np.nan)

    return measure


def measure_level_spread(tracks: Tracks, frames: Flags) -> Array:
    """Standard deviation in dB of the levels of the syllables that the frames touch, three or more."""
    touched, levels = _touch(frames, tracks.segments.syllables), tracks.segments.level
    count = touched.sum(axis=1)
    centred = levels - (levels.mean() if levels.size else 0.0)
    mean = touched @ centred / np.maximum(count, 1)
    variance = touched @ centred**2 / np.maximum(count, 1) - mean**2
    return np.where(count >= FEWEST, np.sqrt(np.maximum(variance, 0.0)), np.nan)


def measure_rate(tracks: Tracks, frames: Flags) -> Array:
    """Syllables a second of speech, over the syllables that the frames touch; pauses do not count as time."""
    spans = tracks.segments.syllables
    touched = _touch(frames, spans)
    time = touched @ (np.diff(spans, axis=1)[:, 0] - tracks.segments.silence)
    count = touched.sum(axis=1)
    return np.where(count > 0, count / np.maximum(time, STEP), np.nan)


def measure_pause_share(tracks: Tracks, frames: Flags) -> Array:
    """Share of the frames between the first and the last speech that lie in pauses."""
    between = np.zeros(frames.shape[1], dtype=bool)
    spoken = np.flatnonzero(tracks.speech)
    if spoken.size:
        between[spoken[0] : spoken[-1] + 1] = True
    silent = np.zeros(frames.shape[1])
    for start, end in tracks.segments.pauses:
        silent[round(start / STEP) : round(end / STEP)] = 1.0
    count = (frames & between).sum(axis=1)
    return np.where(count >= FEWEST, frames.astype(np.float64) @ silent / np.maximum(count, 1), np.nan)


def measure_pause_length(tracks: Tracks, frames: Flags) -> Array:
    """Mean length in s of the pauses that the frames touch; not defined where there is none."""
    touched = _touch(frames, tracks.segments.pauses)
    count = touched.sum(axis=1)
    lengths = touched @ np.diff(tracks.segments.pauses, axis=1)[:, 0]
    return np.where(count > 0, lengths / np.maximum(count, 1), np.nan)


def measure_attack(tracks: Tracks, frames: Flags) -> Array:
    """Mean steepest rise in dB/s of the syllables that the frames touch."""
    touched = _touch(frames, tracks.segments.syllables)
    count = touched.sum(axis=1)
    return np.where(count > 0, touched @ tracks.segments.attack / np.maximum(count, 1), np.nan)


# fmt: off
CUES = (
    Cue("f0_level", "higher F0", "lower F0", "semitones", "f0_mean", 1, average("f0")),
    Cue("f0_range", "wider F0 range", "narrower F0 range", "semitones", "f0_range", 1, take_quantiles("f0", 0.1, 0.9)),
    Cue("loudness", "louder", "softer", "sone-like", "loudness_mean", 1, average("loudness", speech_only=True)),
    Cue("loud_var", "more varied loudness", "more even loudness", "dB", "loudness_variability", 1,
        measure_level_spread),
    Cue("alpha_ratio", "more energy above 1 kHz", "less energy above 1 kHz", "dB", "high_frequency_energy", 1,
        average("alpha_ratio")),
    Cue("hammarberg", "steeper spectral tilt", "flatter spectral tilt", "dB", "high_frequency_energy", -1,
        average("hammarberg")),
    Cue("slope_low", "flatter slope below 500 Hz", "steeper slope below 500 Hz", "dB/kHz", "high_frequency_energy", 1,
        average("slope_low")),
    Cue("slope_mid", "flatter slope at 0.5-1.5 kHz", "steeper slope at 0.5-1.5 kHz", "dB/kHz",
        "high_frequency_energy", 1, average("slope_mid")),
    Cue("centroid", "higher spectral centroid", "lower spectral centroid", "Hz", "high_frequency_energy", 1,
        average("centroid")),
    Cue("high_share", "more energy above 500 Hz", "less energy above 500 Hz", "share", "high_frequency_energy", 1,
        average("high_share")),
    Cue("f1", "higher F1", "lower F1", "Hz", "f1_mean", 1, take_quantiles("f1", 0.5)),
    Cue("f1_bandwidth", "wider F1", "narrower F1", "Hz", "f1_bandwidth", 1, take_quantiles("f1_bandwidth", 0.5)),
    Cue("jitter", "more jitter", "less jitter", "ratio", "jitter", 1, average("jitter")),
    Cue("shimmer", "more shimmer", "less shimmer", "dB", "shimmer", 1, average("shimmer")),
    Cue("hnr", "higher HNR", "lower HNR", "dB", "hnr", 1, average("hnr")),
    Cue("rate", "faster", "slower", "syllables/s", "rate", 1, measure_rate),
    Cue("pause_share", "more pauses", "fewer pauses", "share", "pauses", 1, measure_pause_share),
    Cue("pause_length", "longer pauses", "shorter pauses", "s", "pauses", 1, measure_pause_length),
    Cue("attack", "faster onsets", "slower onsets", "dB/s", "attack", 1, measure_attack),
)
# fmt: on
CUE_NAMES = tuple(cue.name for cue in CUES)


def measure_cues(tracks: Tracks, frames: Flags | None = None) -> Array:
    """Every cue over sets of frames ``[R, F]`` (``None``: one set, all frames), in the order of CUES ``[R, cues]``."""
    if frames is None:
        frames = np.ones((1, len(tracks.times)), dtype=bool)
    return np.stack([cue.measure(tracks, frames) for cue in CUES], axis=1)


def _take(tracks: Tracks, name: str, speech_only: bool) -> tuple[Array, Flags]:
    track = tracks.values[name]
    known = ~np.isnan(track)
    return track, known & tracks.speech if speech_only else known


def _touch(frames: Flags, spans: Array) -> Array:
    """Whether each set of frames touches each span (s) ``[R, spans]``, as 0 or 1."""
    counts = np.concatenate([np.zeros((len(frames), 1), dtype=int), np.cumsum(frames, axis=1)], axis=1)
    edges = np.clip(np.round(spans / STEP).astype(int), 0, frames.shape[1])
    return (counts[:, edges[:, 1]] > counts[:, edges[:, 0]]).astype(np.float64)
