"""``explainer=importance``: which named functionals tell an emotion from the others, and whether an embedding has them.

Importance is that of a linear classifier on the functionals themselves, in the folds of the run: the standardised
coefficient, averaged over folds with a delete-a-group jackknife interval (a fold leaves a group of speakers out; Efron
& Tibshirani, 1993, chapter 11), and the loss of UAR when a functional is permuted within the speakers of the test part,
with an interval over speakers. Beside them: how well the run's embedding predicts the functional, from all dimensions
and from those that matter to the emotion, in the same folds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ser.explainer.probing.classify import Counts, classify, count_hits
from ser.explainer.probing.curves import list_sizes, make_tested, rank_by_classifier
from ser.explainer.probing.figures import write_drawings
from ser.explainer.probing.importance_figure import draw_importance
from ser.explainer.probing.material import LayerVectors, Material
from ser.explainer.probing.probing import Probing
from ser.explainer.probing.rank import sort_dimensions
from ser.explainer.probing.residuals import permute_within
from ser.explainer.probing.ridge import Solver
from ser.explainer.probing.scores import HeldOut, Scores, score
from ser.explainer.probing.tables import write_top_rows
from ser.explainer.probing.targets import find_medoids
from ser.finished import FinishedRun
from ser.head.trunk import Trunk
from ser.metrics import resample_groups, uar
from ser.statistics.figures.style import PRINT

#: Functionals of an emotion that count as its top.
TOP = 10


@dataclass(frozen=True)
class Importance:
    """The choice.

    Attributes:
        layer: hidden state whose dimensions predict the functionals; ``None``: the one that the head reads.
        statistics: over time; ``None``: those that the head reads.
        functionals: set of openSMILE.
        inner: folds of training speakers in which penalties and numbers of dimensions are chosen.
        repeats: permutations of each functional.
        seed: of these.
    """

    layer: int | None = None
    statistics: Sequence[str] | None = None
    functionals: str = "eGeMAPSv02"
    inner: int = 3
    repeats: int = 20
    seed: int = 0

    def check_trunk(self, trunk: Trunk, head: Any) -> None:
        """As of probes."""
        Probing(None if self.layer is None else [self.layer]).check_trunk(trunk, head)

    def examine(self, finished: FinishedRun, folder: Path) -> dict[str, float]:
        """Rank, probe and join; a table, a LaTeX table and a figure go into the folder."""
        began = time.perf_counter()
        self.check_trunk(finished.trunk, finished.choices.head)
        material = Material.read(finished, self.functionals, (), self.inner)
        table, whole = rank_functionals(material, self.repeats, self.seed)
        layer = material.embed(self.layer, self.statistics)
        if layer.names != material.targets.names:
            table = table.merge(probe_functionals(material, layer), on=["emotion", "functional"], validate="one_to_one")
        table.to_parquet(folder / "importance.parquet", index=False)
        table.to_csv(folder / "importance.csv", index=False)
        write_top_rows(folder / "importance.tex", table, f"The {TOP} most important functionals of each emotion")
        write_drawings(folder / "figures", [("importance", lambda: draw_importance(table, material.emotions, PRINT))])
        found = {"importance/uar": whole, "seconds": time.perf_counter() - began}
        top = table[table["rank"] <= TOP]
        scores = [name for name in ("r_top", "r_all", "r2_top", "r2_all") if name in table]
        return {**{f"importance/{name}": float(top[name].mean()) for name in scores}, **found}


def rank_functionals(material: Material, repeats: int, seed: int) -> tuple[pd.DataFrame, float]:
    """A row an emotion and functional, the most important first, and the UAR of the classifier of all emotions."""
    names, groups, count = material.targets.names, material.targets.groups, len(material.emotions)
    coefficients, scored, moved = [], [], []
    for place, division in enumerate(material.divisions):
        solver = Solver(material.targets.numbers, division)
        found = classify(solver, material.classes, count)
        weights = solver.basis.find_weights(found.solution.turned, found.solution.alphas)
        coefficients.append(weights.T)
        scored.append((found.rows, found.scores))
        rows = solver.basis.standardise(material.targets.numbers[division.test])
        effects = weights / found.limits.spread
        rng = np.random.default_rng([seed, place])
        moved.append(
            (found.rows, permute_scores(found.scores, rows, effects, material.speakers[found.rows], repeats, rng))
        )
    before = count_hits(scored, material.classes, material.speakers)
    drops = measure_drops(material, before, moved)
    mean, low, high = jackknife(np.stack(coefficients))
    ranks = np.argsort(sort_dimensions(np.abs(mean)), axis=1) + 1
    tops = np.mean([np.argsort(sort_dimensions(np.abs(each)), axis=1) < TOP for each in coefficients], axis=0)
    medoids = find_medoids(material.targets.numbers, names)
    columns = {
        "emotion": np.repeat(material.emotions, len(names)),
        "functional": names * count,
        "group": groups * count,
        "medoid": medoids * count,
        "rank": ranks.ravel(),
        "coefficient": mean.ravel(),
        "coefficient_low": low.ravel(),
        "coefficient_high": high.ravel(),
        "top_share": tops.ravel(),
        **{name: values.ravel() for name, values in drops.items()},
    }
    table = pd.DataFrame(columns).sort_values(["emotion", "rank"], ignore_index=True)
    return table, float(uar(before.joint.sum(0)))


def permute_scores(
    scores: np.ndarray,
    rows: np.ndarray,
    effects: np.ndarray,
    speakers: np.ndarray,
    repeats: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Scores [R, D, M, K] of a linear classifier once each dimension is permuted within speakers.

    Args:
        scores: as they are [M, K].
        rows: standardised values [M, D].
        effects: of a dimension on the scores [D, K].
        speakers: of the rows [M].
        repeats: permutations R.
        rng: of them.
    """
    changes = np.stack([rows[permute_within(speakers, rng)] - rows for _ in range(repeats)])
    return scores + np.einsum("rmd,dk->rdmk", changes, effects)


def measure_drops(
    material: Material, before: Counts, moved: Sequence[tuple[np.ndarray, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Loss of UAR, of an emotion against the others, by permuting each functional, with its interval [K, T]."""
    repeats, dims = moved[0][1].shape[:2]
    count, resampled = len(material.emotions), [resample_groups(own) for own in before.single]
    drop, low, high = (np.zeros((count, dims)) for _ in range(3))
    for dim in range(dims):
        drawn = [
            count_hits(
                [(rows, scores[repeat, dim]) for rows, scores in moved], material.classes, material.speakers
            ).single
            for repeat in range(repeats)
        ]
        after = np.sum(drawn, axis=0)  # rates are those of all repeats together
        for number in range(count):
            drop[number, dim] = uar(before.single[number].sum(0)) - uar(after[number].sum(0))
            gaps = uar(resampled[number]) - uar(resample_groups(after[number]))
            low[number, dim], high[number, dim] = np.quantile(gaps, [0.025, 0.975])
    return {"permutation": drop, "permutation_low": low, "permutation_high": high}


def jackknife(values: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of values [G, …], each found without one of G groups, and its interval; NaN limits with one group."""
    count, mean = len(values), values.mean(0)
    if count < 2:
        return mean, np.full(mean.shape, np.nan), np.full(mean.shape, np.nan)
    error = np.sqrt((count - 1) / count * ((values - mean) ** 2).sum(0))
    half = stats.t.ppf((1 + level) / 2, count - 1) * error
    return mean, mean - half, mean + half


def probe_functionals(material: Material, layer: LayerVectors) -> pd.DataFrame:
    """What an embedding says of the functionals: from all dimensions, and from those that matter to each emotion."""
    targets, sizes = material.targets.numbers, list_sizes(len(layer.names))
    whole, tops = [], []
    for vectors, division in zip(layer.vectors, material.divisions, strict=True):
        solver = Solver(vectors, division)
        whole.append(make_tested(solver, solver.solve(targets), targets))
        importance, chosen = rank_by_classifier(vectors, division, material.classes, sizes)
        orders = sort_dimensions(importance)[1:]
        short = [Solver(vectors[:, order[:size]], division) for order, size in zip(orders, chosen[1:], strict=True)]
        tops.append([make_tested(one, one.solve(targets), targets) for one in short])
    every = score(HeldOut.join(whole), material.speakers)
    tables = [
        tabulate_probes(material, emotion, score(HeldOut.join(list(own)), material.speakers), every)
        for emotion, own in zip(material.emotions, zip(*tops, strict=True), strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def tabulate_probes(material: Material, emotion: str, top: Scores, every: Scores) -> pd.DataFrame:
    """A row a functional."""
    columns: dict[str, Any] = {"emotion": emotion, "functional": material.targets.names}
    for name, scores in (("top", top), ("all", every)):
        columns |= {
            f"r_{name}": scores.r,
            f"r_{name}_low": scores.r_interval[0],
            f"r_{name}_high": scores.r_interval[1],
        }
        columns |= {f"r2_{name}": scores.r2}
    return pd.DataFrame(columns)
