"""scikit-learn estimators on functionals: scaler and grid search see training clips only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ser.errors import InputError
from ser.head.data import Part, Predictions, Workspace
from ser.head.pickles import load_pickle, save_pickle

log = logging.getLogger(__name__)
FILE = "model.pkl"


class EstimatorHead:
    """A scikit-learn classifier behind the interface of all heads.

    Args:
        estimator: unfitted classifier.
        grid: parameter → values to try; the UAR of speaker-disjoint inner folds of the training part decides.
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

    def check(self, backbone: Any) -> None:
        """Refuse a backbone that must be trained, and class weights that the estimator does not know.

        Raises:
            InputError: with the reason.
        """
        name = type(self.estimator).__name__
        if backbone.trains:
            raise InputError(
                f"head with {name}: scikit-learn cannot train the backbone {type(backbone).__name__}",
                expected="a backbone of fixed features, such as egemaps or compare",
                remedy="choose head=linear or head=mlp for this backbone",
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

    def fit(self, train: Part, validation: Part | None, workspace: Workspace) -> FittedEstimator:  # noqa: ARG002
        """Fit on a training part; emotions stay names throughout, so they survive saving."""
        pipeline = self._build()
        if self.tune:
            pipeline = self._search(pipeline, train)
        pipeline.fit(train.features, train.emotions)
        return FittedEstimator(pipeline)

    def load(self, folder: Path, make_backbone: Callable[[], Any]) -> FittedEstimator:  # noqa: ARG002 - heads are alike
        """The model that :meth:`FittedEstimator.save` wrote; only types that scikit-learn ships are read."""
        return FittedEstimator(load_pickle(folder / FILE))

    def _build(self) -> Pipeline:
        estimator = clone(self.estimator)
        known = estimator.get_params()
        if "random_state" in known:
            estimator.set_params(random_state=self.seed)
        if self.class_weight == "balanced":
            estimator.set_params(class_weight="balanced")
        return make_pipeline(StandardScaler() if self.scale else "passthrough", estimator)

    def _search(self, pipeline: Pipeline, train: Part) -> Pipeline:
        folds = min(self.inner_folds, len(set(train.speakers)))
        if folds < 2:
            raise InputError(
                "head.tune=true needs at least two training speakers", remedy="pass head.tune=false or another split"
            )
        step = pipeline.steps[-1][0]
        search = GridSearchCV(
            pipeline,
            {f"{step}__{name}": values for name, values in self.grid.items()},
            scoring="balanced_accuracy",
            cv=StratifiedGroupKFold(folds, shuffle=True, random_state=self.seed),
            refit=False,
        )
        search.fit(train.features, train.emotions, groups=train.speakers)
        log.info("tuned: %s, inner UAR %.3f", search.best_params_, search.best_score_)
        return pipeline.set_params(**search.best_params_)


class FittedEstimator:
    """A fitted pipeline; its probabilities are the estimator's own, else the softmax of its decision values."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.emotions: tuple[str, ...] = tuple(str(emotion) for emotion in pipeline.classes_)

    @property
    def choices(self) -> dict[str, Any]:
        """Parameters of the estimator, as tuned."""
        return self.pipeline[-1].get_params()

    def predict(self, part: Part) -> Predictions:
        """Predictions for all clips of a part, in order."""
        predicted = self.pipeline.predict(part.features).astype(str)
        return Predictions(self.emotions, predicted, self._find_probabilities(part.features))

    def save(self, folder: Path) -> None:
        """Write the pipeline as :meth:`EstimatorHead.load` reads it."""
        save_pickle(self.pipeline, folder / FILE)

    def _find_probabilities(self, features: np.ndarray | None) -> np.ndarray:
        if hasattr(self.pipeline, "predict_proba"):
            return self.pipeline.predict_proba(features)
        decision = self.pipeline.decision_function(features)
        if decision.ndim == 1:
            decision = np.column_stack([-decision, decision]) / 2
        exponentials = np.exp(decision - decision.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)
