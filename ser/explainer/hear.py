"""Clips of a run as its model hears them."""

from __future__ import annotations

import pandas as pd
import torch

from ser.errors import InputError
from ser.explainer.clip import Clip
from ser.explainer.subject import Subject
from ser.finished import FinishedRun


def hear_clips(finished: FinishedRun, subject: Subject, rows: pd.DataFrame, target: str) -> list[Clip]:
    """Clips as a model hears them.

    Args:
        finished: the run.
        subject: the model.
        rows: predictions.
        target: whose margin is explained: ``predicted``, ``true`` or an emotion.

    Raises:
        InputError: an emotion that the model does not know.
    """
    clips = []
    for row in rows.to_dict("records"):
        emotion = row[target] if target in ("predicted", "true") else target
        if emotion not in subject.emotions:
            raise InputError(
                f"explain.class={target}: the model that was tested on {row['clip']} does not know {emotion}",
                expected=", ".join(("predicted", "true", *subject.emotions)),
            )
        place = (None if pd.isna(row.get(edge)) else float(row[edge]) for edge in ("start", "end"))
        heard = finished.corpus.preparation.prepare(row["path"], subject.rate, *place)
        clips.append(
            Clip(
                clip=row["clip"],
                dataset=row["dataset"],
                speaker=row["speaker"],
                true=row["true"],
                predicted=row["predicted"],
                inputs=subject.encode(torch.from_numpy(heard.waveform)[None]),
                classes=torch.tensor([subject.emotions.index(emotion)], device=subject.device),
                waveform=heard.waveform,
                offset=heard.offset,
                row={str(name): value for name, value in row.items()},
            )
        )
    return clips
