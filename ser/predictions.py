"""The table that every metric, figure and test is computed from: one row per evaluated clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser.head.data import Part, Predictions

#: Columns before the probabilities ``p_<emotion>``.
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
    part: Part, predictions: Predictions, emotions: Sequence[str], dataset: str, fold: str, extra: Sequence[str] = ()
) -> pd.DataFrame:
    """Rows of one part of one fold; ``run_id``, ``key`` and ``evaluation`` are added when the run is put together.

    Args:
        part: the clips.
        predictions: what the model says of them.
        emotions: all emotions of the run, for the probability columns; null where the model was never shown one.
        dataset: name of the corpus.
        fold: name of the fold.
        extra: further manifest columns to carry along (those of ``metrics.by``).
    """
    frame = part.frame
    table = pd.DataFrame({"dataset": dataset, "clip": frame["clip"].to_numpy()})
    for column in dict.fromkeys(["speaker", "gender", "sentence", *extra]):
        table[column] = frame[column].to_numpy()
    table["fold"] = fold
    table["true"] = part.emotions
    table["predicted"] = predictions.predicted
    place = {emotion: index for index, emotion in enumerate(predictions.emotions)}
    for emotion in emotions:
        values = predictions.probabilities[:, place[emotion]] if emotion in place else np.nan
        table[f"p_{emotion}"] = np.asarray(values, dtype=np.float64)
    return table


def complete_predictions(folds: Sequence[pd.DataFrame], run_id: str, key: str, evaluation: str) -> pd.DataFrame:
    """All folds of one evaluation set in the designed column order; further columns come last."""
    table = pd.concat(folds, ignore_index=True).assign(run_id=run_id, key=key, evaluation=evaluation)
    probabilities = [column for column in table if str(column).startswith("p_")]
    first = [*COLUMNS, *probabilities]
    table = table[[*first, *(column for column in table if column not in first)]]
    text = [column for column in COLUMNS if column not in ("run_id", "key")]
    return table.astype(dict.fromkeys(text, "string"))
