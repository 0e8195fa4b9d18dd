"""How well one run does on each test speaker, from its predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser import metrics, regression

#: Columns of predictions that say nothing of a speaker.
OWN = ("run_id", "key", "evaluation", "dataset", "clip", "speaker", "sentence", "fold", "true", "predicted")
CELL = ("fold", "test_corpus")


def tabulate_cells(table: pd.DataFrame, by: Sequence[str] = ("speaker",)) -> pd.DataFrame:
    """One row per fold, test corpus and level of ``by``.

    Args:
        table: predictions of one run, with ``test_corpus``.
        by: columns whose combinations are told apart.

    Returns:
        ``fold``, ``test_corpus``, those of ``by``, ``n`` clips, and ``n_correct``, ``accuracy`` and ``uar`` (NaN where
        an emotion of the corpus has no clip), or of dimensions ``ccc`` and ``mae``, means over them, and
        ``ccc/<dimension>``, ``mae/<dimension>``. Columns that are constant within each row, such as ``gender``, come
        along.
    """
    groups = [*CELL, *by]
    keyed = table.assign(**{name: table[name].astype(str) for name in groups})
    number = keyed.groupby(groups, sort=True).ngroup()
    first = keyed.assign(_cell=number).drop_duplicates("_cell").sort_values("_cell")
    rows = first[groups].reset_index(drop=True)
    rows["n"] = np.bincount(number)
    scores = _score_answers(keyed, number.to_numpy()) if "true" in table else _score_values(keyed, number.to_numpy())
    for name in _list_constant(keyed, groups, number):
        rows[name] = first[name].to_numpy()
    return rows.assign(**scores)


def tabulate_predictions(table: pd.DataFrame) -> pd.DataFrame:
    """One row per fold and clip of a run: who says what, where, and whether it was recognised."""
    extra = [name for name in table if name not in OWN and not _is_answer(name) and name not in (*CELL, "utterance")]
    kept = [name for name in (*CELL, "speaker", "utterance", "sentence", *extra) if name in table]
    answers = [name for name in table if name in ("true", "predicted") or str(name).startswith(("true_", "pred_"))]
    rows = table[[*kept, *answers]].astype(dict.fromkeys(kept, "string")).reset_index(drop=True)
    if "true" in rows:
        rows["correct"] = (rows["true"].astype(str) == rows["predicted"].astype(str)).astype(np.int8)
    return rows


def _score_answers(table: pd.DataFrame, number: np.ndarray) -> dict[str, np.ndarray]:
    emotions = metrics.list_classes(table)
    labels = np.char.mod("%09d", number)  # names that sort as the numbers do
    counts = metrics.count_by_group(table["true"].astype(str), table["predicted"].astype(str), labels, emotions)
    n, correct = counts.sum((1, 2)), np.diagonal(counts, axis1=1, axis2=2).sum(1)
    corpus = table["test_corpus"].groupby(number).first().to_numpy()
    shown = counts.sum(2) > 0
    expected = np.stack([shown[corpus == name].any(0) for name in corpus])
    whole = (shown == expected).all(1)
    return {"n_correct": correct, "accuracy": correct / n, "uar": np.where(whole, metrics.uar(counts), np.nan)}


def _score_values(table: pd.DataFrame, number: np.ndarray) -> dict[str, np.ndarray]:
    names = [str(name)[5:] for name in table if str(name).startswith("pred_")]
    true, predicted = (table[[f"{side}_{name}" for name in names]].to_numpy(float) for side in ("true", "pred"))
    sums = regression.sum_by_group(true, predicted, np.char.mod("%09d", number))
    scores = {}
    for score, values in (("ccc", regression.ccc(sums)), ("mae", regression.mae(sums))):
        scores[score] = values.mean(1)
        scores |= {f"{score}/{name}": values[:, place] for place, name in enumerate(names)}
    return scores


def _list_constant(table: pd.DataFrame, groups: Sequence[str], number: pd.Series) -> list[str]:
    own = {*OWN, *groups, "utterance"}
    extra = [str(name) for name in table if name not in own and not _is_answer(name)]
    return [
        name
        for name in extra
        if len(pd.DataFrame({"n": number, "v": table[name]}).drop_duplicates()) == number.nunique()
    ]


def _is_answer(name: object) -> bool:
    return str(name).startswith(("p_", "true_", "pred_"))
