"""Clips for TensorBoard's embedding projector: a table of vectors and one of what is known of each clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ser.explainer.overlap.places import Place, Points

#: What is known of a clip.
COLUMNS = ("clip", "dataset", "speaker", "gender", "emotion", "predicted", "fold")


def write_projector(folder: Path, points: Points, place: Place) -> None:
    """Write ``vectors.tsv`` and ``metadata.tsv`` of held-out clips in one layer, by name, not by position.

    Vectors are those of the layer itself. Where networks differ by fold, each fold has files of its own.

    Args:
        folder: of the projector's files.
        points: the clips.
        place: the layer.
    """
    name = place.name.replace(" ", "-")
    said = points.finished.tested
    if not points.by_fold:
        held = np.unique(np.concatenate([one.held for one in points.divisions]))
        write_pair(folder / name, points.frame.iloc[held], said, place.vectors[0][held])
        return
    for one, vectors in zip(points.divisions, place.vectors, strict=True):
        own = said[said["fold"].astype(str) == one.name]
        write_pair(folder / name / f"fold-{one.name}", points.frame.iloc[one.held], own, vectors[one.held])


def write_pair(folder: Path, frame: pd.DataFrame, said: pd.DataFrame, vectors: np.ndarray) -> None:
    """Both tables; row i of one is row i of the other."""
    folder.mkdir(parents=True, exist_ok=True)
    known = said.drop_duplicates(["dataset", "clip"])[["dataset", "clip", "predicted", "fold"]]
    table = frame.drop(columns=["predicted", "fold"], errors="ignore")
    table = table.merge(known, on=["dataset", "clip"], how="left", validate="one_to_one")
    shown = [name for name in COLUMNS if name in table]
    table[shown].to_csv(folder / "metadata.tsv", sep="\t", index=False)
    np.savetxt(folder / "vectors.tsv", vectors, delimiter="\t", fmt="%.6g")
