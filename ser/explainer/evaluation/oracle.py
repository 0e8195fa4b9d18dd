"""A map that was searched for, by asking the model, to score well: what explanations are measured against.

The best order of hundreds of cells cannot be found. Candidates are made by asking what cells do alone, and that which
scores best on the clip is taken; an explainer may still do better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from ser.explainer.base import margin
from ser.explainer.evaluation.faithfulness import score_faithfulness
from ser.explainer.evaluation.metrics import choose_headline
from ser.explainer.evaluation.probe import Known, Probe

#: Groups of cells that are removed from the clip, and added to the fill, one by one.
MOST_GROUPS = 128
#: Points on the straight line from a fill to the clip at which gradients are taken.
POINTS = 16
#: Of the regression on the bank of masks, in squared cells.
RIDGE = 10.0


def search_best(probe: Probe, known: Known, steps: int, smallest: float) -> np.ndarray:
    """The candidate [count] with the greatest insertion minus deletion over the headline fills."""
    fills = choose_headline(list(known.empty))
    known = replace(known, empty={fill: known.empty[fill] for fill in fills})
    candidates = {str(place): values for place, values in enumerate(make_candidates(probe, known, fills))}
    scores: dict[str, float] = dict.fromkeys(candidates, 0.0)
    for name, metric, value in score_faithfulness(probe, known, candidates, steps, smallest):
        if metric.startswith("insertion_deletion/"):
            scores[name] += value
    return candidates[max(scores, key=lambda name: scores[name])]


def make_candidates(probe: Probe, known: Known, fills: Sequence[str]) -> Iterator[np.ndarray]:
    """Maps [count] made by asking the model; the last is their mean, each divided by its standard deviation."""
    made = [measure_alone(probe, known, fills), regress_bank(known, fills)]
    if probe.subject.differentiable:
        made.append(follow_paths(probe, fills))
    yield from made
    yield np.sum([values / (values.std() or 1.0) for values in made], axis=0)


def measure_alone(probe: Probe, known: Known, fills: Sequence[str]) -> np.ndarray:
    """How far the margin falls without a group of neighbouring cells, plus how far it rises from the fill with it.

    Each [count], shared among the cells of the group.
    """
    groups = torch.from_numpy(group_cells(probe.cells.shape))
    alone = groups[None] == torch.arange(int(groups.max()) + 1)[:, None]
    empty = float(np.mean([known.empty[fill] for fill in fills]))
    lost = known.whole - probe.ask_mean(~alone, fills)
    won = probe.ask_mean(alone, fills) - empty
    effect = lost / (lost.std() or 1.0) + won / (won.std() or 1.0)
    return effect[groups.numpy()] / alone.sum(1).numpy()[groups.numpy()]


def group_cells(shape: Sequence[int], most: int = MOST_GROUPS) -> np.ndarray:
    """Group [count] of each cell: neighbours in time, and over the bands, so that there are not too many."""
    bands, frames = (1, *shape)[-2:]
    high = wide = 1
    while -(-bands // high) * -(-frames // wide) > most:
        if high * 2 <= bands and high <= wide:
            high *= 2
        else:
            wide += 1
    rows, columns = np.arange(bands) // high, np.arange(frames) // wide
    return (rows[:, None] * (columns[-1] + 1) + columns[None]).ravel()


def regress_bank(known: Known, fills: Sequence[str]) -> np.ndarray:
    """Effect of each cell [count] by ridge regression of the bank's margins on what is kept."""
    margins = np.mean([known.margins[fill] for fill in fills], axis=0)
    keep = known.keep - known.keep.mean(0)
    inner = keep @ keep.T + RIDGE * np.eye(len(keep))
    return keep.T @ np.linalg.solve(inner, margins - margins.mean())


def follow_paths(probe: Probe, fills: Sequence[str]) -> np.ndarray:
    """Integrated gradients (Sundararajan, Taly and Yan 2017) from each fill to the clip, summed over fills [count]."""
    clip, network = probe.clip, probe.subject.network
    assert network is not None
    total = np.zeros(probe.cells.count)
    where = (torch.arange(POINTS, dtype=clip.inputs.dtype, device=clip.inputs.device) + 0.5) / POINTS
    where = where.view(-1, *[1] * (clip.inputs.dim() - 1))
    for fill in fills:
        nothing = torch.zeros(1, *clip.inputs.shape[1:], dtype=torch.bool, device=clip.inputs.device)
        way = clip.inputs - probe.fill(fill).apply(nothing)
        points = (clip.inputs - way + where * way).requires_grad_()
        with torch.enable_grad():
            scores = margin(network(points), clip.classes.to(points.device).expand(POINTS))
            gradients = torch.autograd.grad(scores.sum(), points)[0]
        probe.forwards += 3 * POINTS  # a pass back costs about two forward
        total += probe.cells.sum(way * gradients.mean(0, keepdim=True))[0].cpu().numpy()
    return total
