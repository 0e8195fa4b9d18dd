"""Segments: any model is asked about a clip without some of its segments, and what it answers tells their worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ser.errors import InputError
from ser.explainer.bank import score_masks
from ser.explainer.base import Grid, Relevance
from ser.explainer.cells import Cells
from ser.explainer.fill import FILLS, Filler
from ser.explainer.passes import derive_seed
from ser.explainer.segments.estimators import Estimator
from ser.explainer.segments.masks import draw_bank
from ser.explainer.segments.units import Mark, Unit
from ser.explainer.subject import Subject


@dataclass(frozen=True, eq=False)
class Bank:
    """What a model makes of a clip with segments removed.

    Attributes:
        cells: its segments.
        keep: masks [masks, count].
        margins: of the masked clips [masks], in double precision.
    """

    cells: Cells
    keep: Tensor
    margins: Tensor


@dataclass(frozen=True)
class Segments:
    """Relevance of segments.

    Two that differ in nothing but the estimator ask a model the same questions.

    Args:
        unit: cuts clips.
        estimator: reads values off the answers.
        masks: clips with segments removed that the model is asked about; more where there are many segments, fewer
            where those are all, or the estimator needs no more.
        fill: what stands for a removed segment, see :class:`ser.explainer.fill.Filler`.
        seed: of masks and fill; with the clip itself it decides them.
    """

    unit: Unit
    estimator: Estimator
    masks: int = 256
    fill: str = "noise"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.fill not in FILLS:
            raise InputError(f"explainer.fill={self.fill}", expected=", ".join(FILLS))
        if self.masks < 2:
            raise InputError(f"explainer.masks={self.masks}", expected="at least 2")

    @property
    def column(self) -> str | None:
        """Of the manifest, with times that the unit needs."""
        return self.unit.column

    def check(self, subject: Subject) -> None:
        """See :class:`ser.explainer.base.Explainer`."""
        self.unit.check(subject)

    def explain(
        self, subject: Subject, inputs: Tensor, classes: Tensor, marks: Sequence[Sequence[Mark]] | None = None
    ) -> Relevance:
        """See :class:`ser.explainer.base.Explainer`.

        Args:
            subject: the model.
            inputs: [B, M, F] or [B, T].
            classes: [B].
            marks: of each clip, for units that name a column of the manifest.

        Returns:
            Each segment's value in equal parts on its cells, so that all of them sum to it: frames of time [B, F], or
            [B, M, F] of segments in frequency. ``extras["segments"]``: number of the segment that each cell is in.
        """
        own = [None] * len(inputs) if marks is None else marks
        clips = zip(inputs.split(1), classes.split(1), own, strict=True)
        banks = [self.ask(subject, clip, target, mark) for clip, target, mark in clips]
        values = [self.estimator.estimate(bank.keep, bank.margins) for bank in banks]
        spread = [lay_out(subject, bank.cells, value) for bank, value in zip(banks, values, strict=True)]
        places = [place_segments(subject, bank.cells) for bank in banks]
        return Relevance(
            torch.stack(spread),
            grid=find_grid(subject, inputs, banks[0].cells),
            baseline=torch.stack([find_empty(bank) for bank in banks]) if self.estimator.complete else None,
            reasons=[["the whole clip is one segment"] if bank.cells.count == 1 else [] for bank in banks],
            forwards=sum(len(bank.keep) for bank in banks),
            extras={"segments": torch.stack(places)},
        )

    def ask(self, subject: Subject, inputs: Tensor, classes: Tensor, marks: Sequence[Mark] | None = None) -> Bank:
        """Margins of the masks that the estimator reads, for one clip [1, …] and its class [1]."""
        cells = self.unit.cut(subject, inputs, marks)
        seed = derive_seed(inputs[0], self.seed)
        keep = draw_bank(cells.count, self.masks, seed)
        keep = keep[self.estimator.choose(keep)]
        margins = score_masks(subject, inputs, cells, keep, Filler(subject, inputs, self.fill, seed), classes)
        return Bank(cells, keep, margins.double().cpu())


def find_empty(bank: Bank) -> Tensor:
    """Margin of the clip without any segment."""
    return bank.margins[~bank.keep.any(1)].mean().float()


def lay_out(subject: Subject, cells: Cells, values: Tensor) -> Tensor:
    """Values of one clip's segments [count] in equal parts on frames [F], or on cells [M, F] of segments of bands."""
    spread = cells.spread(values[None].to(cells.labels.device))
    over_time = subject.project(spread)[0].float()
    return over_time.sum(0) if subject.spectral and len(cells.shape) == 1 else over_time


def place_segments(subject: Subject, cells: Cells) -> Tensor:
    """Number of the segment that each frame [F], or each cell [M, F] of segments of bands, lies in."""
    if subject.spectral:
        return cells.labels if len(cells.shape) == 2 else cells.labels[0]
    grid = subject.find_grid(cells.labels[None])
    middle = torch.from_numpy(grid.times * subject.rate).long().clamp(max=len(cells.labels) - 1)
    return cells.labels[middle.to(cells.labels.device)]


def find_grid(subject: Subject, inputs: Tensor, cells: Cells) -> Grid:
    """Of what :func:`lay_out` gives."""
    grid = subject.find_grid(inputs)
    return grid if len(cells.shape) == 2 else Grid(grid.times, grid.step)
