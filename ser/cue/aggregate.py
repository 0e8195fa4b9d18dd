"""From clips to a corpus: mean contrasts of each emotion and cue, with intervals over speakers.

Speakers are resampled with replacement, all their clips with them; p is twice the smaller share of resampled means on
either side of 0. Over the emotions and cues of one table, p is adjusted by Benjamini & Hochberg's procedure.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser.cue.contrast import Contrasts
from ser.cue.cues import CUE_NAMES
from ser.cue.heard import Heard
from ser.cue.tracks import Array
from ser.statistics.adjust import adjust_p

SUBSETS = ("all", "correct", "wrong", "difference")
KINDS = ("neutral", "rest", "shift")


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

    def average(self, values: Array, chosen: np.ndarray) -> tuple[Array, Array]:
        """Means of the chosen clips ``[K]`` and of each resample ``[draws, K]``, from values ``[clips, K]``.

        NaN where no clip, or fewer than two speakers, have a value.
        """
        known = np.isfinite(values) & chosen[:, None]
        kept = np.where(known, values, 0.0)
        size = self.copies.shape[1]
        sums, counts = np.zeros((size, values.shape[1])), np.zeros((size, values.shape[1]))
        np.add.at(sums, self.speaker, kept)
        np.add.at(counts, self.speaker, known)
        enough = (counts > 0).sum(axis=0) >= 2
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = sums.sum(axis=0) / counts.sum(axis=0)
            drawn = (self.copies @ sums) / (self.copies @ counts)
        return mean, np.where(enough, drawn, np.nan)


def find_p(drawn: Array) -> Array:
    """Two-sided p of resampled means ``[draws, K]`` against 0 ``[K]``; NaN where nothing was resampled."""
    known = np.isfinite(drawn)
    count = known.sum(axis=0)
    low, high = ((drawn <= 0) & known).sum(axis=0), ((drawn >= 0) & known).sum(axis=0)
    # Random resamples never prove that a side is empty.
    return np.where(count > 0, np.minimum(1.0, 2 * (np.minimum(low, high) + 1) / (count + 1)), np.nan)


def find_interval(drawn: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Percentile interval of resampled means ``[draws, K]``, two arrays ``[K]``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def average_contrasts(
    clips: Sequence[Heard], contrasts: Contrasts, quantiles: Sequence[float], draws: int, seed: int
) -> pd.DataFrame:
    """One row a quantile, kind of contrast, subset, emotion and cue.

    Columns: ``quantile``, ``kind``, ``subset`` (all, correct, wrong, or the difference correct minus wrong), ``emotion``
    (the true one), ``cue``, ``clips``, ``speakers``, ``mean`` (SDs), ``low``, ``high``, ``p``, ``q``.
    """
    resamples = Resamples.draw([heard.speaker for heard in clips], draws, seed)
    emotion = np.array([heard.emotion for heard in clips])
    correct = np.array([heard.correct for heard in clips])
    speakers = np.array([heard.speaker for heard in clips])
    chosen = {"all": np.ones(len(clips), bool), "correct": correct, "wrong": ~correct}
    parts = []
    for kind in KINDS:
        # All quantiles in one product.
        values = contrasts.kinds[kind].reshape(len(clips), -1)
        for name in np.unique(emotion):
            found = {key: resamples.average(values, flags & (emotion == name)) for key, flags in chosen.items()}
            right, wrong = found["correct"], found["wrong"]
            found["difference"] = (right[0] - wrong[0], right[1] - wrong[1])
            for subset in SUBSETS:
                mean, drawn = found[subset]
                own = (emotion == name) & chosen.get(subset, chosen["all"])
                low, high = find_interval(drawn)
                parts.append(
                    pd.DataFrame(
                        {
                            "quantile": np.repeat(np.asarray(quantiles, dtype=float), len(CUE_NAMES)),
                            "kind": kind,
                            "subset": subset,
                            "emotion": name,
                            "cue": np.tile(CUE_NAMES, len(quantiles)),
                            "clips": np.isfinite(values[own]).sum(axis=0),
                            "speakers": _count_speakers(values[own], speakers[own]),
                            "mean": mean,
                            "low": low,
                            "high": high,
                            "p": find_p(drawn),
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


def _count_speakers(values: Array, speakers: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return np.array([len(np.unique(speakers[column])) for column in known.T], dtype=int)
