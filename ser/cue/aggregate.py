"""From clips to a corpus: mean contrasts of each emotion and cue, with intervals over speakers.

Speakers are resampled with replacement, all their clips with them. The SD of the resampled means, times Student's t
with one degree of freedom less than there are speakers, gives interval and p: percentiles of so few units are too
narrow (of a random map over ten speakers, 12 to 14 % of the contrasts had an adjusted p below .05). Over the emotions
and cues of one table, p is adjusted by Benjamini & Hochberg's procedure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ser.cue.contrast import Contrasts
from ser.cue.cues import CUE_NAMES
from ser.cue.heard import Heard
from ser.cue.tracks import Array
from ser.statistics.adjust import adjust_p

SUBSETS = ("all", "correct", "wrong", "difference")
KINDS = ("neutral", "rest", "shift")
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Resamples:
    """How often each speaker is drawn ``[draws, speakers]``, and the speaker of each clip ``[clips]``."""

    copies: Array
    speaker: np.ndarray

    @classmethod
    def draw(cls, speakers: Sequence[str], draws: int, seed: int) -> Resamples:
        """So many resamples of the speakers of the clips."""
        names, places = np.unique(np.asarray(speakers), return_inverse=True)
        rng = np.random.default_rng(seed)
        copies = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
        return cls(copies.astype(np.float64), places)

    def average(self, values: Array, chosen: np.ndarray) -> Means:
        """Means of the chosen clips, from values ``[clips, K]``; NaN is a clip without a value."""
        known = np.isfinite(values) & chosen[:, None]
        kept = np.where(known, values, 0.0)
        size = self.copies.shape[1]
        owner = np.zeros((size, len(values)))
        owner[self.speaker, np.arange(len(values))] = 1.0
        sums, counts = owner @ kept, owner @ known
        with np.errstate(invalid="ignore", divide="ignore"):
            return Means(
                mean=sums.sum(axis=0) / counts.sum(axis=0),
                drawn=(self.copies @ sums) / (self.copies @ counts),
                clips=known.sum(axis=0),
                speakers=(counts > 0).sum(axis=0),
            )


@dataclass(frozen=True, eq=False)
class Means:
    """Means ``[K]``, those of every resample of speakers ``[draws, K]``, and how many clips and speakers ``[K]``."""

    mean: Array
    drawn: Array
    clips: np.ndarray
    speakers: np.ndarray

    def subtract(self, other: Means) -> Means:
        """The difference of two means over the same speakers' resamples."""
        return Means(
            self.mean - other.mean,
            self.drawn - other.drawn,
            self.clips + other.clips,
            np.minimum(self.speakers, other.speakers),
        )

    def find_error(self) -> Array:
        """Standard error ``[K]``; NaN for fewer than two speakers."""
        enough = np.where(self.speakers > 1, self.speakers, np.nan)
        # Resampling S units gives the spread of a mean over S, not S - 1.
        return np.asarray(spread(self.drawn) * np.sqrt(enough / (enough - 1)))

    def find_interval(self, level: float = 0.95) -> tuple[Array, Array]:
        """Ends of the interval ``[K]``."""
        half = stats.t.ppf((1 + level) / 2, np.maximum(self.speakers - 1, 1)) * self.find_error()
        return self.mean - half, self.mean + half

    def find_p(self) -> Array:
        """Two-sided p of the means against 0 ``[K]``."""
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.abs(self.mean) / self.find_error()
        return np.asarray(2 * stats.t.sf(t, np.maximum(self.speakers - 1, 1)))


def spread(drawn: Array) -> Array:
    """SD of the resampled means that have a value, ``[draws, K]`` to ``[K]``; no spread at all is none known."""
    known = np.isfinite(drawn)
    count = np.maximum(known.sum(axis=0), 1)
    kept = np.where(known, drawn, 0.0)
    centred = np.where(known, kept - kept.sum(axis=0) / count, 0.0)
    found = np.sqrt((centred**2).sum(axis=0) / count)
    return np.where(found > ROUNDING, found, np.nan)


def average_contrasts(
    clips: Sequence[Heard], contrasts: Contrasts, quantiles: Sequence[float], draws: int, seed: int
) -> pd.DataFrame:
    """One row a quantile, kind of contrast, subset, emotion and cue.

    Columns: ``quantile``, ``kind``, ``subset`` (all, correct, wrong, or the difference correct minus wrong),
    ``emotion`` (the true one), ``cue``, ``clips``, ``speakers``, ``mean`` (SDs), ``low``, ``high``, ``p``, ``q``.
    """
    resamples = Resamples.draw([heard.speaker for heard in clips], draws, seed)
    emotion = np.array([heard.emotion for heard in clips])
    correct = np.array([heard.correct for heard in clips])
    chosen = {"all": np.ones(len(clips), bool), "correct": correct, "wrong": ~correct}
    parts = []
    for kind in KINDS:
        # All quantiles in one product.
        values = contrasts.kinds[kind].reshape(len(clips), -1)
        for name in np.unique(emotion):
            found = {key: resamples.average(values, flags & (emotion == name)) for key, flags in chosen.items()}
            found["difference"] = found["correct"].subtract(found["wrong"])
            for subset in SUBSETS:
                means = found[subset]
                low, high = means.find_interval()
                parts.append(
                    pd.DataFrame(
                        {
                            "quantile": np.repeat(np.asarray(quantiles, dtype=float), len(CUE_NAMES)),
                            "kind": kind,
                            "subset": subset,
                            "emotion": name,
                            "cue": np.tile(CUE_NAMES, len(quantiles)),
                            "clips": means.clips,
                            "speakers": means.speakers,
                            "mean": means.mean,
                            "low": low,
                            "high": high,
                            "p": means.find_p(),
                        }
                    )
                )
    table = pd.concat(parts, ignore_index=True)
    families = table.groupby(["quantile", "kind", "subset"])["p"]
    return table.assign(q=families.transform(lambda p: adjust_p(p.to_numpy(), "bh")))


def add_expectations(contrasts: pd.DataFrame, signs: Mapping[str, Array], weights: Mapping[str, Array]) -> pd.DataFrame:
    """Beside each contrast what the table expects: ``expected`` (1, -1, or 0 for nothing) and its ``weight``."""
    place = {name: at for at, name in enumerate(CUE_NAMES)}
    pairs = list(zip(contrasts["emotion"], contrasts["cue"], strict=True))
    return contrasts.assign(
        expected=[int(signs[emotion][place[cue]]) for emotion, cue in pairs],
        weight=[float(weights[emotion][place[cue]]) for emotion, cue in pairs],
    )
