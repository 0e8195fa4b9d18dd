"""How the emotions of a corpus sound: a few measures a clip, and effect sizes that know whose clips they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ser.errors import InputError

OTHERS = "others"
#: An interval over fewer speakers says nothing: of two, the t value is 12.7.
FEW = 3


@dataclass(frozen=True)
class Measure:
    """One measure: its column, what readers call it, its unit, and how it is obtained."""

    column: str
    title: str
    unit: str
    source: str


MEASURES = (
    Measure("f0", "F0", "Hz", "eGeMAPSv02 F0semitoneFrom27.5Hz_sma3nz_amean, from semitones to Hz"),
    Measure("loudness", "Loudness", "", "eGeMAPSv02 loudness_sma3_amean, an estimate of perceived loudness"),
    Measure(
        "rate",
        "Speaking rate",
        "1/s",
        "eGeMAPSv02 VoicedSegmentsPerSec (pseudo-syllables), over the time from the first to the last speech frame",
    ),
    Measure(
        "pauses",
        "Pause share",
        "",
        "share of that time in silences of 150 ms or more, 30 dB or more below the clip's loud frames",
    ),
    Measure("seconds", "Duration", "s", "of the clip as prepared"),
)


def measure_clips(
    frame: pd.DataFrame, functionals: np.ndarray, names: Sequence[str], pauses: np.ndarray, seconds: np.ndarray
) -> pd.DataFrame:
    """The measures of every clip.

    Args:
        frame: rows of a manifest.
        functionals: eGeMAPSv02 [N, 88].
        names: of the functionals.
        pauses: what :class:`ser.data.pauses.PauseMeter` yields [N, 3].
        seconds: duration of each clip [N].

    Returns:
        ``clip``, ``speaker``, ``gender``, ``emotion`` and a column for each of :data:`MEASURES`; missing where a clip
        has no voiced part.
    """
    place = {name: index for index, name in enumerate(names)}
    semitones = functionals[:, place["F0semitoneFrom27.5Hz_sma3nz_amean"]].astype(float)
    voiced = functionals[:, place["VoicedSegmentsPerSec"]].astype(float)
    spoken = np.maximum(pauses[:, 2] - pauses[:, 1], 1e-3)
    return frame[["clip", "speaker", "gender", "emotion"]].assign(
        f0=np.where(semitones > 0, 27.5 * 2 ** (semitones / 12), np.nan),
        loudness=functionals[:, place["loudness_sma3_amean"]].astype(float),
        rate=voiced * seconds / spoken,
        pauses=pauses[:, 0].astype(float),
        seconds=seconds,
    )


def standardise_within(values: np.ndarray, speakers: Sequence[str]) -> np.ndarray:
    """Values [N] or [N, D] minus the speaker's mean, over the speaker's standard deviation; constant ones become 0."""
    frame = pd.DataFrame(np.asarray(values, dtype=float).reshape(len(values), -1))
    groups = frame.groupby(np.asarray(speakers))
    spread = groups.transform("std")
    centred = frame - groups.transform("mean")
    return (
        (centred / spread.where(spread > 1e-9)).where(spread > 1e-9, centred * 0).to_numpy().reshape(np.shape(values))
    )


def measure_effects(clips: pd.DataFrame, reference: str = OTHERS) -> pd.DataFrame:
    """How far each emotion lies from what the same speaker does otherwise.

    For speaker s and emotion e, ``d = (mean of s in e - mean of s in the reference) / SD of s``, where the SD is pooled
    over the speaker's emotions (within-emotion variance). ``d`` is averaged over speakers, who are the units: the
    95 % interval is that of Student's t over speakers.

    Args:
        clips: with ``speaker``, ``emotion`` and the columns of :data:`MEASURES`.
        reference: ``others`` (all other clips of the speaker), or an emotion.

    Returns:
        One row a measure and emotion: ``measure``, ``emotion``, ``reference``, ``speakers``, ``d``, ``low``, ``high``.

    Raises:
        InputError: a reference that no clip shows.
    """
    emotions = sorted(clips["emotion"].unique())
    if reference not in (OTHERS, *emotions):
        raise InputError(f"explore.reference={reference}", expected=f"{OTHERS}, or one of {', '.join(emotions)}")
    rows = []
    for measure in MEASURES:
        own = [
            _compare(group.dropna(), emotions, reference)
            for _, group in clips[["speaker", "emotion", measure.column]].groupby("speaker")
        ]
        table = pd.DataFrame(own, columns=emotions)
        for emotion in emotions:
            if emotion != reference:
                rows.append((measure.column, emotion, reference, *average_speakers(table[emotion].dropna())))
    return pd.DataFrame(rows, columns=["measure", "emotion", "reference", "speakers", "d", "low", "high"])


def _compare(group: pd.DataFrame, emotions: Sequence[str], reference: str) -> dict[str, float]:
    """The differences of one speaker by emotion; ``group`` has speaker, emotion and a value."""
    value = group.columns[-1]
    by = group.groupby("emotion")[value]
    freedom = len(group) - by.ngroups
    if freedom < 1:
        return {}
    spread = math.sqrt(float((by.var().fillna(0) * (by.size() - 1)).sum()) / freedom)
    if spread < 1e-9:
        return {}
    differences = {}
    for emotion in emotions:
        shown = group["emotion"] == emotion
        against = ~shown if reference == OTHERS else group["emotion"] == reference
        if shown.any() and against.any():
            differences[emotion] = float((group.loc[shown, value].mean() - group.loc[against, value].mean()) / spread)
    return differences


def average_speakers(values: pd.Series) -> tuple[int, float, float, float]:
    """Number, mean, and the ends of the 95 % t interval, which is NaN for fewer than :data:`FEW` speakers."""
    number = len(values)
    mean = float(values.mean()) if number else math.nan
    if number < FEW:
        return number, mean, math.nan, math.nan
    half = float(stats.t.ppf(0.975, number - 1) * values.std() / math.sqrt(number))
    return number, mean, mean - half, mean + half


def list_effects(effects: pd.DataFrame) -> list[tuple[str, float, float, float]]:
    """Emotion, d, and the ends of its interval, of each row."""
    numbers = effects[["d", "low", "high"]].to_numpy(dtype=float).tolist()
    return [(str(emotion), d, low, high) for emotion, (d, low, high) in zip(effects["emotion"], numbers, strict=True)]


def project(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first two principal components of standardised features.

    Args:
        features: [N, D]; constant and non-finite columns are left out.

    Returns:
        Scores [N, 2] and their shares of the variance [2].
    """
    values = np.asarray(features, dtype=float)
    values = values[:, np.isfinite(values).all(axis=0)]
    values = values[:, values.std(axis=0) > 1e-9]
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    left, singular, axes = np.linalg.svd(values, full_matrices=False)
    # The sign of a component is arbitrary; the largest loading is made positive, so that the page is reproducible.
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    return (left * singular * signs)[:, :2], (singular**2 / (singular**2).sum())[:2]


def explain_variance(scores: np.ndarray, groups: Sequence[str]) -> float:
    """Share of the variance of scores [N, K] that lies between groups (eta squared)."""
    frame = pd.DataFrame(scores)
    between = frame.groupby(np.asarray(groups)).transform("mean") - frame.mean()
    return float((between**2).to_numpy().sum() / ((frame - frame.mean()) ** 2).to_numpy().sum())
