"""Cells of an input that are kept or removed together: stretches of time, of bands, or tiles of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ser.errors import InputError
from ser.explainer.base import Grid
from ser.explainer.subject import Subject


@dataclass(frozen=True, eq=False)
class Cells:
    """A partition of the elements of one input.

    Attributes:
        labels: which cell each element belongs to [M, F] or [T]; cells are counted along time first, then over bands.
        grid: where the cells lie. Where they differ in length, ``step`` is their mean.
        shape: ``(bands, frames)``, or ``(frames,)`` where every cell spans all frequencies.
        edges: of the cells in time, in s from the first sample [frames + 1].
    """

    labels: Tensor
    grid: Grid
    shape: tuple[int, ...]
    edges: np.ndarray

    @property
    def count(self) -> int:
        """How many cells there are."""
        return math.prod(self.shape)

    @property
    def sizes(self) -> Tensor:
        """Elements of each cell [count]."""
        return torch.bincount(self.labels.flatten(), minlength=self.count)

    def sum(self, values: Tensor) -> Tensor:
        """Values of elements [N, *input], summed in each cell [N, count]."""
        flat = values.flatten(1)
        flat = flat if flat.is_floating_point() else flat.float()
        return flat.new_zeros(len(flat), self.count).index_add_(1, self.labels.flatten(), flat)

    def expand(self, per_cell: Tensor) -> Tensor:
        """What holds for each cell [N, count], for each of its elements [N, *input]."""
        return per_cell[:, self.labels]

    def spread(self, per_cell: Tensor) -> Tensor:
        """Values of cells [N, count] in equal parts on their elements [N, *input]; :meth:`sum` takes it back."""
        return self.expand(per_cell / self.sizes)


def make_cells(subject: Subject, inputs: Tensor, seconds: float = 0.05, bands: int = 8) -> Cells:
    """Cells of equal length.

    A rest at the end shorter than half a cell belongs to the last one.

    Args:
        subject: whose inputs they are.
        inputs: [B, M, F] or [B, T].
        seconds: length of a cell.
        bands: parts of the frequency axis with equally many bands of the spectrogram; cells of waveforms, and of
            spectrograms where it is 1, span all frequencies.

    Raises:
        InputError: cells of no length, or more parts than there are bands.
    """
    if seconds <= 0:
        raise InputError(f"cells of {seconds} s", expected="a length above 0")
    step, length = _find_step(subject), inputs.shape[-1]
    size = max(1, round(seconds / step))
    bounds = np.arange(max(1, math.floor(length / size + 0.5)) + 1) * size
    bounds[-1] = length
    return _make(subject, inputs, bounds, _split_bands(subject, inputs, bands))


def cut_cells(subject: Subject, inputs: Tensor, edges: Sequence[float] | np.ndarray, bands: int = 1) -> Cells:
    """Cells between given times.

    Args:
        subject: whose inputs they are.
        inputs: [B, M, F] or [B, T].
        edges: between cells, in s from the first sample, ascending; those of the clip itself may be left out. What
            falls together on the elements of the input is one edge.
        bands: as in :func:`make_cells`.
    """
    length = inputs.shape[-1]
    shift = 0.5 if subject.spectral else 0.0  # a frame of a spectrogram is centred on its time, half of it lies before
    inner = np.round(np.asarray(edges, dtype=np.float64) / _find_step(subject) + shift).astype(int)
    bounds = np.unique(np.concatenate([[0], inner[(inner > 0) & (inner < length)], [length]]))
    return _make(subject, inputs, bounds, _split_bands(subject, inputs, bands))


def _find_step(subject: Subject) -> float:
    """Seconds between elements of an input along time."""
    return 1 / subject.rate if subject.spectrogram is None else subject.spectrogram.step


def _split_bands(subject: Subject, inputs: Tensor, bands: int) -> np.ndarray | None:
    """Edges between parts of the frequency axis [parts + 1], or ``None`` where there is one part."""
    if not subject.spectral or bands == 1:
        return None
    if not 1 < bands <= inputs.shape[-2]:
        raise InputError(f"{bands} parts of {inputs.shape[-2]} bands", expected=f"1 to {inputs.shape[-2]}")
    return np.round(np.linspace(0, inputs.shape[-2], bands + 1)).astype(int)


def _make(subject: Subject, inputs: Tensor, bounds: np.ndarray, parts: np.ndarray | None) -> Cells:
    """Cells from their edges, in elements of the input along time and in bands."""
    step, sizes = _find_step(subject), np.diff(bounds)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    edges = (bounds - (0.5 if subject.spectral else 0.0)) * step
    freqs = None
    shape: tuple[int, ...] = (len(sizes),)
    if parts is not None:
        rows = np.repeat(np.arange(len(parts) - 1), np.diff(parts))
        labels = rows[:, None] * len(sizes) + labels
        shape = (len(parts) - 1, len(sizes))
        assert subject.spectrogram is not None
        centres = subject.spectrogram.freqs
        freqs = np.array([centres[a:b].mean() for a, b in pairwise(parts)])
    elif subject.spectral:
        labels = np.broadcast_to(labels, tuple(inputs.shape[1:]))
    grid = Grid((edges[:-1] + edges[1:]) / 2, float(edges[-1] - edges[0]) / len(sizes), freqs)
    return Cells(torch.from_numpy(labels.copy()).to(inputs.device), grid, shape, edges)
