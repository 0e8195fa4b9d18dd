"""Explanations over named dimensions instead of time: which functionals, or units, a decision rests on."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.finished import FinishedRun
from ser.gather import gather_clips
from ser.head.trunk import Trunk
from ser.model import TrainedModel


@runtime_checkable
class DimensionExplainer(Protocol):
    """A choice of ``conf/explainer`` that explains vectors."""

    def check_choices(self, trunk: Trunk, head: Any) -> None:
        """Raise InputError, with the reason, where it will not be able to explain what a head becomes."""

    def check_model(self, model: TrainedModel) -> None:
        """Raise InputError, with the reason, where it cannot explain such a model."""

    def explain_features(
        self, model: TrainedModel, features: np.ndarray, background: np.ndarray, classes: np.ndarray, clips: list[str]
    ) -> pd.DataFrame:
        """Values of features [N, D] against a background [M, D]: columns ``clip, feature, value``."""


def explain_dimensions(
    finished: FinishedRun, explainer: DimensionExplainer, fold: str, rows: pd.DataFrame, target: str
) -> pd.DataFrame:
    """Values of the dimensions of clips, compared with those of clips that trained the model.

    Args:
        finished: the run.
        explainer: the method.
        fold: whose model is explained.
        rows: predictions of the fold.
        target: whose score is explained: ``predicted``, ``true`` or an emotion.

    Returns:
        Columns ``clip, target, feature, value``.

    Raises:
        InputError: a model that the explainer cannot explain, or a backbone that is trained with its head.
    """
    model = finished.load_model(fold)
    explainer.check_model(model)
    if finished.trunk.trains:
        raise InputError(
            "explainer: dimensions of a backbone that was trained with its head have no names",
            remedy="explain a run with finetune=frozen, or choose an explainer over time",
        )
    frame = finished.corpus.manifest.frame.reset_index(drop=True)
    features = gather_clips(finished.config, finished.choices, finished.corpus, frame).matrix
    held = pd.concat([table for table in (finished.tested, finished.validated) if len(table)])
    held_out = frame["clip"].isin(held.loc[held["fold"] == fold, "clip"]).to_numpy()
    places = frame.reset_index().set_index("clip")["index"].loc[rows["clip"]].to_numpy()
    targets = rows[target].tolist() if target in ("predicted", "true") else [target] * len(rows)
    unknown = sorted(set(targets) - set(model.emotions))
    if unknown:
        raise InputError(f"explain.class: the model does not know {unknown[0]}", expected=", ".join(model.emotions))
    classes = np.array([model.emotions.index(emotion) for emotion in targets])
    values = explainer.explain_features(model, features[places], features[~held_out], classes, rows["clip"].tolist())
    return values.assign(target=values["clip"].map(dict(zip(rows["clip"], targets, strict=True))))


def rank_dimensions(values: pd.DataFrame) -> pd.DataFrame:
    """Mean and mean absolute value of each dimension by explained emotion, the largest first."""
    groups = values.groupby(["target", "feature"])["value"]
    table = groups.agg(mean="mean", mean_absolute=lambda own: own.abs().mean(), clips="size").reset_index()
    return table.sort_values(["target", "mean_absolute"], ascending=[True, False], ignore_index=True)
