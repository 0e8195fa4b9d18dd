"""From clips to attributions: an explainer is run on clips of equal length together, and its maps are checked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ser.explainer.attribution import Attribution, Cost
from ser.explainer.base import Explainer, Grid, Relevance, margin
from ser.explainer.clip import Clip
from ser.explainer.marks import run_explainer
from ser.explainer.subject import Subject
from ser.progress import show_progress


def explain_clips(
    subject: Subject, explainer: Explainer, clips: Sequence[Clip], method: str, gate: float, max_batch: int = 16
) -> list[Attribution]:
    """Explain clips, in their order.

    Args:
        subject: the model.
        explainer: the method.
        clips: whose predictions are explained.
        method: what it is called.
        gate: share of a margin that values may miss.
        max_batch: clips of equal length at once.
    """
    found: dict[int, Attribution] = {}
    with show_progress(f"explaining by {method}", len(clips)) as advance:
        for places in group_equal([clip.inputs for clip in clips], max_batch):
            batch = [clips[place] for place in places]
            for place, one in zip(places, explain_batch(subject, explainer, batch, method, gate), strict=True):
                found[place] = one
            advance(len(places))
    return [found[place] for place in range(len(clips))]


def explain_batch(
    subject: Subject, explainer: Explainer, clips: Sequence[Clip], method: str, gate: float
) -> list[Attribution]:
    """Explain clips of equal length."""
    inputs = torch.cat([clip.inputs for clip in clips])
    classes = torch.cat([clip.classes for clip in clips])
    began = time.perf_counter()
    relevance = run_explainer(subject, explainer, inputs, classes, clips)
    seconds = time.perf_counter() - began
    scores = margin(subject.score(inputs), classes).cpu()
    grid = relevance.grid or subject.find_grid(inputs)
    values = relevance.values if relevance.grid is not None else subject.project(relevance.values)
    share = 1 / len(clips)
    cost = Cost(relevance.forwards * share, relevance.backwards * share, seconds * share)
    return [
        make_attribution(subject, clip, method, grid, values[place], float(scores[place]), relevance, place, gate, cost)
        for place, clip in enumerate(clips)
    ]


def make_attribution(
    subject: Subject,
    clip: Clip,
    method: str,
    grid: Grid,
    values: Tensor,
    score: float,
    relevance: Relevance,
    place: int,
    gate: float,
    cost: Cost,
) -> Attribution:
    """One clip's share of a batch, on the file's time axis, with every reason not to believe it."""
    plain = values.detach().cpu().numpy().astype(np.float32)
    baseline = None if relevance.baseline is None else float(relevance.baseline[place])
    delta = None if baseline is None else find_delta(plain, score - baseline)
    return Attribution(
        clip=clip.clip,
        method=method,
        values=plain,
        times=grid.times + clip.offset,
        freqs=grid.freqs,
        step=grid.step,
        target=subject.emotions[int(clip.classes)],
        predicted=clip.predicted,
        true=clip.true,
        score=score,
        baseline=baseline,
        delta=delta,
        # An explainer that says why says it better; the same would only be repeated.
        reasons=tuple(relevance.reasons[place]) or tuple(check_map(plain, delta, gate)),
        cost=cost,
        extras={name: array[place].detach().cpu().numpy() for name, array in relevance.extras.items()},
    )


def find_delta(values: np.ndarray, difference: float) -> float:
    """By which share values miss the difference that they should sum to."""
    return float(abs(values.sum(dtype=np.float64) - difference) / max(abs(difference), 1e-6))


def check_map(values: np.ndarray, delta: float | None, gate: float) -> Iterator[str]:
    """Why a map must not be used."""
    if not np.isfinite(values).all():
        yield "values that are not finite"
    elif not values.any():
        yield "nothing has any relevance"
    if delta is not None and not delta <= gate:
        yield f"values miss the margin that they explain by {100 * delta:.0f} %"


def group_equal(inputs: Sequence[Tensor], most: int) -> Iterator[list[int]]:
    """Places of inputs of equal shape, at most so many at once."""
    groups: dict[Any, list[int]] = {}
    for place, one in enumerate(inputs):
        groups.setdefault(tuple(one.shape), []).append(place)
    for places in groups.values():
        for first in range(0, len(places), most):
            yield places[first : first + most]
