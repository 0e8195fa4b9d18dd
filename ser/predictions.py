"""The table that every metric, figure and test is computed from: one row per evaluated clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser.head.data import Part, Predictions, Values

#: Columns before the probabilities ``p_<emotion>``; predicted dimensions have ``true_<dimension>`` and
#: ``pred_<dimension>`` in place of the last two and the probabilities.
COLUMNS = (
    "run_id",
    "key",
    "evaluation",
    "dataset",
    "clip",
    "speaker",
    "gender",
    "sentence",
    "fold",
    "true",
    "predicted",
)


def tabulate_predictions(
    part: Part,
    predictions: Predictions | Values,
    emotions: Sequence[str],
    dataset: str | np.ndarray,
    fold: str,
    extra: Sequence[str] = (),
) -> pd.DataFrame:
    """Rows of one part of one fold; ``run_id``, ``key`` and ``evaluation`` are added when the run is put together.

    Args:
        part: the clips.
        predictions: what the model says of them; values are passed to :func:`tabulate_values`.
        emotions: all emotions of the run, for the probability columns; null where the model was never shown one.
        dataset: name of the corpus, or of each clip's corpus [N].
        fold: name of the fold.
        extra: further manifest columns to carry along (those of ``metrics.by``).
    """
    if isinstance(predictions, Values):
        return tabulate_values(part, predictions, dataset, fold, extra)
    table = _tabulate_clips(part, dataset, fold, extra)
    table["true"] = part.emotions
    table["predicted"] = predictions.predicted
    place = {emotion: index for index, emotion in enumerate(predictions.emotions)}
    for emotion in emotions:
        values = predictions.probabilities[:, place[emotion]] if emotion in place else np.nan
        table[f"p_{emotion}"] = np.asarray(values, dtype=np.float64)
    return table


def tabulate_values(
    part: Part, values: Values, dataset: str | np.ndarray, fold: str, extra: Sequence[str] = ()
) -> pd.DataFrame:
    """The same for dimensions: all columns ``true_<dimension>``, then all ``pred_<dimension>``."""
    assert part.targets is not None and part.dimensions == values.dimensions
    table = _tabulate_clips(part, dataset, fold, extra)
    for side, numbers in (("true", part.targets), ("pred", values.predicted)):
        for dimension, column in zip(values.dimensions, numbers.T, strict=True):
            table[f"{side}_{dimension}"] = column.astype(np.float64)
    return table


def complete_predictions(folds: Sequence[pd.DataFrame], run_id: str, key: str, evaluation: str) -> pd.DataFrame:
    """All folds of one evaluation set in the designed column order; further columns come last."""
    table = pd.concat(folds, ignore_index=True).assign(run_id=run_id, key=key, evaluation=evaluation)
    known = [column for column in COLUMNS if column in table]
    marks: tuple[str, ...] = ("p_",) if "true" in table else ("true_", "pred_")
    first = [*known, *(column for mark in marks for column in table if str(column).startswith(mark))]
    table = table[[*first, *(column for column in table if column not in first)]]
    text = [column for column in known if column not in ("run_id", "key")]
    return table.astype(dict.fromkeys(text, "string"))


def _tabulate_clips(part: Part, dataset: str | np.ndarray, fold: str, extra: Sequence[str]) -> pd.DataFrame:
    table = pd.DataFrame({"dataset": dataset, "clip": part.frame["clip"].to_numpy()})
    for column in dict.fromkeys(["speaker", "gender", "sentence", *extra]):
        table[column] = part.frame[column].to_numpy()
    table["fold"] = fold
    return table
