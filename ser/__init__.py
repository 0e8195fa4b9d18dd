"""Experiments on speech emotion recognition that can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ser.prediction.predictor import Predictor

__version__ = "0.1.0"


def load(run: str | Path, fold: str | None = None, calibrated: bool = False, accelerator: str = "auto") -> Predictor:
    """The model of a finished run, to be called with recordings: ``ser.load(run)("clip.wav").emotion``.

    Args:
        run: id, key or directory of a finished run of ``ser train``, or the folder of an export.
        fold: name or number of the fold whose model it is; by default the mean of the models of all folds.
        calibrated: divide logits by a temperature that is fitted on the run's validation predictions.
        accelerator: ``cpu``, or others for the accelerator that there is.

    Returns:
        See :class:`ser.prediction.predictor.Predictor`.

    Raises:
        ser.errors.InputError: no such run or fold, weights that are gone, nothing to fit a temperature on.
    """
    from ser.prediction.predictor import Predictor

    return Predictor.load(run, fold, calibrated, accelerator=accelerator)
