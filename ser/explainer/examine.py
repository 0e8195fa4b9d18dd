"""Clips of one model explained by one method, and the explanations scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from filelock import FileLock

from ser.explainer.attribute import explain_batch, explain_clips
from ser.explainer.attribution import Attribution
from ser.explainer.base import Chooser, Explainer
from ser.explainer.clip import Clip
from ser.explainer.evaluation import Evaluation
from ser.explainer.evaluation.metrics import RANDOM
from ser.explainer.evaluation.reference import COLUMNS, Reference
from ser.explainer.null import Random
from ser.explainer.subject import Subject


@dataclass(frozen=True)
class Method:
    """An explainer under its name.

    Attributes:
        name: the choice of ``conf/explainer``.
        explainer: that it makes.
        gate: share of a margin that values may miss.
        max_batch: clips of equal length at once.
    """

    name: str
    explainer: Explainer
    gate: float
    max_batch: int

    def explain(self, subject: Subject, clip: Clip) -> Attribution:
        """The map of one clip."""
        return explain_batch(subject, self.explainer, [clip], self.name, self.gate)[0]

    def explain_all(self, subject: Subject, clips: Sequence[Clip]) -> list[Attribution]:
        """The maps of clips, in their order."""
        return explain_clips(subject, self.explainer, clips, self.name, self.gate, self.max_batch)

    @property
    def chooses(self) -> bool:
        """Whether the explainer has something to choose by validation clips."""
        return isinstance(self.explainer, Chooser)

    def choose(self, subject: Subject, clips: Sequence[Clip]) -> None:
        """Let it choose."""
        assert isinstance(self.explainer, Chooser)
        if clips:
            self.explainer.select(subject, [one.inputs for one in clips], torch.cat([one.classes for one in clips]))


@dataclass(frozen=True, eq=False)
class Examination:
    """What became of some clips.

    Attributes:
        clips: that were explained.
        rate: at which the model hears them, in Hz.
        attributions: of each clip.
        scores: a row a clip and metric; empty without an evaluation.
        reference: the same of null explainers and the oracle.
        truth: what planted cues cause in the model; empty for real speech.
        nulls: maps of noise of planted clips, for what can be said of cues without knowing anything.
    """

    clips: Sequence[Clip]
    rate: int
    attributions: list[Attribution]
    scores: pd.DataFrame
    reference: pd.DataFrame
    truth: pd.DataFrame = field(default_factory=pd.DataFrame)
    nulls: Sequence[Attribution] = ()


def examine(
    subject: Subject,
    clips: Sequence[Clip],
    method: Method,
    evaluation: Evaluation | None,
    reference: Path,
    label_run: Subject | None = None,
) -> Examination:
    """Explain clips and score that.

    Args:
        subject: the model.
        clips: whose predictions are explained.
        method: by which they are.
        evaluation: how explanations are scored, if they are.
        reference: file with what scoring needs to know of model and clips; made if it is not there.
        label_run: a model of the same kind that was trained on permuted labels.
    """
    attributions = method.explain_all(subject, clips)
    if evaluation is None:
        nothing = pd.DataFrame(columns=list(COLUMNS))
        return Examination(clips, subject.rate, attributions, nothing, nothing)
    known = fetch_reference(subject, clips, evaluation, reference)
    scores = evaluation.score(subject, clips, attributions, method.explain, known, label_run)
    return Examination(clips, subject.rate, attributions, scores, known.scores)


def explain_by_chance(subject: Subject, clips: Sequence[Clip], max_batch: int) -> list[Attribution]:
    """Maps of noise."""
    return explain_clips(subject, Random(), clips, RANDOM, float("inf"), max_batch)


def fetch_reference(subject: Subject, clips: Sequence[Clip], evaluation: Evaluation, path: Path) -> Reference:
    """What scoring needs to know of a model and clips, whatever explains them: made once, then read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            evaluation.prepare(subject, clips).save(path)
        return Reference.load(path)
