"""What a model is fitted to: the rows of a design or the single answers behind them, and its terms."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.statistics.design import Design
from ser.statistics.settings import Settings

#: Of a sweep with up to so many factors all interactions are in the model; of a table always, for its user named them.
MOST_CROSSED = 3
#: Speakers whose numbers of clips differ by more than this factor weigh by them.
UNEVEN = 3.0
#: A share times its trials may be off a whole number by so much, as far as printed digits go.
ROUNDED = 0.1


@dataclass(frozen=True)
class Observations:
    """What a model is fitted to: the rows, their score, and the columns of its trials or weights."""

    frame: pd.DataFrame
    response: str
    trials: str | None = None
    weights: str | None = None
    random: tuple[tuple[str, ...], ...] = ()


# ---- rows and terms


def choose_observations(design: Design, settings: Settings) -> Observations:
    """The rows of a model: those of the design, their counts for a logit model, or single answers.

    Raises:
        InputError: a logit model of scores that are no counts.
    """
    frame, response, random = design.frame, design.response, design.random
    if design.rows == "table":
        known = frame if settings.trials is None else count_correct(frame, response, settings.trials)
        return Observations(known, response, settings.trials, None, random)
    if settings.rows == "clips":
        answers = design.table.predictions
        if "correct" not in answers:
            raise InputError("statistics.rows=clips: no predictions of emotions are left")
        return Observations(answers, "correct", None, None, (*random, ("utterance",)))
    if settings.binomial:
        if not {"n", "n_correct"} <= set(frame):
            raise InputError(
                "statistics.family=binomial: scores of whole runs are no counts",
                expected="statistics.rows=cells or clips, with predictions of emotions",
            )
        return Observations(frame, "n_correct", "n", None, random)
    uneven = design.rows == "cells" and frame["n"].max() > UNEVEN * frame["n"].min()
    return Observations(frame, response, None, "n" if uneven else None, random)


def count_correct(frame: pd.DataFrame, response: str, trials: str) -> pd.DataFrame:
    """The rows with counts for the response: shares of trials are multiplied out.

    Raises:
        InputError: no such column, or shares that are no shares of these trials.
    """
    if trials not in frame:
        raise InputError(f"statistics.trials={trials}: no such column", expected=", ".join(map(str, frame.columns)))
    if trials == response or not pd.api.types.is_numeric_dtype(frame[trials]):
        raise InputError(
            f"statistics.trials={trials}: {'it is the response' if trials == response else 'it holds text'}",
            expected=f"a column with the number of trials that {response} counts the successes of",
        )
    scores = frame[response].to_numpy(dtype=float)
    wrong = frame[(scores < 0) | (scores > frame[trials]) | (frame[trials] < 1)]
    if len(wrong):
        row = wrong.iloc[0]
        raise InputError(
            f"statistics.trials={trials}: {len(wrong)} of {len(frame)} rows have {response} below 0 or above {trials}, "
            f"such as {row[response]:g} of {row[trials]:g}",
            expected=f"from 0 to {trials} successes of at least one trial",
            remedy=f"pass the column of trials as statistics.trials, of successes (or their share) as {response}",
        )
    if np.nanmax(scores) > 1 or (scores == np.round(scores)).all():
        return frame
    counts = scores * frame[trials].to_numpy(dtype=float)
    if (np.abs(counts - np.round(counts)) > ROUNDED).any():
        raise InputError(
            f"{response} is neither a count nor a share of {trials}",
            expected=f"whole numbers up to {trials}, or shares that times {trials} are whole numbers",
        )
    return frame.assign(**{response: np.round(counts)})


def find_order(design: Design, settings: Settings) -> int | None:
    """Highest order of interactions: the user's, all where these are few and rows repeat; None: by the rows."""
    if settings.interactions is not None:
        return min(settings.interactions, len(design.factors))
    few = len(design.factors) <= MOST_CROSSED or design.rows == "table"
    repeated = int((design.counts["n_rows"] > 0).sum()) < len(design.frame)
    return len(design.factors) if few and repeated else None


def list_terms(design: Design, settings: Settings) -> list[tuple[str, ...]]:
    """Terms of a mixed model: all interactions up to :func:`find_order`, pairs where that leaves it open."""
    highest = find_order(design, settings) or 2
    return [term for size in range(1, highest + 1) for term in combinations(design.factors, size)]
