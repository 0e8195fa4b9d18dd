"""What explainers found, for a page: maps as bytes that the script decodes, curves as paths of SVG."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np

from ser.explainer.attribution import Attribution
from ser.explainer.viewer.sound import TOP

Packed = dict[str, object]
#: Cells that all maps of a page may hold together; more are added up, two and two.
PAGE_CELLS = 2_900_000
#: Bands are added up before frames while a map has more of them than this.
ENOUGH_BANDS = 40
CURVE_CELLS = 200
#: Share of cells that are drawn in less than full colour: a single high cell must not fade all others.
SATURATION = 0.995


def pack_maps(attributions: Mapping[str, Attribution], cells: float) -> tuple[dict[str, Packed], list[list[float]]]:
    """The valid maps of a clip, of ``cells`` cells together at most (or one each).

    A value is ``scale * sign(code) * (code / 127) ** 2`` with int8 codes, row by row, low frequencies first: the square
    keeps small values apart, as most of a map's are, and errs by less than 1 % of the largest.

    Returns:
        Of each method ``scale``, ``full`` (the value of full colour), ``times`` and ``freqs`` (which axis; no ``freqs``
        where the map is over time only), ``pooled`` (whether cells were added up) and ``data``. And the axes, which
        several maps may have in common: edges of cells in s or in Hz.
    """
    valid = {name: one for name, one in attributions.items() if one.valid}
    left, packed, axes = cells, {}, _Axes()
    smallest_first = sorted(valid, key=lambda name: valid[name].values.size)
    for place, name in enumerate(smallest_first):  # what a small map does not need is shared by those after it
        used, packed[name] = _pack(valid[name], left / (len(valid) - place), axes)
        left -= used
    return packed, axes.edges


def trace_curve(attribution: Attribution, start: float, seconds: float) -> str:
    """Path of an SVG in a box of 1000 x 100: above 50 what speaks for the class, below it what speaks against it."""
    curve = attribution.over_time()[None]
    edges = find_edges(attribution.times, attribution.step)
    while curve.shape[1] > CURVE_CELLS:
        curve, edges = _add_pairs(curve, edges, axis=1)
    places = np.round((edges - start) / seconds * 1000).astype(int)
    levels = np.round(50 - 48 * curve[0] / (np.abs(curve).max() or 1.0)).astype(int)
    path, at, level = [f"M{places[0]} 50"], places[0], 50
    for place, height in zip(places, levels, strict=False):
        if height != level:
            path.append(f"h{place - at}v{height - level}")
            at, level = place, height
    return "".join([*path, f"h{places[-1] - at}V50Z"])


def find_edges(centres: np.ndarray, step: float) -> np.ndarray:
    """Where cells begin and end [n + 1]: half-way between their centres, the outer ones half a step away."""
    centres = np.asarray(centres, dtype=float)
    return np.concatenate([centres[:1] - step / 2, (centres[1:] + centres[:-1]) / 2, centres[-1:] + step / 2])


class _Axes:
    def __init__(self) -> None:
        self.edges: list[list[float]] = []

    def find(self, edges: np.ndarray, digits: int) -> int:
        rounded = [round(float(edge), digits) for edge in edges]
        if rounded not in self.edges:
            self.edges.append(rounded)
        return self.edges.index(rounded)


def _pack(attribution: Attribution, limit: float, axes: _Axes) -> tuple[int, Packed]:
    values = np.atleast_2d(attribution.values).astype(float)
    times = find_edges(attribution.times, attribution.step)
    freqs = None if attribution.values.ndim == 1 else _find_bands(attribution.freqs, len(values))
    cells = values.size
    while values.size > limit and max(values.shape) > 1:
        if freqs is not None and (len(values) > ENOUGH_BANDS or values.shape[1] == 1):
            values, freqs = _add_pairs(values, freqs, axis=0)
        else:
            values, times = _add_pairs(values, times, axis=1)
    scale = float(np.abs(values).max()) or 1.0
    codes = np.round(np.sign(values) * np.sqrt(np.abs(values) / scale) * 127).astype(np.int8)
    return codes.size, {
        "scale": scale,
        "full": float(np.quantile(np.abs(values), SATURATION)) or scale,
        "times": axes.find(times, digits=4),
        "freqs": None if freqs is None else axes.find(freqs, digits=1),
        "pooled": values.size < cells,
        "data": base64.b64encode(codes.tobytes()).decode(),
    }


def _find_bands(freqs: np.ndarray | None, bands: int) -> np.ndarray:
    """Edges in Hz; bands of unknown place divide the whole range."""
    if freqs is None or bands == 1:
        return np.linspace(0, TOP, bands + 1)
    inner = (freqs[1:] + freqs[:-1]) / 2
    ends = 2 * freqs[0] - inner[0], 2 * freqs[-1] - inner[-1]
    return np.concatenate([[max(0.0, ends[0])], inner, [ends[1]]])


def _add_pairs(values: np.ndarray, edges: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    starts = np.arange(0, values.shape[axis], 2)
    return np.add.reduceat(values, starts, axis=axis), np.append(edges[:-1][starts], edges[-1])
