"""Track A0: ladders of planted doses that show which cues a meter follows, and which ones it mistakes for others.

Every utterance of a ladder differs from the next in one cue only (matched pairs of :mod:`ser.dataset.planted`), so a
rank correlation within the utterance is the meter's doing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from ser.cue.cues import CUE_NAMES, measure_cues
from ser.cue.tracks import Array, Meter
from ser.dataset.planted.speaker import draw_speaker
from ser.dataset.planted.text import compose_sentence
from ser.dataset.planted.utterance import synthesise

#: Lowest and highest dose of each planted cue.
GRID = {
    "f0_level": (-6.0, 6.0),
    "f0_range": (-1.5, 1.5),
    "loudness": (-12.0, 12.0),
    "loud_var": (-1.0, 2.0),
    "rate": (-0.6, 0.6),
    "pause": (-0.06, 0.3),
    "jitter": (-1.0, 3.0),
    "shimmer": (-1.0, 3.0),
    "tilt": (-0.6, 1.0),
    "breath": (-10.0, 24.0),
    "f1": (-0.25, 0.25),
    "f1_bw": (-1.0, 2.0),
}
DOSES = 5
#: The planted cue that each measured one should follow, and in which direction; the first one stands for it.
FOLLOWS = {
    "f0_level": ("f0_level", 1),
    "f0_range": ("f0_range", 1),
    "loudness": ("loudness", 1),
    "loud_var": ("loud_var", 1),
    "alpha_ratio": ("tilt", -1),
    "hammarberg": ("tilt", 1),
    "slope_low": ("tilt", -1),
    "slope_mid": ("tilt", -1),
    "centroid": ("tilt", -1),
    "high_share": ("tilt", -1),
    "f1": ("f1", 1),
    "f1_bandwidth": ("f1_bw", 1),
    "jitter": ("jitter", 1),
    "shimmer": ("shimmer", 1),
    "hnr": ("breath", -1),
    "rate": ("rate", 1),
    "pause_share": ("pause", 1),
    "pause_length": ("pause", 1),
}
#: A correlation below this is no measurement.
LEAST = 0.5


@dataclass(frozen=True)
class Calibration:
    """What a meter made of the ladders.

    Args:
        values: one row a planted cue, speaker, seed and dose; a column for each measured cue.
        correlations: mean within-utterance Spearman correlation, planted x measured.
        crosstalk: from the lowest to the highest dose, in SDs over neutral utterances, planted x measured.
        seconds: CPU time an utterance.
    """

    values: pd.DataFrame
    correlations: pd.DataFrame
    crosstalk: pd.DataFrame
    seconds: float


def plant_ladder(cue: str, speaker: int, seed: int, doses: int = DOSES) -> Iterator[tuple[float, np.ndarray]]:
    """Doses and waveforms (16 kHz) of one speaker's ladder of a cue; each speaker and seed has its own sentence."""
    voice = draw_speaker(f"s{speaker}", ("female", "male")[speaker % 2], (0, speaker))
    sentence = compose_sentence("ladder", (0, 2 * speaker + seed))
    for dose in np.linspace(*GRID[cue], doses):
        yield float(dose), synthesise(voice, sentence, {cue: dose}, key=(seed, speaker)).wave


def calibrate(
    meter: Meter, speakers: int = 4, seeds: int = 2, cues: Sequence[str] = tuple(GRID), first: int = 0
) -> Calibration:
    """Measure ladders of the cues for so many speakers (women and men alternating, from number ``first``) and seeds."""
    rows, spent = [], 0.0
    for cue in cues:
        for speaker in range(first, first + speakers):
            for seed in range(seeds):
                for dose, wave in plant_ladder(cue, speaker, seed):
                    start = time.process_time()
                    found = measure_cues(meter.measure(wave, 16000))[0]
                    spent += time.process_time() - start
                    rows.append((cue, speaker, seed, dose, *found))
    values = pd.DataFrame(rows, columns=["planted", "speaker", "seed", "dose", *CUE_NAMES])
    return Calibration(values, correlate(values), find_crosstalk(values), spent / len(values))


def correlate(values: pd.DataFrame) -> pd.DataFrame:
    """Mean Spearman correlation of dose and measure within utterances, planted x measured."""
    found = {}
    for cue, ladders in values.groupby("planted", sort=False):
        each = [
            [rank_correlation(ladder["dose"].to_numpy(), ladder[name].to_numpy()) for name in CUE_NAMES]
            for _, ladder in ladders.groupby(["speaker", "seed"])
        ]
        known = np.isfinite(each)
        found[str(cue)] = np.where(known, each, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return pd.DataFrame.from_dict(found, orient="index", columns=list(CUE_NAMES))


def find_crosstalk(values: pd.DataFrame) -> pd.DataFrame:
    """How far each measure moves along each ladder, in SDs of it over the ladders' neutral utterances."""
    neutral = values[np.isclose(values["dose"], 0)].drop_duplicates(["speaker", "seed"])
    spread = neutral[list(CUE_NAMES)].std().where(lambda sd: sd > 0).to_numpy()
    found = {}
    for cue, ladders in values.groupby("planted", sort=False):
        ends = ladders.sort_values("dose").groupby(["speaker", "seed"])[list(CUE_NAMES)]
        moved = ends.nth(-1).to_numpy() - ends.nth(0).to_numpy()
        known = np.isfinite(moved)
        count = np.where(known.any(axis=0), known.sum(axis=0), np.nan)
        found[str(cue)] = np.where(known, moved, 0).sum(axis=0) / count / spread
    return pd.DataFrame.from_dict(found, orient="index", columns=list(CUE_NAMES))


def find_reliability(correlations: pd.DataFrame) -> dict[str, float | None]:
    """Weight of each measured cue: its correlation with the planted cue it should follow, 0 below :data:`LEAST`.

    ``None`` where no planted cue tests it.
    """
    weights: dict[str, float | None] = dict.fromkeys(CUE_NAMES)
    for name, (planted, sign) in FOLLOWS.items():
        if planted in correlations.index:
            found = sign * float(correlations[name][planted])
            weights[name] = round(found, 2) if found >= LEAST else 0.0
    return weights


def rank_correlation(doses: Array, values: Array) -> float:
    """Spearman's correlation over the pairs that are known; NaN for fewer than three or where nothing varies."""
    known = np.isfinite(values)
    if known.sum() < 3 or np.ptp(values[known]) < 1e-12:
        return float("nan")
    return float(np.corrcoef(rankdata(doses[known]), rankdata(values[known]))[0, 1])
