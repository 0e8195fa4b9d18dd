"""An export in MLflow's model format: ``mlflow.pyfunc.load_model``, the registry and ``mlflow models serve`` take it.

A row of the input is a recording: ``audio`` is its waveform, mono numbers at the model's sampling rate (in the
metadata of the model as ``rate``), prepared here as a file's would be. It is no path, for a server must not open files
that a client names. Models that read have ``text``. A row of the output is that of ``ser predict``, without the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser.audio.prepare import BadAudio
from ser.errors import InputError
from ser.prediction.places import Place
from ser.prediction.predictor import Predictor


class Served:
    """What MLflow calls.

    Args:
        predictor: of the export.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """A row a recording: ``predicted`` and ``p_<emotion>``, or ``pred_<dimension>``.

        Args:
            model_input: ``audio`` [N], each numbers [T]; ``text`` [N], for models that read.
            params: none.

        Raises:
            mlflow.exceptions.MlflowException: a recording that cannot be used; a server answers with 400.
        """
        from mlflow.exceptions import MlflowException

        try:
            found = self.predictor.judge([make_place(row) for row in model_input.to_dict("records")])
        except InputError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        rows = []
        for number, one in enumerate(found):
            if isinstance(one, BadAudio):
                raise MlflowException.invalid_parameter_value(f"audio of row {number}: {one}")
            told = {f"p_{name}": value for name, value in one.probabilities.items()}
            rows.append({"predicted": one.emotion, **told} if told else rename(one.values))
        return pd.DataFrame(rows)


def make_place(row: Mapping[Any, Any]) -> Place:
    """A row of the input as a recording."""
    samples = None if row.get("audio") is None else np.asarray(row["audio"], dtype=np.float32).reshape(-1)
    text = row.get("text")
    return Place("audio", text=text if isinstance(text, str) else None, samples=samples)


def rename(values: Mapping[str, float]) -> dict[str, float]:
    """Numbers under the names of their columns."""
    return {f"pred_{name}": value for name, value in values.items()}


def _load_pyfunc(path: str) -> Served:
    """The model in an export; MLflow looks for this name."""
    predictor = Predictor.load(Path(path))
    predictor.warm_up()
    return Served(predictor)
