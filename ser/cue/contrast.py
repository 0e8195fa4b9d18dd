"""How a salient region sounds beside the speaker's neutral speech, the rest of the clip, and itself moved elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ser.cue.cues import CUE_NAMES, measure_cues
from ser.cue.heard import Heard
from ser.cue.region import draw_lags, find_region, lay_over, project_relevance, shift_region
from ser.cue.tracks import Array, Flags, Tracks
from ser.statistics.adjust import adjust_p

#: Places of the region in each reference clip.
PLACES = 8
#: Reference clips that the spread over all speakers is worth, when a speaker's own is estimated from few.
PRIOR = 4
#: Shifted regions of each clip that are kept for chance levels over the corpus.
KEPT = 100
#: A spread below this share of a value is rounding.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Measured:
    """One clip's cues, each ``[quantiles, cues]``.

    Args:
        value, rest: in the region, and in the frames outside it.
        share: of the frames that the region takes ``[quantiles]``.
        mean, variance: of the same region laid over the reference clips.
        null: of the region moved around the clip ``[shifts, quantiles, cues]``.
        references: how many clips stand for the speaker's neutral.
    """

    value: Array
    rest: Array
    share: Array
    mean: Array
    variance: Array
    null: Array
    references: int


def measure_clip(
    heard: Heard,
    tracks: Tracks,
    references: Sequence[Tracks],
    quantiles: Sequence[float],
    shifts: int,
    rng: np.random.Generator,
) -> Measured | None:
    """Measure a clip and what it is compared with; ``None`` where no relevance is positive."""
    mass, made = project_relevance(heard, len(tracks.times))
    regions = [find_region(mass, quantile) for quantile in quantiles]
    if not all(region.any() for region in regions):
        return None
    lags = draw_lags(int(made.sum()), shifts, rng)
    found = []
    for region in regions:
        sets = np.concatenate([region[None], (made & ~region)[None], shift_region(region, made, lags)])
        values = measure_cues(tracks, sets)
        mean, variance = _measure_references(region, made, references)
        found.append((values[0], values[1], region.sum() / made.sum(), mean, variance, values[2:]))
    value, rest, share, mean, variance, null = map(np.array, zip(*found, strict=True))
    return Measured(value, rest, share, mean, variance, null.swapaxes(0, 1), len(references))


def _measure_references(region: Flags, made: Flags, references: Sequence[Tracks]) -> tuple[Array, Array]:
    """Mean over clips and variance over clips and places of a region laid over reference clips, each ``[cues]``."""
    if not references:
        missing = np.full(len(CUE_NAMES), np.nan)
        return missing, missing
    values = np.array(
        [measure_cues(tracks, lay_over(region, made, len(tracks.times), PLACES)) for tracks in references]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing are missing values
        mean = np.nanmean(np.nanmean(values, axis=1), axis=0)
        variance = np.nanvar(values.reshape(-1, values.shape[-1]), axis=0, ddof=1)
    return mean, variance


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Contrasts of all clips in SD units.

    Args:
        kinds: ``neutral``, ``rest`` and ``shift``, each ``[clips, quantiles, cues]``.
        null: the contrast with neutral of the regions moved elsewhere ``[kept, clips, quantiles, cues]``.
        frame: one row a clip x quantile x cue.
    """

    kinds: dict[str, Array]
    null: Array
    frame: pd.DataFrame


def contrast_clips(
    clips: Sequence[Heard], measured: Sequence[Measured], quantiles: Sequence[float], rng: np.random.Generator
) -> Contrasts:
    """Put measurements in SD units and test each within its clip.

    The unit is the speaker's SD of such regions in neutral speech. From few clips it is drawn towards that of all
    speakers, which is worth :data:`PRIOR` clips; where no speaker has references, the SD of moved regions stands in.

    - ``neutral``: against the same region in the speaker's neutral clips; p from the prediction interval.
    - ``rest``: against the frames outside the region.
    - ``shift``: against the region moved around the clip (circular shifts keep the map's autocorrelation); p is the
      share of moved regions that lie as far out.
    """
    value, rest, mean = (np.array([getattr(one, name) for one in measured]) for name in ("value", "rest", "mean"))
    count = np.array([one.references for one in measured])[:, None, None]
    scale = _shrink(np.array([one.variance for one in measured]), count, [one.null for one in measured])
    centre, spread, p_shift = _compare_shifts(value, [one.null for one in measured])
    kinds = {"neutral": (value - mean) / scale, "rest": (value - rest) / scale, "shift": (value - centre) / scale}
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (value - centre) / np.where(spread > ROUNDING * np.abs(centre), spread, np.nan)
        t = kinds["neutral"] / np.sqrt(1 + 1 / np.maximum(count, 1))
        p_neutral = 2 * stats.t.sf(np.abs(t), np.maximum(count - 1, 0) + PRIOR)
    share = np.array([one.share for one in measured])
    frame = _tabulate(clips, quantiles, value, kinds, z, p_shift, p_neutral, share, count[:, 0, 0])
    null = np.stack([one.null[rng.integers(len(one.null), size=KEPT)] for one in measured], axis=1)
    return Contrasts(kinds, (null - mean) / scale, frame)


def _shrink(variance: Array, count: Array, null: Sequence[Array]) -> Array:
    """The SD that serves as unit ``[clips, quantiles, cues]``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        pooled = np.nanmean(variance, axis=0)
        moved = np.nanmean([np.nanvar(one, axis=0) for one in null], axis=0)
    pooled = np.where(np.isnan(pooled), moved, pooled)
    own = np.where(np.isnan(variance), pooled, variance)
    scale = np.sqrt((count * own + PRIOR * pooled) / (count + PRIOR))
    return np.where(scale > 1e-12, scale, np.nan)


def _compare_shifts(value: Array, null: Sequence[Array]) -> tuple[Array, Array, Array]:
    """Mean and SD of moved regions, and the share that lies as far from the mean, each ``[clips, quantiles, cues]``."""
    centres, spreads, shares = [], [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for own, moved in zip(value, null, strict=True):
            centre = np.nanmean(moved, axis=0)
            away = np.abs(moved - centre) >= np.abs(own - centre) * (1 - ROUNDING)
            known = np.isfinite(moved)
            centres.append(centre)
            spreads.append(np.nanstd(moved, axis=0))
            p = (1 + (away & known).sum(axis=0)) / (1 + known.sum(axis=0))
            shares.append(np.where(np.isfinite(own) & known.any(axis=0), p, np.nan))
    return np.array(centres), np.array(spreads), np.array(shares)


def _tabulate(
    clips: Sequence[Heard],
    quantiles: Sequence[float],
    value: Array,
    kinds: dict[str, Array],
    z: Array,
    p_shift: Array,
    p_neutral: Array,
    share: Array,
    count: np.ndarray,
) -> pd.DataFrame:
    parts = []
    for at, heard in enumerate(clips):
        for place, quantile in enumerate(quantiles):
            parts.append(
                pd.DataFrame(
                    {
                        "clip": heard.clip,
                        "speaker": heard.speaker,
                        "true": heard.emotion,
                        "predicted": heard.predicted,
                        "correct": heard.correct,
                        "quantile": float(quantile),
                        "cue": CUE_NAMES,
                        "value": value[at, place],
                        "share": share[at, place],
                        **{kind: numbers[at, place] for kind, numbers in kinds.items()},
                        "z": z[at, place],
                        "p_shift": p_shift[at, place],
                        "q_shift": adjust_p(p_shift[at, place], "bh"),
                        "p_neutral": p_neutral[at, place],
                        "q_neutral": adjust_p(p_neutral[at, place], "bh"),
                        "references": int(count[at]),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)
