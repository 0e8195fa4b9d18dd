"""A clip whose cells are removed: what the model makes of it, asked once for all explainers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ser.explainer.attribution import Attribution
from ser.explainer.bank import score_masks
from ser.explainer.base import margin
from ser.explainer.cells import Cells, make_cells
from ser.explainer.clip import Clip
from ser.explainer.evaluation.project import project
from ser.explainer.fill import Filler
from ser.explainer.subject import Subject


@dataclass(frozen=True)
class CellSize:
    """The cells on which all explanations of a model are compared.

    Args:
        seconds: their length.
        bands: parts of the frequency axis; cells of waveforms span all frequencies.
    """

    seconds: float = 0.05
    bands: int = 8

    def cut(self, subject: Subject, clip: Clip) -> Cells:
        """The cells of a clip."""
        height = clip.inputs.shape[-2] if subject.spectral else 1
        return make_cells(subject, clip.inputs, self.seconds, min(self.bands, height))


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a clip whatever the explainers.

    Attributes:
        whole: margin of the clip.
        empty: margin of each fill alone.
        keep: the bank of masks [masks, count], bool.
        margins: of the bank with each fill that headlines are averaged over [masks].
        best: the oracle's map [count].
    """

    whole: float
    empty: Mapping[str, float]
    keep: np.ndarray
    margins: Mapping[str, np.ndarray]
    best: np.ndarray


@dataclass
class Probe:
    """One clip with its cells, and its fills as they are needed.

    Attributes:
        forwards: clips passed through the model so far; equal masks that are asked for together are scored once.
    """

    subject: Subject
    clip: Clip
    cells: Cells
    seed: int = 0
    forwards: int = 0
    fillers: dict[str, Filler] = field(default_factory=dict)

    @property
    def areas(self) -> np.ndarray:
        """Elements of each cell [count]."""
        return self.cells.sizes.cpu().numpy().astype(np.float64)

    def measure_whole(self) -> float:
        """Margin of the clip as it is."""
        self.forwards += 1
        return float(margin(self.subject.score(self.clip.inputs), self.clip.classes.to(self.clip.inputs.device)))

    def fill(self, kind: str) -> Filler:
        """What stands where cells are removed."""
        if kind not in self.fillers:
            self.fillers[kind] = Filler(self.subject, self.clip.inputs, kind, self.seed)
        return self.fillers[kind]

    def ask(self, keep: Tensor, fill: str) -> np.ndarray:
        """Margins [N] of the clip with only some cells kept [N, count]."""
        different, place = keep.unique(dim=0, return_inverse=True)
        self.forwards += len(different)
        found = score_masks(self.subject, self.clip.inputs, self.cells, different, self.fill(fill), self.clip.classes)
        return found.cpu().numpy().astype(np.float64)[place.numpy()]

    def ask_mean(self, keep: Tensor, fills: Sequence[str]) -> np.ndarray:
        """The same, averaged over fills."""
        return np.mean([self.ask(keep, fill) for fill in fills], axis=0)

    def measure_empty(self, fill: str) -> float:
        """Margin of a fill alone."""
        return float(self.ask(torch.zeros(1, self.cells.count, dtype=torch.bool), fill)[0])

    def project(self, attribution: Attribution) -> np.ndarray:
        """A map on the cells [count]."""
        freqs = self.subject.spectrogram.freqs if self.subject.spectrogram is not None else None
        return project(attribution, self.cells, freqs, self.clip.offset)
