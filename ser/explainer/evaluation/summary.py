"""One table a model: scores of each explainer with intervals over speakers, and its place between chance and oracle."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ser.explainer.evaluation.metrics import BEST, HEADLINES, PERMUTED, PLANTED, RANDOM

#: Which clips a row is about.
SUBSETS = ("all", "correct", "wrong")
#: Ends of intervals.
LEVELS = (2.5, 97.5)
#: Mean distance from chance to the oracle below which there is no skill to speak of.
SMALLEST = 1e-9


def summarise(
    scores: pd.DataFrame, reference: pd.DataFrame | None = None, draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Means over clips with percentile intervals of a bootstrap over speakers, for all, correct and wrong predictions.

    Speakers are resampled with all their clips, the same for all methods. Skill is (s - random) / (best - random), of
    means over the clips that all three are scored on: 0 as good as noise, 1 as good as the oracle.

    Args:
        scores: of explainers, a row a clip, method and metric.
        reference: of null explainers and the oracle on the same clips.
        draws: resamples.
        seed: of the resamples.

    Returns:
        Columns ``method, metric, subset, mean, ci_low, ci_high, skill, skill_low, skill_high, clips, speakers`` and
        ``passed``, which says whether a sanity check's mean keeps its limit (null for other metrics).
    """
    joined = scores if reference is None else pd.concat([scores, reference], ignore_index=True)
    neutral = {metric.name for metric in HEADLINES if not metric.better}
    subsets = {"all": joined, "correct": joined[joined["correct"]], "wrong": joined[~joined["correct"]]}
    rows = [
        {"metric": metric, "subset": subset, **row}
        for subset, part in subsets.items()
        for metric, own in part.groupby("metric", sort=False)
        for row in summarise_metric(own, draws, seed, metric not in neutral)
    ]
    columns = ["method", "metric", "subset", "mean", "ci_low", "ci_high", "skill", "skill_low", "skill_high"]
    table = pd.DataFrame(rows, columns=[*columns, "clips", "speakers"])
    limits = {metric.name: metric.limit for metric in HEADLINES if metric.limit is not None}
    table["passed"] = [
        mean < limits[metric] if metric in limits else None
        for mean, metric in zip(table["mean"], table["metric"], strict=True)
    ]
    return table


def summarise_metric(rows: pd.DataFrame, draws: int, seed: int, skilled: bool = True) -> Iterator[dict[str, object]]:
    """Rows of the table for one metric, by method; ``skilled``: one way is better."""
    wide = rows.pivot_table(index=["dataset", "speaker", "clip"], columns="method", values="value", sort=False)
    owners = wide.index.get_level_values("dataset") + "/" + wide.index.get_level_values("speaker").astype(str)
    speakers, names = pd.factorize(owners)
    copies = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    values = {str(method): wide[method].to_numpy(float) for method in wide.columns}
    for method, own in values.items():
        there = np.isfinite(own)
        mean, low, high = resample(np.where(there, own, 0.0), there.astype(float), speakers, copies)
        row = {"method": method, "mean": mean, "ci_low": low, "ci_high": high}
        skill, least, most = measure_skill(own, values if skilled else {}, speakers, copies)
        row |= {"skill": skill, "skill_low": least, "skill_high": most}
        yield row | {"clips": int(there.sum()), "speakers": len(np.unique(speakers[there]))}


def measure_skill(
    own: np.ndarray, values: dict[str, np.ndarray], speakers: np.ndarray, copies: np.ndarray
) -> tuple[float, float, float]:
    """How far from chance to the oracle a method is, and the ends of the interval; NaN where that has no meaning."""
    nothing = (float("nan"),) * 3
    if RANDOM not in values or BEST not in values:
        return nothing
    there = np.isfinite(own) & np.isfinite(values[RANDOM]) & np.isfinite(values[BEST])
    gain = np.where(there, own - values[RANDOM], 0.0)
    range_ = np.where(there, values[BEST] - values[RANDOM], 0.0)
    if not there.any() or abs(range_.sum()) < SMALLEST * there.sum():
        return nothing
    return resample(gain, range_, speakers, copies)


def resample(
    above: np.ndarray, below: np.ndarray, speakers: np.ndarray, copies: np.ndarray
) -> tuple[float, float, float]:
    """Ratio of two sums over clips, and the ends of its interval over speakers.

    Args:
        above: summands of the numerator [clips].
        below: of the denominator.
        speakers: whose clip each is, by number.
        copies: how often each resample has each speaker [draws, S]; the interval of one speaker is not defined.
    """
    size = copies.shape[1]
    top, bottom = (np.bincount(speakers, weights=one, minlength=size) for one in (above, below))
    estimate = float(top.sum() / bottom.sum())
    if np.count_nonzero(np.bincount(speakers, weights=np.abs(below), minlength=size)) < 2:
        return estimate, float("nan"), float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (copies @ top) / (copies @ bottom)
    low, high = np.percentile(ratios[np.isfinite(ratios)], LEVELS)
    return estimate, float(low), float(high)


def tabulate_explainers(table: pd.DataFrame, subset: str = "all") -> pd.DataFrame:
    """One row an explainer, of the metrics that the figure shows too.

    Args:
        table: of :func:`summarise`.
        subset: of the clips.

    Returns:
        Index ``method``; columns ``<metric>``, ``<metric>_low``, ``<metric>_high``, and ``<metric>_skill`` and
        ``<metric>_passed`` where they mean something.
    """
    rows = table[table["subset"] == subset]
    columns = {"": "mean", "_low": "ci_low", "_high": "ci_high", "_skill": "skill", "_passed": "passed"}
    parts = {}
    for metric in HEADLINES:
        own = rows[rows["metric"] == metric.name].set_index("method")
        for suffix, column in columns.items():
            if len(own) and (column == "mean" or own[column].notna().any()):
                parts[f"{metric.name}{suffix}"] = own[column]
    return pd.DataFrame(parts, index=pd.Index(dict.fromkeys(rows["method"]), name="method"))


def tabulate_planted(table: pd.DataFrame) -> pd.DataFrame:
    """Scores of planted clips, a row a score and method, with what chance and the best map would reach.

    Args:
        table: of :func:`summarise`, with what methods are scored by as a whole.

    Returns:
        Columns ``metric, title, method, mean, ci_low, ci_high, chance, ideal``, in the order of the figure; no rows for
        clips without planted truth.
    """
    rows = table[(table["subset"] == "all") & (table["method"] != BEST)]
    means = {(row["metric"], row["method"]): row["mean"] for row in table[table["subset"] == "all"].to_dict("records")}
    found = [
        {"metric": metric.name, "title": metric.title, **row, **find_bounds(metric.name, row, means)}
        for metric in HEADLINES
        if metric.name in PLANTED
        for row in rows[rows["metric"] == metric.name][["method", "mean", "ci_low", "ci_high"]].to_dict("records")
    ]
    columns = ["metric", "title", "method", "mean", "ci_low", "ci_high", "chance", "ideal"]
    return pd.DataFrame(found, columns=columns)


def find_bounds(metric: str, row: Mapping[Hashable, Any], means: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Chance and ideal of one row."""
    bounds = PLANTED[metric]
    chance = bounds.chance
    if isinstance(chance, str):
        name = f"{metric}{PERMUTED}" if chance == PERMUTED else chance
        chance = means.get((name, str(row["method"])), float("nan"))
    ideal = means.get((metric, bounds.ideal), float("nan")) if isinstance(bounds.ideal, str) else bounds.ideal
    return {"chance": chance, "ideal": ideal}
