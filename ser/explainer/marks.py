"""When words happen in clips, for explainers that cut clips there: from a column of the manifest.

The column holds a JSON list of ``[word, start, end]`` for each clip, in s on the time axis of its file. Generated clips
need none: their generator knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import pandas as pd
from torch import Tensor

from ser.dataset.planted.truth import read_script
from ser.errors import InputError
from ser.explainer.base import Explainer, Relevance
from ser.explainer.clip import Clip
from ser.explainer.segments.units import Mark
from ser.explainer.subject import Subject


@runtime_checkable
class Marked(Protocol):
    """An explainer that may have to know when something happens in clips."""

    @property
    def column(self) -> str | None:
        """Of the manifest, if it has to."""

    def explain(
        self, subject: Subject, inputs: Tensor, classes: Tensor, marks: Sequence[Sequence[Mark]] | None = None
    ) -> Relevance:
        """See :class:`ser.explainer.base.Explainer`; ``marks`` of each clip, in s from its first sample."""


def run_explainer(
    subject: Subject, explainer: Explainer, inputs: Tensor, classes: Tensor, clips: Sequence[Clip]
) -> Relevance:
    """Explain clips, with their marks where the explainer cuts clips at such."""
    if not isinstance(explainer, Marked) or explainer.column is None:
        return explainer.explain(subject, inputs, classes)
    column = explainer.column
    marks = [
        [(start - clip.offset, end - clip.offset) for start, end in read_words(clip.row, column)] for clip in clips
    ]
    return explainer.explain(subject, inputs, classes, marks)


def check_marks(explainer: Any, rows: pd.DataFrame) -> None:
    """Refuse clips without what an explainer has to know of them, before any is explained.

    Args:
        explainer: any.
        rows: of the manifest, those of the clips.

    Raises:
        InputError: names the column, the first clip without it, and how to get it.
    """
    if isinstance(explainer, Marked) and explainer.column is not None:
        for row in rows.to_dict("records"):
            read_words({str(name): value for name, value in row.items()}, explainer.column)


def read_words(row: Mapping[str, Any], column: str) -> list[Mark]:
    """Start and end of each word of a clip, in s on the time axis of its file.

    Raises:
        InputError: the clip has none, or none that can be read.
    """
    value = row.get(column)
    if value is None and row.get("generator_version") is not None:
        return [(float(start), float(end)) for start, end in read_script(row).speak().timeline.words]
    if value is None or (isinstance(value, float) and pd.isna(value)):
        raise InputError(
            f"clip {row.get('clip')}: column {column} of the manifest does not say when its words happen",
            expected=f'a JSON list of [word, start, end] in s of the file: {column} = [["good", 0.31, 0.52], …]',
            remedy=f"add the column to the corpus's table (dataset=csv dataset.columns.{column}=<your column>) or to "
            "that of dataset.texts, from a forced aligner; or choose explainer/unit=syllable, which needs none",
        )
    try:
        words = list(parse(json.loads(value) if isinstance(value, str) else value))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"clip {row.get('clip')}: column {column}: {error}: {str(value)[:80]}",
            expected='a JSON list of [word, start, end] in s of the file: [["good", 0.31, 0.52], …]',
        ) from error
    return words


def parse(items: Sequence[Sequence[Any]]) -> Iterator[Mark]:
    """Start and end of each ``[word, start, end]``; raises ValueError or TypeError for anything else."""
    if not len(items):
        raise ValueError("no words")
    for _, start, end in items:
        if not float(start) < float(end):
            raise ValueError("a word that does not end after it starts")
        yield float(start), float(end)
