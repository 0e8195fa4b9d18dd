"""Whether what an explanation calls relevant is what the model's decision rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from ser.explainer.evaluation.agreement import score_agreement
from ser.explainer.evaluation.curves import list_shares, make_masks, rank_cells, score_curves
from ser.explainer.evaluation.metrics import choose_headline
from ser.explainer.evaluation.probe import Known, Probe


def score_faithfulness(
    probe: Probe, known: Known, maps: Mapping[str, np.ndarray], steps: int, smallest: float
) -> Iterator[tuple[str, str, float]]:
    """Scores of several maps of one clip, their masks in the same batches: method, metric, value.

    Args:
        probe: the clip.
        known: of it; its fills are those that are scored.
        maps: relevance of the cells [count] by method.
        steps: of equal area, of deletion and insertion.
        smallest: distance between the margins of clip and fill below which curves have no unit; they are not scored.
    """
    shares = list_shares(steps)
    masks = [make_masks(rank_cells(values, probe.seed), probe.areas, shares) for values in maps.values()]
    keep = torch.cat([part[1:-1] for pair in masks for part in pair])
    found: dict[str, list[dict[str, float]]] = {method: [] for method in maps}
    headline = choose_headline(list(known.empty))
    for fill, empty in known.empty.items():
        curves = np.empty((len(maps), 2, len(shares)))
        curves[:, 0, 0] = curves[:, 1, -1] = known.whole
        curves[:, 0, -1] = curves[:, 1, 0] = empty
        measurable = abs(known.whole - empty) >= smallest
        if measurable:
            curves[:, :, 1:-1] = probe.ask(keep, fill).reshape(len(maps), 2, -1)
        for place, (method, values) in enumerate(maps.items()):
            scores: dict[str, float] = {}
            if fill in known.margins:
                scores = score_agreement(values, ~known.keep, known.whole - known.margins[fill], probe.areas)
            if measurable:
                scores |= score_curves(curves[place, 0], curves[place, 1], shares, known.whole, empty, steps)
            yield from ((method, f"{name}/{fill}", value) for name, value in scores.items())
            if fill in headline:
                found[method].append(scores)
    for method, each in found.items():
        yield from ((method, name, value) for name, value in average(each).items())


def average(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each score over those that have it."""
    names = dict.fromkeys(name for one in scores for name in one)
    means = {name: np.array([one[name] for one in scores if name in one], dtype=float) for name in names}
    return {name: float(values.mean()) for name, values in means.items()}
