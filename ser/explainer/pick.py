"""Which clips of a run are explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser.errors import InputError


@dataclass(frozen=True)
class ClipChoice:
    """The choice of ``conf/explain``; see its comments.

    Raises:
        InputError: values that mean nothing.
    """

    evaluation: str | None = None
    emotions: Sequence[str] | None = None
    clips: Sequence[str] | str | None = None
    n_per_class: int | None = None
    only: str = "all"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.only not in ("all", "correct", "wrong"):
            raise InputError(f"explain.only={self.only}", expected="all, correct or wrong")
        if isinstance(self.clips, str) and self.clips != "all":
            raise InputError(f"explain.clips={self.clips}", expected="a list of ids, [03a01Wa,08a02Na], or all")
        if self.n_per_class is not None and self.n_per_class < 1:
            raise InputError(f"explain.n_per_class={self.n_per_class}", expected="1 or more")

    def pick(self, tested: pd.DataFrame, size: int) -> pd.DataFrame:
        """Rows of predictions to explain.

        Args:
            tested: predictions of the test parts, a row a clip.
            size: of a sample, unless ``n_per_class`` says it.

        Raises:
            InputError: a corpus, an emotion or a clip that was not tested, or nothing left.
        """
        rows = select(tested, "dataset", [self.evaluation] if self.evaluation else None, "explain.evaluation")
        rows = select(rows, "true", self.emotions, "explain.emotions")
        if self.clips is not None and self.clips != "all":
            rows = select(rows, "clip", [str(clip) for clip in self.clips], "explain.clips")
        if self.only != "all":
            rows = rows[(rows["true"] == rows["predicted"]) == (self.only == "correct")]
        if rows.empty:
            raise InputError(f"explain.only={self.only}: there is no such clip among {len(tested)} that were tested")
        if self.clips is not None:
            return rows
        if self.n_per_class is None:
            return sample_balanced(rows, size, self.seed)
        return pd.concat([sample_balanced(part, self.n_per_class, self.seed) for _, part in rows.groupby("true")])


def select(rows: pd.DataFrame, column: str, values: Sequence[str] | None, key: str) -> pd.DataFrame:
    """Rows with some values in a column; all without values.

    Raises:
        InputError: a value that no row has.
    """
    if values is None:
        return rows
    known = rows[column].astype(str)
    missing = [value for value in values if value not in set(known)]
    if missing:
        shown = sorted(set(known))
        expected = ", ".join(shown[:10]) + (" …" if len(shown) > 10 else "")
        raise InputError(f"{key}: {', '.join(missing)} not among the clips that were tested", expected=expected)
    return rows[known.isin(values)]


def sample_balanced(rows: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """A seeded sample, spread evenly over true emotions and, within each, over speakers; in the rows' order.

    Emotions deal their clips in turns, and so do the speakers within an emotion; with more turns the sample grows.
    """
    order = rows.sort_values(["dataset", "clip"], kind="stable")
    order = order.sample(frac=1, random_state=np.random.RandomState(seed))
    order = order.assign(_round=order.groupby(["true", "dataset", "speaker"]).cumcount())
    order = order.sort_values("_round", kind="stable")
    order = order.assign(_turn=order.groupby("true").cumcount()).sort_values("_turn", kind="stable")
    return rows.loc[rows.index.isin(order.head(count).index)]
