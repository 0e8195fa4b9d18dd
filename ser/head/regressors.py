"""scikit-learn regressors on functionals: one a dimension (arousal, valence, dominance), with common settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GroupKFold
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ser import regression
from ser.errors import InputError
from ser.head.data import Part, Values, Workspace
from ser.head.estimators import FILE, ScikitHead
from ser.head.pickles import load_pickle, save_pickle
from ser.head.trunk import Trunk
from ser.results import read_json, write_json

SHAPE = "model.json"


class RegressorHead(ScikitHead):
    """A regressor, fitted anew for each dimension.

    Features and targets are z-scored on the training part, so that a penalty or a margin means the same for every
    dimension; predictions come back in the unit of the ratings. Tuning chooses one setting for all dimensions.
    """

    def check_target(self, dimensions: Sequence[str]) -> None:
        """Refuse emotions.

        Raises:
            InputError: with heads that can predict them.
        """
        if not dimensions:
            raise InputError(
                f"head with {type(self.estimator).__name__}: a regressor cannot name emotions",
                expected="a classifier, or a target of numbers",
                remedy="choose head=ridge, svm, linear or mlp, or pass dataset.target=[arousal,valence,dominance]",
            )

    def fit(self, train: Part, validation: Part | None, workspace: Workspace) -> FittedRegressor:  # noqa: ARG002
        """Fit on a training part that has targets."""
        self.check_target(train.dimensions)
        assert train.targets is not None
        pipeline = make_pipeline(self._make_scaler(), MultiOutputRegressor(self._make_estimator()))
        model: Any = TransformedTargetRegressor(pipeline, transformer=StandardScaler())
        if self.tune:
            splitter = GroupKFold(self._count_inner_folds(train), shuffle=True, random_state=self.seed)
            step = f"regressor__{pipeline.steps[-1][0]}__estimator"
            model = self._search(model, step, train, train.targets, score_ccc, splitter)
        model.fit(train.matrix, train.targets)
        return FittedRegressor(model, train.dimensions)

    def load(self, folder: Path, trunk: Trunk) -> FittedRegressor:  # noqa: ARG002 - heads are alike
        """The model that :meth:`FittedRegressor.save` wrote; only types that scikit-learn ships are read."""
        model = load_pickle(folder / FILE)
        return FittedRegressor(model, tuple(read_json(folder / SHAPE)["dimensions"]))


class FittedRegressor:
    """A fitted regressor with the names of its dimensions."""

    emotions: tuple[str, ...] = ()

    def __init__(self, model: TransformedTargetRegressor, dimensions: tuple[str, ...]) -> None:
        self.model = model
        self.dimensions = dimensions

    @property
    def choices(self) -> dict[str, Any]:
        """Parameters of the estimator, as tuned."""
        return self.model.regressor_[-1].estimator.get_params()

    def predict(self, part: Part) -> Values:
        """Predictions for all clips of a part, in order."""
        return Values(self.dimensions, self.model.predict(part.matrix))

    def save(self, folder: Path) -> None:
        """Write the model as :meth:`RegressorHead.load` reads it."""
        save_pickle(self.model, folder / FILE)
        write_json(folder / SHAPE, {"dimensions": list(self.dimensions)})


def score_ccc(model: Any, features: np.ndarray, targets: np.ndarray) -> float:
    """CCC of a fitted model, mean over dimensions, as scikit-learn's search asks for it."""
    return float(regression.ccc(regression.sum_clips(targets, model.predict(features))).mean())
