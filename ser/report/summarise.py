"""The numbers of the page, as frames; the same frames are written as CSV beside it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser import metrics, regression
from ser.judge import HEADLINES
from ser.report.collect import Run, Sweep
from ser.report.naming import label_jobs, list_factors

INTERVAL = ("", "_ci_low", "_ci_high")


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
    headlines = dict.fromkeys(part.headline for part in sweep.parts)
    names = [name for head in headlines for name in (head, f"{head}_ci_low", f"{head}_ci_high", *HEADLINES[head])]
    rows = [
        {
            "job": run.job,
            "configuration": run.configuration,
            **{factor: run.overrides.get(factor, "default") for factor in sweep.varied},
            "state": run.state,
            "reason": run.reason,
            **{name: run.metric(f"test/{name}") for name in (*names, "n_clips", "n_speakers")},
            "chance": find_chance(run),
            "seconds": run.seconds,
            "run_id": run.run_id,
            "key": run.key,
            "folder": "" if run.folder is None else str(run.folder),
        }
        for run in sweep.runs
    ]
    return pd.DataFrame(rows)


def summarise_configurations(part: Sweep) -> pd.DataFrame:
    """One row a configuration of runs that are scored alike, best mean first, those without a result last.

    SD is that of a sample (n - 1); ``n`` counts runs with a score, ``jobs`` all of them. ``uar_fold_mean`` and
    ``uar_fold_std`` (``ccc_``… for dimensions) are means over runs of the spread over folds within a run.
    """
    head, rows = part.headline, []
    for name, runs in group_runs(part).items():
        scores = pd.Series([run.score for run in runs if run.done], dtype=float).dropna()
        spread = {"mean": scores.mean(), "sd": scores.std(), "min": scores.min(), "max": scores.max()}
        factors = {factor: runs[0].overrides.get(factor, "default") for factor in list_factors(part.varied)}
        rows.append(
            {"configuration": name, **factors, "jobs": len(runs), "n": len(scores)}
            | {f"{head}_{end}": value for end, value in spread.items()}
            | {f"{metric}_mean": average_metric(runs, metric) for metric in HEADLINES[head]}
            | {f"{head}_{end}": average_metric(runs, f"{head}_{end}") for end in ("fold_mean", "fold_std")}
            | {"chance": average_chance(runs)}
        )
    frame = pd.DataFrame(rows)
    return frame.sort_values(f"{head}_mean", ascending=False, kind="stable", ignore_index=True)


def group_runs(sweep: Sweep) -> dict[str, list[Run]]:
    """The runs of each configuration, in the order of the sweep."""
    groups: dict[str, list[Run]] = {}
    for run in sweep.runs:
        groups.setdefault(run.configuration, []).append(run)
    return groups


def rank_runs(part: Sweep) -> dict[str, list[Run]]:
    """The runs with a score of each configuration that has any, best configuration first."""
    groups = group_runs(part)
    ranked = summarise_configurations(part)
    scored = ranked.loc[ranked["n"] > 0, "configuration"]
    return {name: [run for run in groups[name] if not np.isnan(run.score)] for name in scored}


def average_metric(runs: Sequence[Run], name: str, corpus: str = "") -> float:
    """Mean of a test score over the runs that have it, for one test corpus or all; NaN if none has."""
    return _mean([run.metric(f"{run.name_set(corpus)}/{name}") for run in runs])


def list_emotions(tables: Sequence[pd.DataFrame]) -> list[str]:
    """The emotions that are true or predicted of any clip in tables of predictions, sorted."""
    return sorted({str(e) for table in tables for column in ("true", "predicted") for e in table[column].unique()})


def find_chance(run: Run) -> float:
    """What guessing scores: one over the number of classes with test clips, 0 for dimensions; NaN if unknown."""
    if run.dimensions or run.headline == "ccc":
        return 0.0
    classes = run.predictions["true"].nunique() or sum(name.startswith("test/recall/") for name in run.metrics)
    return 1 / classes if classes else float("nan")


def average_chance(runs: Sequence[Run]) -> float:
    """Mean chance level of runs; NaN if none is known."""
    return _mean([find_chance(run) for run in runs])


def list_corpora(sweep: Sweep) -> list[str]:
    """The test corpora by which results are told apart; [""] where no run has several."""
    if all(len(run.tested) < 2 for run in sweep.done):
        return [""]
    return sorted({corpus for run in sweep.done for corpus in run.tested})


def average_confusions(part: Sweep) -> dict[tuple[str, str], Confusion]:
    """Mean confusion by configuration and test corpus, best configuration first; none for dimensions."""
    averages = {}
    for name, runs in rank_runs(part).items() if part.headline == "uar" else ():
        for corpus in list_corpora(part):
            tables = [run.predict(corpus) for run in runs]
            known = [table for table in tables if len(table)]
            if known:
                averages[name, corpus] = average_confusion(known)
    return averages


def average_confusion(tables: Sequence[pd.DataFrame]) -> Confusion:
    """Mean confusion of the predictions of several runs over all emotions that any of them has."""
    emotions = list_emotions(tables)
    counts = np.stack([_count(table, emotions) for table in tables]).astype(float)
    support = counts.sum(-1, keepdims=True)
    shares = np.divide(counts, support, out=np.full(counts.shape, np.nan), where=support > 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a class that no run has clips of stays NaN
        mean = np.nanmean(shares, axis=0)
    true, predicted = pd.Index(emotions, name="true"), pd.Index(emotions, name="predicted")
    return Confusion(
        pd.DataFrame(counts.mean(0), index=true, columns=predicted),
        pd.DataFrame(mean, index=true, columns=predicted),
        len(tables),
    )


def tabulate_dimensions(part: Sweep) -> pd.DataFrame:
    """CCC, PCC and MAE of each dimension by configuration and test corpus, best configuration first.

    Returns:
        Columns ``configuration, tested, dimension, n`` and each score with ``_ci_low`` and ``_ci_high``; all are means
        over the ``n`` runs that predict the dimension. Empty for runs that name emotions.
    """
    scores = [(name, end) for name in ("ccc", *HEADLINES["ccc"]) for end in INTERVAL]
    rows = []
    for configuration, runs in rank_runs(part).items() if part.headline == "ccc" else ():
        for corpus in list_corpora(part):
            for dimension in dict.fromkeys(name for run in runs for name in run.dimensions):
                known = [run for run in runs if dimension in run.dimensions and run.name_set(corpus)]
                if known:
                    means = [average_metric(known, f"{name}/{dimension}{end}", corpus) for name, end in scores]
                    rows.append((configuration, corpus, dimension, len(known), *means))
    names = [f"{name}{end}" for name, end in scores]
    return pd.DataFrame(rows, columns=["configuration", "tested", "dimension", "n", *names])


def tabulate_corpora(part: Sweep) -> pd.DataFrame:
    """The headline score by training and test corpora: one row a cell, for each setting of whatever else varied.

    Returns:
        Columns ``setting, trained, tested, within`` (whether the test corpus also trained), ``metric``, and means over
        ``n`` runs of ``score, low, high`` (its interval) and ``chance``. Empty where no run names its corpora.
    """
    runs = [run for run in part.done if run.tested and run.headline]
    aside = {"data.train"} if any(len(run.tested) > 1 for run in runs) else {"data.train", "data.test"}
    settings = label_jobs([run.overrides for run in runs], [name for name in part.varied if name not in aside], "")
    keys = ["setting", "trained", "tested", "within", "metric"]
    rows = [
        [
            *(setting, ", ".join(sorted(run.trained)), corpus, corpus in run.trained, run.headline),
            *(run.metric(f"{run.name_set(corpus)}/{run.headline}{end}") for end in INTERVAL),
            find_chance(run),
        ]
        for run, (setting, _) in zip(runs, settings, strict=True)
        for corpus in run.tested
    ]
    frame = pd.DataFrame(rows, columns=[*keys, "score", "low", "high", "chance"]).dropna(subset="score")
    cells = frame.groupby(keys, sort=False)
    return cells.mean().assign(n=cells.size()).reset_index()


def average_curves(sweep: Sweep, curves: Sequence[str]) -> pd.DataFrame:
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


def recompute_score(run: Run) -> float:
    """The headline score of the run's predictions; the mean over corpora where it was tested on several."""
    tables = [table for _, table in run.predictions.groupby("evaluation")]
    if run.dimensions:
        return _mean([regression.find_mean_ccc(table, run.dimensions) for table in tables])
    return _mean([float(metrics.uar(metrics.tabulate_confusion(table).to_numpy())) for table in tables])


def _count(table: pd.DataFrame, emotions: Sequence[str]) -> np.ndarray:
    return metrics.count_confusions(list(table["true"]), list(table["predicted"]), emotions)


def _mean(values: Sequence[float]) -> float:
    return float(pd.Series(values, dtype=float).mean())
