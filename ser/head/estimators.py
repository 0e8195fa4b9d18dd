"""scikit-learn estimators on functionals: scaler and grid search see training clips only."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import BaseCrossValidator, GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ser.errors import InputError
from ser.head.data import Part, Predictions, Workspace
from ser.head.pickles import load_pickle, save_pickle
from ser.head.trunk import Trunk

log = logging.getLogger(__name__)
FILE = "model.pkl"


class ScikitHead:
    """What classifiers and regressors of scikit-learn have in common behind the interface of all heads.

    Args:
        estimator: unfitted classifier or regressor.
        grid: parameter → values to try; the UAR, or the mean CCC, of speaker-disjoint inner folds of the training part
            decides.
        tune: search the grid, or take the estimator's own values.
        inner_folds: inner folds of the search (at most the number of training speakers).
        scale: z-score each feature on the training part.
        class_weight: ``none`` or ``balanced`` (weights from training counts).
        seed: of estimators that draw random numbers.
    """

    uses_trainer = False

    def __init__(
        self,
        estimator: BaseEstimator,
        grid: Mapping[str, Sequence[Any]] | None = None,
        tune: bool = True,
        inner_folds: int = 5,
        scale: bool = True,
        class_weight: str = "none",
        seed: int = 0,
    ) -> None:
        self.estimator = estimator
        self.grid = {name: list(values) for name, values in (grid or {}).items()}
        self.tune = tune and bool(self.grid)
        self.inner_folds = inner_folds
        self.scale = scale
        self.class_weight = class_weight
        self.seed = seed

    def check(self, trunk: Trunk) -> None:
        """Refuse a backbone or a pooling that must be trained, and class weights that the estimator does not know.

        Raises:
            InputError: with the reason.
        """
        name = type(self.estimator).__name__
        if trunk.trains:
            raise InputError(
                f"head with {name}: scikit-learn cannot train the backbone {type(trunk.backbone).__name__}",
                expected="a backbone of fixed features, such as egemaps, or finetune=frozen with a pretrained one",
                remedy="choose head=linear or head=mlp for this backbone",
            )
        if trunk.learns:
            raise InputError(
                f"head with {name}: scikit-learn cannot train a pooling, a mix of layers or a fusion",
                expected="backbone.layer=<number>, pooling=mean, mean_std, max or sum, fusion=concat without dropout",
                remedy="choose these, or head=linear or head=mlp",
            )
        if self.class_weight != "none" and "class_weight" not in self.estimator.get_params():
            raise InputError(
                f"class_weight={self.class_weight}: {name} has no class weights", remedy="pass class_weight=none"
            )
        unknown = [key for key in self.grid if key not in self.estimator.get_params()]
        if unknown:
            raise InputError(
                f"head.grid: {name} has no parameter {', '.join(unknown)}",
                expected="some of " + ", ".join(sorted(self.estimator.get_params())),
            )

    def _make_scaler(self) -> StandardScaler | str:
        return StandardScaler() if self.scale else "passthrough"

    def _make_estimator(self) -> BaseEstimator:
        estimator = clone(self.estimator)
        known = estimator.get_params()
        if "random_state" in known:
            estimator.set_params(random_state=self.seed)
        if self.class_weight == "balanced":
            estimator.set_params(class_weight="balanced")
        return estimator

    def _count_inner_folds(self, train: Part) -> int:
        folds = min(self.inner_folds, len(set(train.speakers)))
        if folds < 2:
            raise InputError(
                "head.tune=true needs at least two training speakers", remedy="pass head.tune=false or another split"
            )
        return folds

    def _search(
        self,
        model: BaseEstimator,
        step: str,
        train: Part,
        targets: np.ndarray,
        scoring: Any,
        splitter: BaseCrossValidator,
    ) -> BaseEstimator:
        """The unfitted model with the best of the grid for its step of that name."""
        grid = {f"{step}__{name}": values for name, values in self.grid.items()}
        search = GridSearchCV(model, grid, scoring=scoring, cv=splitter, refit=False)
        search.fit(train.matrix, targets, groups=train.speakers)
        log.info("tuned: %s, inner score %.3f", search.best_params_, search.best_score_)
        return model.set_params(**search.best_params_)


class EstimatorHead(ScikitHead):
    """A classifier."""

    def check_target(self, dimensions: Sequence[str]) -> None:
        """Refuse dimensions.

        Raises:
            InputError: with heads that can predict them.
        """
        if dimensions:
            raise InputError(
                f"head with {type(self.estimator).__name__}: a classifier cannot predict {', '.join(dimensions)}",
                expected="a head for numbers",
                remedy="choose head=ridge_regression, svr, linear or mlp, or pass dataset.target=emotion",
            )

    def fit(self, train: Part, validation: Part | None, workspace: Workspace) -> FittedEstimator:  # noqa: ARG002
        """Fit on a training part; emotions stay names throughout, so they survive saving."""
        self.check_target(train.dimensions)
        pipeline: Any = make_pipeline(self._make_scaler(), self._make_estimator())
        if self.tune:
            splitter = StratifiedGroupKFold(self._count_inner_folds(train), shuffle=True, random_state=self.seed)
            step = pipeline.steps[-1][0]
            pipeline = self._search(pipeline, step, train, train.emotions, "balanced_accuracy", splitter)
        pipeline.fit(train.matrix, train.emotions)
        return FittedEstimator(pipeline)

    def load(self, folder: Path, trunk: Trunk) -> FittedEstimator:  # noqa: ARG002 - heads are alike
        """The model that :meth:`FittedEstimator.save` wrote; only types that scikit-learn ships are read."""
        return FittedEstimator(load_pickle(folder / FILE))


class FittedEstimator:
    """A fitted pipeline; its probabilities are the estimator's own, else the softmax of its decision values."""

    dimensions: tuple[str, ...] = ()

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.emotions: tuple[str, ...] = tuple(str(emotion) for emotion in pipeline.classes_)

    @property
    def choices(self) -> dict[str, Any]:
        """Parameters of the estimator, as tuned."""
        return self.pipeline[-1].get_params()

    def predict(self, part: Part) -> Predictions:
        """Predictions for all clips of a part, in order."""
        predicted = self.pipeline.predict(part.matrix).astype(str)
        return Predictions(self.emotions, predicted, self._find_probabilities(part.matrix))

    def save(self, folder: Path) -> None:
        """Write the pipeline as :meth:`EstimatorHead.load` reads it."""
        save_pickle(self.pipeline, folder / FILE)

    def _find_probabilities(self, features: np.ndarray) -> np.ndarray:
        if hasattr(self.pipeline, "predict_proba"):
            return self.pipeline.predict_proba(features)
        decision = self.pipeline.decision_function(features)
        if decision.ndim == 1:
            decision = np.column_stack([-decision, decision]) / 2
        exponentials = np.exp(decision - decision.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)
