"""Overlap of classes in one layer: over all divisions, with intervals over speakers and what permuted labels give.

Intervals are those of a jackknife: a group of speakers at a time is left out of the classes and of everybody's
neighbours, while the space stays. In a bootstrap, clips that are drawn twice would be neighbours of themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ser.explainer.groups import find_reach, group_speakers
from ser.explainer.overlap.measures import (
    AXES,
    GAUSSIAN,
    INTERVAL,
    NEIGHBOURS,
    PURITY,
    average_others,
    average_own,
    find_coefficients,
    find_distances,
    find_intensities,
    intersect,
    pick_neighbours,
    shrink,
)
from ser.explainer.overlap.places import Division
from ser.explainer.overlap.space import Space
from ser.explainer.probing.residuals import permute_within


@dataclass(frozen=True)
class Settings:
    """How overlap is measured.

    Attributes:
        dims: principal components that Gaussians have.
        neighbours: of a clip.
        least: clips of a class in a division that say where it lies; with fewer it is left out there.
        permutations: of labels within speakers.
        seed: of these.
    """

    dims: int = 10
    neighbours: int = 5
    least: int = 3
    permutations: int = 20
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Measured:
    """One measure in one layer.

    Attributes:
        value: [K, K]; NaN where no division has enough clips of both classes.
        interval: over speakers [2, K, K].
        chance: mean over labels permuted within speakers [K, K].
        mean, mean_interval, mean_chance: of the mean off the diagonal; for purity, on it.
    """

    value: np.ndarray
    interval: np.ndarray
    chance: np.ndarray
    mean: float
    mean_interval: tuple[float, float]
    mean_chance: float


@dataclass(frozen=True, eq=False)
class Held:
    """Held-out clips of a division in its space.

    Attributes:
        rows: of the run's clips [N].
        scores: on principal components, in SDs [N, P].
        distances: of those that may be neighbours [N, N].
        count: neighbours of a clip, at most.
        least: see :class:`Settings`.
    """

    rows: np.ndarray
    scores: np.ndarray
    distances: np.ndarray
    count: int
    least: int

    @classmethod
    def place(cls, vectors: np.ndarray, division: Division, speakers: np.ndarray, settings: Settings) -> Held:
        """Clips of a run [N, D] in the space that a division makes."""
        space, held = Space.fit(vectors[division.fit], settings.dims), vectors[division.held]
        distances = find_distances(space.standardise(held), speakers[division.held])
        return cls(division.held, space.turn(held), distances, settings.neighbours, settings.least)

    def without(self, gone: np.ndarray) -> Held:
        """The same less clips [N]."""
        kept = np.flatnonzero(~gone)
        return Held(self.rows[kept], self.scores[kept], self.distances[np.ix_(kept, kept)], self.count, self.least)

    @cached_property
    def neighbours(self) -> np.ndarray:
        """Numbers of other clips among the N [N, k]."""
        return pick_neighbours(self.distances, self.count)

    def measure(self, classes: np.ndarray, count: int) -> dict[str, np.ndarray]:
        """Every measure [K, K] for classes [N] of the clips; NaN for classes with fewer than :attr:`least`."""
        marks = np.eye(count)[classes]
        number = marks.sum(0)
        number[number < self.least] = np.nan
        means = marks.T @ self.scores / number[:, None]
        apart = self.scores[:, None] - means[classes][:, None]
        products = (apart.transpose(0, 2, 1) @ apart).reshape(len(apart), -1)
        covariances = (marks.T @ np.nan_to_num(products) / number[:, None]).reshape(count, *2 * self.scores.shape[1:])
        axes = min(AXES, means.shape[-1])
        widths = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))[:, :axes]
        shrunk = shrink(covariances, find_intensities(self.scores, classes, count))
        found = marks[self.neighbours].sum(1) / (self.neighbours.shape[1] or np.nan)
        return {
            INTERVAL: intersect(means[:, :axes], widths),
            GAUSSIAN: find_coefficients(means, shrunk),
            NEIGHBOURS: marks.T @ found / number[:, None],
        }


def measure_overlap(
    vectors: Sequence[np.ndarray],
    divisions: Sequence[Division],
    classes: np.ndarray,
    speakers: np.ndarray,
    settings: Settings,
) -> dict[str, Measured]:
    """Overlap of classes in a layer, by measure; ``purity`` is that of neighbours, averaged over classes.

    Args:
        vectors: of all clips [N, D], for each division.
        divisions: see :mod:`ser.explainer.overlap.places`; their values are averaged, weighted by their clips.
        classes, speakers: of all clips [N].
        settings: how it is measured.
    """
    count, rng = int(classes.max()) + 1, np.random.default_rng(settings.seed)
    held = [Held.place(each, one, speakers, settings) for each, one in zip(vectors, divisions, strict=True)]
    value = average(held, classes, count)
    permuted = [classes[permute_within(speakers, rng)] for _ in range(settings.permutations)]
    null = [average(held, each, count) for each in permuted]
    groups = group_speakers(speakers[np.unique(np.concatenate([one.rows for one in held]))])
    numbers = np.array([groups.get(speaker, -1) for speaker in speakers.tolist()])
    left = []
    for group in sorted(set(groups.values())) if len(set(groups.values())) > 1 else ():
        rest = [one.without(numbers[one.rows] == group) for one in held]
        left.append(average([one for one in rest if len(one.rows)], classes, count))
    return {name: describe(name, value, left, null) for name in (*value, PURITY)}


def average(held: Sequence[Held], classes: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Every measure [K, K], the mean over divisions weighted by their clips; those that lack a class do not count.

    Args:
        held: of the divisions.
        classes: of all clips [N].
        count: K.
    """
    found = [one.measure(classes[one.rows], count) for one in held]
    clips = np.array([len(one.rows) for one in held], dtype=float)
    return {name: mean_known(np.stack([one[name] for one in found]), clips) for name in found[0]}


def describe(
    name: str,
    value: Mapping[str, np.ndarray],
    left: Sequence[Mapping[str, np.ndarray]],
    null: Sequence[Mapping[str, np.ndarray]],
) -> Measured:
    """One measure with its intervals and its chance."""
    source, summarise = (NEIGHBOURS, average_own) if name == PURITY else (name, average_others)
    own, chance = value[source], np.stack([each[source] for each in null])
    rest = np.stack([each[source] for each in left]) if left else np.full((1, *own.shape), np.nan)
    mean, reach = summarise(own), find_reach(rest)
    limits = np.clip([own - reach, own + reach], 0, 1)
    far = find_reach(summarise(rest))
    low, high = np.clip([mean - far, mean + far], 0, 1)
    return Measured(
        own, limits, mean_known(chance), float(mean), (float(low), float(high)), float(mean_known(summarise(chance)))
    )


def mean_known(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Weighted mean [...] of values [B, ...] that are numbers; NaN where none is."""
    shares = np.ones(len(values)) if weights is None else weights
    known = np.isfinite(values) * shares.reshape(-1, *[1] * (values.ndim - 1))
    total = (np.where(np.isfinite(values), values, 0) * known).sum(0)
    return np.divide(total, known.sum(0), out=np.full(np.shape(total), np.nan), where=known.sum(0) > 0)
