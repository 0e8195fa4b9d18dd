"""Probing in nested folds: one solve with shared decompositions beside the loop of GridSearchCV that people write.

Both standardise in the fold, choose a penalty for each target on speaker-disjoint inner folds, and predict held-out
speakers. The scores must agree to 1e-6. Vectors and targets are drawn, correlated as embeddings and functionals are.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ser.explainer.probing.folds import divide_speakers
from ser.explainer.probing.ridge import ALPHAS, Division, Solver


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=340)
    parser.add_argument("--speakers", type=int, default=10)
    parser.add_argument("--dims", type=int, default=1024)
    parser.add_argument("--targets", type=int, default=88)
    parser.add_argument("--folds", type=int, default=5, help="outer folds of speakers")
    parser.add_argument("--inner", type=int, default=3, help="inner folds")
    parser.add_argument("--every", type=int, default=1, help="the loop takes every n-th target only")
    options = parser.parse_args()
    values, targets, speakers = draw_data(options)
    divisions = divide_outer(speakers, options.folds, options.inner)
    began = time.perf_counter(), time.process_time()
    together = [Solver(values, division).solve(targets) for division in divisions]
    ours = time.perf_counter() - began[0], time.process_time() - began[1]
    chosen = list(range(0, options.targets, options.every))
    began = time.perf_counter(), time.process_time()
    loop = search_all(values, targets[:, chosen], speakers, divisions, options.inner)
    theirs = time.perf_counter() - began[0], time.process_time() - began[1]
    gap = compare(together, loop, targets, divisions, chosen)
    whole = options.targets / len(chosen)
    print(f"{options.clips} clips, {options.dims} dimensions, {options.targets} targets, {len(ALPHAS)} penalties,")
    print(f"{len(divisions)} outer folds, {options.inner} inner ones")
    print(f"shared decompositions   {ours[0]:9.2f} s wall {ours[1]:9.2f} s CPU")
    note = "" if options.every == 1 else f" (from {len(chosen)} targets)"
    print(f"loop of GridSearchCV    {theirs[0] * whole:9.2f} s wall {theirs[1] * whole:9.2f} s CPU{note}")
    print(f"times as fast           {theirs[0] * whole / ours[0]:9.1f}        {theirs[1] * whole / ours[1]:9.1f}")
    print(f"largest difference of R2, predictions (in SDs): {gap[0]:.1e}, {gap[1]:.1e}; other penalties: {gap[2]}")


def draw_data(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors [N, D] of falling variance, targets [N, T] partly made of them, speakers [N]."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(options.clips, 60))
    values = hidden @ rng.normal(size=(60, options.dims)) + rng.normal(size=(options.clips, options.dims))
    noise = rng.uniform(0.3, 8, options.targets) * rng.normal(size=(options.clips, options.targets))
    return (
        values.astype(np.float32),
        hidden @ rng.normal(size=(60, options.targets)) + noise,
        np.arange(options.clips) % options.speakers,
    )


def divide_outer(speakers: np.ndarray, folds: int, inner: int) -> list[Division]:
    """Speaker-disjoint outer and inner folds."""
    rows = np.arange(len(speakers))
    return [
        Division(str(number), train, test, list(divide_speakers(speakers, train, inner)))
        for number, (train, test) in enumerate(GroupKFold(folds).split(rows, groups=speakers))
    ]


def search_all(
    values: np.ndarray, targets: np.ndarray, speakers: np.ndarray, divisions: list[Division], inner: int
) -> list[list[tuple[np.ndarray, float]]]:
    """Predictions and penalty of each fold and target, one grid search after the other."""
    found = []
    for division in divisions:
        train, own = division.train, []
        for target in targets.T:
            model = make_pipeline(StandardScaler(), Ridge())
            search = GridSearchCV(
                model, {"ridge__alpha": list(ALPHAS)}, scoring="neg_mean_squared_error", cv=GroupKFold(inner)
            )
            search.fit(values[train].astype(np.float64), target[train], groups=speakers[train])
            predicted = search.predict(values[division.test].astype(np.float64))
            own.append((predicted, search.best_params_["ridge__alpha"]))
        found.append(own)
    return found


def compare(together: list, loop: list, targets: np.ndarray, divisions: list[Division], chosen: list[int]) -> tuple:
    """Largest difference of R2 and of predictions, and how often another penalty was chosen."""
    gaps, shifts, others = [], [], 0
    for solution, own, division in zip(together, loop, divisions, strict=True):
        for (predicted, alpha), column in zip(own, chosen, strict=True):
            true, mean = targets[division.test, column], targets[division.train, column].mean()
            total = ((true - mean) ** 2).sum()
            pair = (solution.predicted[:, column], predicted)
            gaps.append(abs(np.subtract(*[((true - one) ** 2).sum() / total for one in pair])))
            shifts.append(np.abs(np.subtract(*pair)).max() / targets[division.train, column].std())
            others += int(solution.alphas[column] != alpha)
    return max(gaps), max(shifts), others


if __name__ == "__main__":
    main()
