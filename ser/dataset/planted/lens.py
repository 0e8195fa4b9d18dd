"""Track A3 "lens": emotions expressed through five cues with known weights, and the truth that follows.

Each cue's z is standard normal and independent of the others; an emotion e is read from them as
``y ~ softmax(sum_c beta_ec z_c)``. A recogniser that uses the cues as planted therefore owes ``beta_ec z_c`` to cue c,
exactly. The weights are profiles (signs after Juslin & Laukka 2003, Banse & Scherer 1996, Scherer 2003, Murray & Arnott
1993; sizes are a choice), divided by the largest in each cue, times one strength.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, softmax
from scipy.stats import qmc

from ser.dataset.planted.cues import Array
from ser.dataset.planted.streams import Stream, open_stream

LENS_EMOTIONS = ("anger", "happiness", "sadness", "fear", "disgust", "neutral")
LENS_CUES = ("f0_level", "f0_range", "loudness", "rate", "tilt")
#: Dose of one z, small enough that 3 SDs stay inside the range of natural doses.
LENS_UNITS = {"f0_level": 2.0, "f0_range": 0.5, "loudness": 3.0, "rate": 0.2, "tilt": 0.2}
#: Doses at strength 1, in the order of ``LENS_CUES``.
PROFILES = {
    "anger": (3.0, 0.8, 6.0, 0.25, -0.4),
    "happiness": (5.0, 1.0, 3.0, 0.25, -0.2),
    "sadness": (-2.0, -0.8, -6.0, -0.35, 0.5),
    "fear": (6.0, -0.3, -2.0, 0.3, 0.1),
    "disgust": (-3.0, 0.2, -2.0, -0.4, -0.1),
    "neutral": (0.0, 0.0, 0.0, 0.0, 0.0),
}
#: SD and largest size of the doses of cues that carry no emotion: natural, and too small to mask the others.
FREE_CUES = {
    "loud_var": (0.2, 0.5),
    "pause": (0.02, 0.05),
    "jitter": (0.3, 0.9),
    "shimmer": (0.3, 0.9),
    "breath": (2.0, 6.0),
    "f1": (0.03, 0.09),
    "f1_bw": (0.15, 0.45),
}
Z_LIMIT = 3.0
#: At 8 the ideal observer, who knows z, reaches a UAR of 0.88 on balanced clips (4: 0.76, 6: 0.83, 10: 0.90, 12: 0.92).
STRENGTH = 8.0


def weigh_cues(strength: float = STRENGTH) -> Array:
    """The weights beta, ``[emotions, cues]`` in the order of ``LENS_EMOTIONS`` and ``LENS_CUES``."""
    rows = np.array([PROFILES[emotion] for emotion in LENS_EMOTIONS])
    return strength * rows / np.abs(rows).max(axis=0)


def score_emotions(z: ArrayLike, strength: float = STRENGTH) -> Array:
    """Logits ``[clips, emotions]`` of cue values ``[clips, cues]``."""
    return np.asarray(z, dtype=float) @ weigh_cues(strength).T


def estimate_prior(strength: float = STRENGTH, points: int = 2**14) -> Array:
    """P(emotion) before balancing, ``[emotions]``: the mean of the softmax over z, by quasi-Monte Carlo."""
    uniform = qmc.Sobol(len(LENS_CUES), scramble=False).random(points) + 0.5 / points
    z = np.clip(ndtri(uniform), -Z_LIMIT, Z_LIMIT)
    return np.asarray(softmax(score_emotions(z, strength), axis=1).mean(axis=0))


def infer_emotions(z: ArrayLike, strength: float = STRENGTH, *, balanced: bool = True) -> Array:
    """The ideal observer's posterior ``[clips, emotions]`` for cue values ``[clips, cues]``.

    Args:
        z: true values of the lens cues.
        strength: of the corpus.
        balanced: the clips are as many for each emotion, as in the corpus; the posterior is then proportional to
            ``softmax(score) / prior``. Otherwise it is the softmax itself.
    """
    scores = score_emotions(z, strength)
    if balanced:
        scores = scores - np.log(estimate_prior(strength))
    return np.asarray(softmax(scores, axis=1))


def attribute_cues(z: ArrayLike, strength: float = STRENGTH, *, background: ArrayLike | None = None) -> Array:
    """True Shapley values of the logits, ``[clips, emotions, cues]``: ``beta_ec (z_c - E z_c)``.

    Args:
        z: true values of the lens cues, ``[clips, cues]``.
        strength: of the corpus.
        background: E z, ``[cues]``; by default 0, its value over the design. Pass the mean over the clips to compare
            with an explainer whose baseline is the corpus.
    """
    centred = np.asarray(z, dtype=float) - (0.0 if background is None else np.asarray(background, dtype=float))
    return weigh_cues(strength)[None] * centred[:, None, :]


def draw_cues(
    emotion: str, key: tuple[int, ...], strength: float = STRENGTH
) -> tuple[dict[str, float], dict[str, float]]:
    """Draw an utterance's cues given its emotion: z of the lens cues, and the doses of all cues.

    The draw is rejection sampling: z from the prior and y from the softmax, until y is the emotion. That is exactly
    p(z | y), so a corpus can have as many clips of each emotion as it likes without touching how each one sounds; only
    P(y) changes. z is clipped at 3 SDs before y is drawn, so that z, dose and truth agree.
    """
    rng = open_stream(Stream.LENS, key)
    free = {cue: float(np.clip(sd * rng.standard_normal(), -cap, cap)) for cue, (sd, cap) in FREE_CUES.items()}
    wanted = LENS_EMOTIONS.index(emotion)
    while True:
        z = np.clip(rng.standard_normal((256, len(LENS_CUES))), -Z_LIMIT, Z_LIMIT)
        chances = softmax(score_emotions(z, strength), axis=1)[:, wanted]
        accepted = np.flatnonzero(rng.random(256) < chances)
        if accepted.size:
            drawn = dict(zip(LENS_CUES, map(float, z[accepted[0]]), strict=True))
            return drawn, {cue: value * LENS_UNITS[cue] for cue, value in drawn.items()} | free
