"""Temperature scaling: probabilities that are as often right as they say.

One number divides all logits, so that which emotion is named does not change (Guo et al., On calibration of modern
neural networks, ICML 2017). It is fitted on clips that trained nothing; they did choose the epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from ser.errors import InputError

#: Least probability that has a logarithm.
FLOOR = 1e-12
#: Where a temperature is looked for.
LOWEST, HIGHEST = 0.05, 20.0


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature.

    Attributes:
        value: 1 changes nothing, more makes a model less sure.
        clips: that it was fitted on.
        before: mean negative log-likelihood of their true emotions without it.
        after: and with it.
    """

    value: float
    clips: int
    before: float
    after: float

    def describe(self) -> str:
        """For people."""
        return (
            f"temperature {self.value:.2f} fitted on {self.clips} validation clips "
            f"(mean negative log-likelihood {self.before:.3f} before, {self.after:.3f} after)"
        )


def fit_temperature(validated: pd.DataFrame) -> Temperature:
    """The temperature that makes true emotions most likely.

    Args:
        validated: predictions of validation parts, a row a clip, with ``true`` and ``p_<emotion>``.

    Raises:
        InputError: there are none, or they are numbers.
    """
    columns = [column for column in validated.columns if str(column).startswith("p_")]
    if len(validated) and not columns:
        raise InputError("calibrated=true: the model predicts numbers, which have no probabilities")
    emotions = [column.removeprefix("p_") for column in columns]
    known = validated[validated["true"].isin(emotions)] if columns else validated
    if known.empty:
        raise InputError(
            "calibrated=true: the run has no validation predictions to fit a temperature on",
            expected="a run whose training was validated: a network with trainer.early_stopping",
            remedy="leave out calibrated=true; scikit-learn's estimators never have a validation part",
        )
    probabilities = known[columns].to_numpy(dtype=float, na_value=0.0)
    true = np.array([emotions.index(emotion) for emotion in known["true"]])
    rows = np.arange(len(true))

    def lose(logarithm: float) -> float:
        tempered = temper(probabilities, float(np.exp(logarithm)))
        return float(-np.log(np.clip(tempered[rows, true], FLOOR, None)).mean())

    found = minimize_scalar(lose, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return Temperature(float(np.exp(found.x)), len(true), lose(0.0), float(found.fun))


def temper(probabilities: np.ndarray, temperature: float | Sequence[float]) -> np.ndarray:
    """Probabilities [..., K] with their logits divided by a temperature; those that are zero stay so."""
    absent = probabilities <= 0
    logits = np.where(absent, -np.inf, np.log(np.clip(probabilities, FLOOR, None))) / temperature
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
