"""Maps that know nothing of what the model learnt: what every explainer must beat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ser.explainer.attribute import explain_batch
from ser.explainer.attribution import Attribution
from ser.explainer.base import Explainer, Relevance, margin
from ser.explainer.clip import Clip
from ser.explainer.evaluation.metrics import RANDOM
from ser.explainer.evaluation.randomise import list_levels, randomise
from ser.explainer.evaluation.sanity import Explain
from ser.explainer.null import Energy, Random, VoiceActivity
from ser.explainer.subject import Subject

UNTRAINED = "untrained"


@dataclass(frozen=True)
class Slope:
    """Gradient of the margin times how far each element of the input lies from its mean over time."""

    def check(self, subject: Subject) -> None:
        """Refuse models without gradients."""
        subject.require_gradients(UNTRAINED)

    def explain(self, subject: Subject, inputs: Tensor, classes: Tensor) -> Relevance:
        """See :class:`ser.explainer.base.Explainer`."""
        network = subject.require_gradients(UNTRAINED)
        with torch.enable_grad():
            points = inputs.detach().requires_grad_()
            gradients = torch.autograd.grad(margin(network(points), classes.to(points.device)).sum(), points)[0]
        values = gradients * (inputs - inputs.mean(-1, keepdim=True))
        return Relevance(values, forwards=len(inputs), backwards=len(inputs))


@dataclass(frozen=True, eq=False)
class Null:
    """A null explainer.

    Attributes:
        name: as in the scores.
        explainer: that makes its maps.
        subject: that it is asked about, whatever the model; ``None``: the model.
    """

    name: str
    explainer: Explainer
    subject: Subject | None = None

    @property
    def explain(self) -> Explain:
        """It as a function of a model and a clip."""
        return lambda subject, clip: explain_one(self.subject or subject, self.explainer, clip, self.name)


def make_nulls(subject: Subject, clips: Sequence[Clip], seed: int) -> Iterator[Null]:
    """Random, energy, voice activity; and the network with random weights, where there is one."""
    yield Null(RANDOM, Random(seed=seed))
    yield Null("energy", Energy())
    yield Null("vad", VoiceActivity())
    if subject.differentiable:
        levels = list_levels(subject)
        yield Null(UNTRAINED, Slope(), randomise(subject, levels, levels, [clip.inputs for clip in clips], seed))


def explain_one(subject: Subject, explainer: Explainer, clip: Clip, method: str) -> Attribution:
    """The map of one clip."""
    return explain_batch(subject, explainer, [clip], method, gate=float("inf"))[0]
