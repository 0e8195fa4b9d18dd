"""Several finished runs as one: the mean of what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ser.audio.prepare import BadAudio
from ser.errors import InputError
from ser.prediction.predictor import Predictor
from ser.prediction.said import Said

#: Ways to fuse probabilities; of logarithms, an emotion that one run all but rules out stays unlikely.
RULES = ("log_probabilities", "probabilities")
#: Least probability that has a logarithm.
FLOOR = 1e-12


def check_alike(predictors: Sequence[Predictor]) -> None:
    """Raise InputError unless all predict the same."""
    first, *others = predictors
    for other in others:
        if (first.emotions, first.dimensions) != (other.emotions, other.dimensions):
            listing = "; ".join(
                f"{each.name}: {', '.join(each.emotions or each.dimensions)}" for each in (first, other)
            )
            raise InputError(
                "runs: what they predict differs, so there is nothing to take the mean of",
                expected=f"runs with the same emotions, or the same dimensions; {listing}",
                remedy="train with the same dataset.emotions, or predict by each run alone",
            )


def fuse(said: Sequence[Said], rule: str) -> Said:
    """What is said of the same places by several runs, as one.

    Args:
        said: by each run.
        rule: one of :data:`RULES`, for probabilities; numbers are averaged as they are.
    """
    scores = np.stack([each.scores for each in said])
    if said[0].emotional and rule == "log_probabilities":
        logarithms = np.log(np.clip(scores, FLOOR, None)).mean(axis=0)
        exponentials = np.exp(logarithms - logarithms.max(axis=-1, keepdims=True))
        mean = exponentials / exponentials.sum(axis=-1, keepdims=True)
    else:
        mean = scores.mean(axis=0)
    problems: dict[int, BadAudio] = {}
    for each in said:
        problems = {**each.problems, **problems}
    mean[list(problems)] = np.nan
    return Said(said[0].names, said[0].emotional, mean, problems, max(each.seconds for each in said))
