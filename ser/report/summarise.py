"""The numbers of the page, as frames; the same frames are written as CSV beside it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser import metrics
from ser.report.collect import Run, Sweep
from ser.report.naming import list_factors

RUN_METRICS = ("uar", "uar_ci_low", "uar_ci_high", "wa", "f1_macro", "n_clips", "n_speakers")
CURVES = ("train/loss", "val/uar")


@dataclass(frozen=True)
class Confusion:
    """Mean confusion of the runs of a configuration, rows true; ``shares`` is row-normalised run by run, then averaged.

    A class without clips has NaN shares.
    """

    counts: pd.DataFrame
    shares: pd.DataFrame
    runs: int


def tabulate_runs(sweep: Sweep) -> pd.DataFrame:
    """One row a job, in the order of the sweep: what varied, state, scores."""
    rows = [
        {
            "job": run.job,
            "configuration": run.configuration,
            **{factor: run.overrides.get(factor, "default") for factor in sweep.varied},
            "state": run.state,
            "reason": run.reason,
            **{name: run.metric(f"test/{name}") for name in RUN_METRICS},
            "chance": find_chance(run),
            "seconds": run.seconds,
            "run_id": run.run_id,
            "key": run.key,
            "folder": "" if run.folder is None else str(run.folder),
        }
        for run in sweep.runs
    ]
    return pd.DataFrame(rows)


def summarise_configurations(sweep: Sweep) -> pd.DataFrame:
    """One row a configuration, best mean UAR first, those without a result last.

    SD is that of a sample (n - 1); ``n`` counts runs with a UAR, ``jobs`` all of them. ``uar_fold_mean`` and
    ``uar_fold_std`` are means over runs of the spread over folds within a run.
    """
    rows = []
    for name, runs in group_runs(sweep).items():
        uar = pd.Series([run.metric("test/uar") for run in runs if run.done], dtype=float).dropna()
        spread = {"uar_mean": uar.mean(), "uar_sd": uar.std(), "uar_min": uar.min(), "uar_max": uar.max()}
        factors = {factor: runs[0].overrides.get(factor, "default") for factor in list_factors(sweep.varied)}
        rows.append(
            {"configuration": name, **factors, "jobs": len(runs), "n": len(uar), **spread}
            | {f"{metric}_mean": average_metric(runs, f"test/{metric}") for metric in ("wa", "f1_macro")}
            | {metric: average_metric(runs, f"test/{metric}") for metric in ("uar_fold_mean", "uar_fold_std")}
            | {"chance": _mean([find_chance(run) for run in runs])}
        )
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    return frame.sort_values("uar_mean", ascending=False, kind="stable", ignore_index=True)


def group_runs(sweep: Sweep) -> dict[str, list[Run]]:
    """The runs of each configuration, in the order of the sweep."""
    groups: dict[str, list[Run]] = {}
    for run in sweep.runs:
        groups.setdefault(run.configuration, []).append(run)
    return groups


def rank_runs(sweep: Sweep) -> dict[str, list[Run]]:
    """The runs with a UAR of each configuration that has any, best configuration first."""
    groups = group_runs(sweep)
    ranked = summarise_configurations(sweep)
    names = list(ranked.loc[ranked["n"] > 0, "configuration"]) if len(ranked) else []
    return {name: [run for run in groups[name] if not np.isnan(run.metric("test/uar"))] for name in names}


def average_metric(runs: Sequence[Run], name: str) -> float:
    """Mean of a metric over the runs that have it; NaN if none has."""
    return _mean([run.metric(name) for run in runs])


def list_emotions(runs: Sequence[Run]) -> list[str]:
    """The emotions that are true or predicted of any test clip of the runs, sorted."""
    return sorted(
        {str(e) for run in runs for column in ("true", "predicted") for e in run.predictions[column].unique()}
    )


def find_chance(run: Run) -> float:
    """UAR of guessing: one over the number of classes with test clips; NaN if unknown."""
    classes = run.predictions["true"].nunique() or sum(name.startswith("test/recall/") for name in run.metrics)
    return 1 / classes if classes else float("nan")


def average_confusions(sweep: Sweep) -> dict[str, Confusion]:
    """Mean confusion of each configuration that has predictions, best configuration first."""
    averages = {}
    for name, runs in rank_runs(sweep).items():
        known = [run for run in runs if len(run.predictions)]
        if known:
            averages[name] = average_confusion(known)
    return averages


def average_confusion(runs: Sequence[Run]) -> Confusion:
    """Mean confusion of runs over all emotions that any of them has."""
    emotions = list_emotions(runs)
    counts = np.stack([_count(run, emotions) for run in runs]).astype(float)
    support = counts.sum(-1, keepdims=True)
    shares = np.divide(counts, support, out=np.full(counts.shape, np.nan), where=support > 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a class that no run has clips of stays NaN
        mean = np.nanmean(shares, axis=0)
    true, predicted = pd.Index(emotions, name="true"), pd.Index(emotions, name="predicted")
    return Confusion(
        pd.DataFrame(counts.mean(0), index=true, columns=predicted),
        pd.DataFrame(mean, index=true, columns=predicted),
        len(runs),
    )


def average_curves(sweep: Sweep, curves: Sequence[str] = CURVES) -> pd.DataFrame:
    """Mean, minimum and maximum over runs and folds of each curve at each epoch, by configuration.

    Returns:
        Columns ``configuration, metric, epoch, mean, min, max, n``; empty if nothing was trained by epochs.
    """
    parts = [run.history.assign(configuration=run.configuration) for run in sweep.done if len(run.history)]
    columns = ["configuration", "metric", "epoch", "mean", "min", "max", "n"]
    if not parts:
        return pd.DataFrame(columns=columns)
    history = pd.concat(parts, ignore_index=True)
    history["value"] = pd.to_numeric(history["value"], errors="coerce").replace([np.inf, -np.inf], np.nan)
    history = history[history["metric"].isin(curves)].dropna(subset=["value", "epoch"])
    grouped = history.groupby(["configuration", "metric", "epoch"], sort=True)["value"]
    return grouped.agg(["mean", "min", "max", "count"]).reset_index().set_axis(columns, axis=1)


def recompute_uar(run: Run) -> float:
    """UAR of the run's predictions; the mean over corpora where it was tested on several."""
    parts = [part for _, part in run.predictions.groupby("dataset", dropna=False)]
    return _mean([float(metrics.uar(metrics.tabulate_confusion(part).to_numpy())) for part in parts])


def _count(run: Run, emotions: Sequence[str]) -> np.ndarray:
    return metrics.count_confusions(list(run.predictions["true"]), list(run.predictions["predicted"]), emotions)


def _mean(values: Sequence[float]) -> float:
    return float(pd.Series(values, dtype=float).mean())
