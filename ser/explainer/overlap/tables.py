"""Tables of overlap: every pair of classes in every layer, the course over layers, and its mean over runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ser.explainer.overlap.estimate import Measured
from ser.explainer.overlap.places import Place
from ser.finished import FinishedRun
from ser.tracking.key import flatten, select_effective
from ser.train import resolve

#: What tells layers of one model apart from those of another.
LAYER = ["model", "measure", "layer", "order"]
#: What a model is called by.
CHOICES = ("backbone", "finetune", "head")


def name_models(runs: Sequence[FinishedRun]) -> list[str]:
    """What the model of each run is called: the same for runs that differ in seeds alone."""
    names, settings = [], []
    for run in runs:
        chosen, plain = run.config.choices, resolve(run.config)
        names.append(", ".join(str(chosen[group]) for group in CHOICES if chosen.get(group)))
        flat = flatten(select_effective(plain, run.choices.head.uses_trainer))
        settings.append({key: value for key, value in flat.items() if key.rpartition(".")[2] != "seed"})
    found = []
    for name, own in zip(names, settings, strict=True):
        alike = [other for label, other in zip(names, settings, strict=True) if label == name]
        varied = [key for key in own if any(other.get(key) != own[key] for other in alike)]
        found.append(" ".join([name, *(f"{key}={own[key]}" for key in varied)]))
    return found


def describe_run(finished: FinishedRun, model: str) -> dict[str, Any]:
    """Columns that every row of a run has."""
    return {"run": finished.origin.key, "seed": int(finished.config.seed), "model": model}


def list_cells(place: Place, found: Mapping[str, Measured], emotions: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A row a measure and pair of classes."""
    for measure, one in found.items():
        if measure == "purity":
            continue  # the diagonal of the neighbours' table
        for first, emotion in enumerate(emotions):
            for second, other in enumerate(emotions):
                yield {
                    "layer": place.name,
                    "order": place.order,
                    "measure": measure,
                    "emotion": emotion,
                    "other": other,
                    "value": one.value[first, second],
                    "low": one.interval[0, first, second],
                    "high": one.interval[1, first, second],
                    "chance": one.chance[first, second],
                }


def list_means(place: Place, found: Mapping[str, Measured]) -> Iterator[dict[str, Any]]:
    """A row a measure: the mean off the diagonal; of purity, on it."""
    for measure, one in found.items():
        low, high = one.mean_interval
        yield {
            "layer": place.name,
            "order": place.order,
            "measure": measure,
            "value": one.mean,
            "low": low,
            "high": high,
            "chance": one.mean_chance,
        }


def average_runs(course: pd.DataFrame) -> pd.DataFrame:
    """Mean over the runs of a model with its interval (Student's t over runs; NaN with one).

    Args:
        course: a row a run, layer and measure.
    """
    rows = []
    for key, own in course.groupby(LAYER, sort=False):
        values = own["value"].to_numpy()
        number, mean = len(values), float(np.mean(values))
        error = float(np.std(values, ddof=1)) / np.sqrt(number) if number > 1 else float("nan")
        reach = float(stats.t.ppf(0.975, max(number - 1, 1))) * error
        named = dict(zip(LAYER, key, strict=True))
        row = {"value": mean, "low": mean - reach, "high": mean + reach, "chance": own["chance"].mean(), "runs": number}
        rows.append({**named, **row})
    return pd.DataFrame(rows)


def summarise(course: pd.DataFrame) -> dict[str, float]:
    """What a run logs: the mean of every measure by layer."""
    return {
        f"overlap/{row['measure']}/{name_layer(row['layer'])}": float(row["value"])
        for row in course.to_dict("records")
        if np.isfinite(row["value"])
    }


def name_layer(layer: str) -> str:
    """As metrics call it; hidden states sort by number."""
    kind, _, number = layer.partition(" ")
    return f"{kind}_{int(number):02d}" if number else kind
