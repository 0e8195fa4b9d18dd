"""Concept relevance propagation: which parts of a clip a model's decision rests on, by channel of an inner layer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
import torch
from torch import Tensor

from ser.errors import InputError
from ser.explainer.base import Relevance
from ser.explainer.gradcam import keep_outputs, require_blocks
from ser.explainer.lrp import join
from ser.explainer.relevance.concepts import Layer, Selection, make_maps, select_by_class, select_channels
from ser.explainer.relevance.rules import Rules
from ser.explainer.relevance.trace import Trace, check_coverage, judge, trace
from ser.explainer.subject import Subject

log = logging.getLogger(__name__)

#: Channels chosen for the classes of a subject.
Selections = dict[int, Selection]


@dataclass(frozen=True)
class ConceptChoice:
    """Which channels are shown.

    Args:
        select: ``relevance_val``: those with the largest mean absolute relevance for a class on clips of the
            validation part, as :meth:`CRP.select` was given them; ``relevance_clip``: on the clip itself.
        top: how many.

    Raises:
        InputError: another way of choosing, or none to show.
    """

    select: str = "relevance_val"
    top: int = 12

    def __post_init__(self) -> None:
        if self.select not in ("relevance_val", "relevance_clip"):
            raise InputError(f"explainer.concepts.select={self.select}", expected="relevance_val or relevance_clip")
        if self.top < 1:
            raise InputError(f"explainer.concepts.top={self.top}", expected="1 or more")


@dataclass(frozen=True)
class CRP(Rules):
    """Relevance that flows through chosen channels of a layer (Achtibat et al., 2023, doi:10.1038/s42256-023-00711-8).

    The values are the sum over these channels; over all channels of a layer that everything passes they would sum to
    what :class:`ser.explainer.lrp.LRP` says. Extras, each for K channels of a clip: ``concepts`` (their maps, waveforms
    summed over frames), ``channels``, ``concept_relevance`` (signed, of the whole channel), ``stability`` (see
    :class:`~ser.explainer.relevance.concepts.Selection`; nan where the clip itself chose), and ``kept``, the share of
    the layer's absolute relevance that they have.

    Args:
        layer: ``auto`` for the middle one of the blocks that the head hears, or a block by number (-1: the last).
        concepts: which channels.
        seed: of the bootstrap that tells how stable their choice is.
        max_batch: clips at once.

    Raises:
        InputError: a layer that is neither.
    """

    layer: str | int = "auto"
    concepts: ConceptChoice = field(default_factory=ConceptChoice)
    seed: int = 0
    max_batch: int = 16
    _selected: WeakKeyDictionary[Subject, Selections] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False, compare=False
    )

    _told: WeakSet[Subject] = field(default_factory=WeakSet, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layer != "auto" and (isinstance(self.layer, bool) or not isinstance(self.layer, int)):
            raise InputError(f"explainer.layer={self.layer}", expected="auto, or the number of a block")

    def check(self, subject: Subject) -> None:
        """See :class:`ser.explainer.base.Explainer`."""
        check_coverage(subject.require_gradients("crp"))
        count = len(require_blocks(subject, "crp"))
        if isinstance(self.layer, int) and not -count <= self.layer < count:
            raise InputError(f"explainer.layer={self.layer}", expected=f"auto, or -{count} to {count - 1}")

    def select(self, subject: Subject, inputs: Sequence[Tensor], classes: Tensor) -> Selections:
        """Choose the channels of each class for a subject, and keep them for :meth:`explain`.

        Args:
            subject: the model.
            inputs: of validation clips, [1, …] each.
            classes: theirs [N].
        """
        relevance = [
            self._trace(subject, one, own)[1].weigh_channels()[0].cpu().numpy()
            for one, own in zip(inputs, classes.split(1), strict=True)
        ]
        self._selected[subject] = select_by_class(relevance, classes.tolist(), self.concepts.top, self.seed)
        return self._selected[subject]

    def explain(self, subject: Subject, inputs: Tensor, classes: Tensor) -> Relevance:
        """See :class:`ser.explainer.base.Explainer`."""
        parts, forwards = [], 2 * len(inputs)
        for part, own in zip(inputs.split(self.max_batch), classes.split(self.max_batch), strict=True):
            traced, layer = self._trace(subject, part, own)
            relevance = layer.weigh_channels()
            channels, stability = self._choose(subject, relevance.cpu().numpy(), own.tolist())
            channels = channels.to(part.device)
            maps = make_maps(traced, layer, channels)
            reasons, extras = judge(maps.sum(1), traced)
            chosen = relevance.gather(1, channels)
            extras |= {
                "concepts": subject.project(maps),
                "channels": channels,
                "concept_relevance": chosen,
                "stability": stability,
                "kept": chosen.abs().sum(1) / relevance.abs().sum(1).clamp(min=torch.finfo(relevance.dtype).tiny),
            }
            del extras["bias_share"]  # channels that are not shown take most of what is missing
            parts.append(Relevance(maps.sum(1), reasons=reasons, extras=extras))
        return join(parts, forwards=forwards, backwards=len(inputs) * (1 + channels.shape[1]))

    def _trace(self, subject: Subject, inputs: Tensor, classes: Tensor) -> tuple[Trace, Layer]:
        """A batch under rules, and the layer that is divided."""
        network, blocks = subject.require_gradients("crp"), require_blocks(subject, "crp")
        with keep_outputs(blocks) as outputs:
            traced = trace(network, inputs, classes.to(inputs.device), self)
        kept = [outputs[place] for place in range(len(blocks))]
        ones = torch.ones_like(traced.start)
        found = torch.autograd.grad(traced.start, kept, ones, retain_graph=True, allow_unused=True)
        layers = [Layer(*pair) if pair[1] is not None else None for pair in zip(kept, found, strict=True)]
        heard = [layer for layer in layers if layer is not None]
        if not heard:
            raise InputError(
                "explainer=crp: the head hears none of the network's blocks, only what enters them",
                remedy="explain a run with another backbone.layer, or choose explainer=lrp",
            )
        layer = heard[len(heard) // 2] if self.layer == "auto" else layers[int(self.layer)]
        if layer is None:
            raise InputError(
                f"explainer.layer={self.layer}: the head does not hear that block",
                expected=f"auto, or 0 to {len(heard) - 1}",
            )
        return traced, layer

    def _choose(self, subject: Subject, relevance: np.ndarray, classes: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Channels [B, K] and their stability [B, K] for clips with relevance [B, C]."""
        known = self._selected.get(subject, {}) if self.concepts.select == "relevance_val" else {}
        if self.concepts.select == "relevance_val" and not set(classes) <= set(known) and subject not in self._told:
            log.warning("crp: no validation clips of some classes; channels are chosen on the clips themselves")
            self._told.add(subject)
        chosen = [
            known.get(label) or select_channels(own[None], self.concepts.top, self.seed)
            for own, label in zip(relevance, classes, strict=True)
        ]
        stability = [
            one.stability if label in known else np.full(len(one.channels), np.nan)
            for one, label in zip(chosen, classes, strict=True)
        ]
        return (
            torch.as_tensor(np.stack([one.channels for one in chosen])),
            torch.as_tensor(np.stack(stability), dtype=torch.float32),
        )
