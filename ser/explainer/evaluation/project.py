"""Maps of every kind on the same cells: what lies in a cell is summed, what spans several is divided by overlap."""

from __future__ import annotations

import numpy as np

from ser.explainer.attribution import Attribution
from ser.explainer.cells import Cells


def project(attribution: Attribution, cells: Cells, freqs: np.ndarray | None = None, offset: float = 0.0) -> np.ndarray:
    """Relevance of each cell [count]; the sum over all cells is that of the map.

    A map without frequencies is spread evenly over the bands of cells that have some, and one with frequencies is
    summed over them where the cells have none.

    Args:
        attribution: values [time] or [freq, time] on the time axis of the file.
        cells: of the clip.
        freqs: centres in Hz of the bands of the clip's spectrogram [M], where the cells have bands.
        offset: when the clip's first sample happens, in s on that axis.
    """
    rows = attribution.values if attribution.values.ndim == 2 else attribution.values[None]
    bounds = find_bounds(attribution.times - offset, attribution.step)
    over_time = rows.astype(np.float64) @ share_out(bounds, cells.edges)
    if len(cells.shape) == 1:
        return over_time.sum(0)
    bands = cells.shape[0]
    if attribution.freqs is None:
        return np.repeat(over_time.sum(0)[None] / bands, bands, 0).ravel()
    assert freqs is not None
    shares = share_out(find_bands(attribution.freqs), find_edges(freqs, cells))
    return (shares.T @ over_time).ravel()


def find_bounds(centres: np.ndarray, step: float) -> np.ndarray:
    """Where intervals of equal length begin and end [N, 2]."""
    return np.stack([centres - step / 2, centres + step / 2], axis=1)


def find_bands(centres: np.ndarray) -> np.ndarray:
    """Where bands begin and end [N, 2]: halfway between centres, as far outwards at both ends."""
    if len(centres) == 1:
        return np.array([[0.0, 2 * centres[0]]])
    between = (centres[1:] + centres[:-1]) / 2
    edges = np.concatenate([[2 * centres[0] - between[0]], between, [2 * centres[-1] - between[-1]]])
    return np.stack([edges[:-1], edges[1:]], axis=1)


def find_edges(freqs: np.ndarray, cells: Cells) -> np.ndarray:
    """Edges in Hz between the cells' bands [bands + 1], from the centres of the spectrogram's [M]."""
    part = cells.labels[:, 0].cpu().numpy() // cells.shape[1]
    first = np.flatnonzero(np.diff(part)) + 1
    between = (freqs[first - 1] + freqs[first]) / 2
    return np.concatenate([freqs[:1], between, freqs[-1:]])


def share_out(bounds: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How much of each interval [N, 2] lies in each cell [N, cells]; rows sum to 1.

    What lies outside all cells belongs to the outermost ones.
    """
    edges = edges.astype(np.float64).copy()
    edges[0], edges[-1] = -np.inf, np.inf
    low = np.maximum(bounds[:, :1], edges[None, :-1])
    high = np.minimum(bounds[:, 1:], edges[None, 1:])
    return np.clip(high - low, 0, None) / (bounds[:, 1:] - bounds[:, :1])
