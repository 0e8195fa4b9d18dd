"""Views of what was compared, and what a run logs of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ser.explainer.layers.accumulate import MEASURES
from ser.explainer.layers.compare import Compared
from ser.explainer.layers.networks import PRETRAINED

REFERENCE = "reference"


def find_state(states: pd.DataFrame, run: str, checkpoint: str, layer: float) -> int:
    """Number of a layer of a checkpoint among the states."""
    own = (states["run"] == run) & (states["checkpoint"] == checkpoint) & (states["layer"] == layer)
    return int(np.flatnonzero(own)[0])


def find_reference(states: pd.DataFrame) -> int:
    """Number of the functionals among the states."""
    return int(np.flatnonzero(states["checkpoint"] == REFERENCE)[0])


def list_checkpoints(states: pd.DataFrame, run: str) -> list[str]:
    """Checkpoints of a run, in the order of training."""
    own = states[(states["run"] == run) & (states["checkpoint"] != REFERENCE)]
    return list(dict.fromkeys(own["checkpoint"]))


def list_layers(states: pd.DataFrame, run: str) -> list[float]:
    """Layers of a run that were looked at."""
    own = states[(states["run"] == run) & (states["checkpoint"] != REFERENCE)]
    return sorted(set(own["layer"]))


def follow(
    found: Compared, run: str, checkpoint: str, measure: str, other: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A measure over the layers of a checkpoint, against functionals or the same layer of another checkpoint.

    Args:
        found: what was compared.
        run, checkpoint: whose layers.
        measure: which.
        other: ``reference``, or a checkpoint of the run.

    Returns:
        Numbers of the layers [L], values [L], limits [2, L] (NaN for measures without).
    """
    numbers, states = list_layers(found.states, run), found.states
    rows = [find_state(states, run, checkpoint, layer) for layer in numbers]
    to_functionals = other == REFERENCE
    columns = [find_reference(states) if to_functionals else find_state(states, run, other, layer) for layer in numbers]
    known = measure == "cka_debiased"
    limits = found.limits[:, rows, columns] if known else np.full((2, len(rows)), np.nan)
    return np.array(numbers), found.matrices[measure][rows, columns], limits


def has_reference(found: Compared) -> bool:
    """Whether functionals were compared."""
    return bool((found.states["checkpoint"] == REFERENCE).any())


def summarise(found: Compared, probes: pd.DataFrame) -> dict[str, float]:
    """What a run logs: UAR by layer, and what its last checkpoint has in common with functionals and with the first."""
    run = found.states["run"].iloc[0]
    checkpoints = list_checkpoints(found.states, run)
    last = checkpoints[-1]
    metrics = {"layers/clips": float(found.clips)}
    own = probes[probes["run"] == run]
    for row in own[own["checkpoint"] == last].to_dict("records"):
        metrics[f"layers/uar/{name_layer(row['layer'])}"] = float(row["uar"])
    for row in own[own["checkpoint"] == REFERENCE].to_dict("records"):
        metrics["layers/uar/reference"] = float(row["uar"])
    others = [REFERENCE] if has_reference(found) else []
    if len(checkpoints) > 1 and checkpoints[0] == PRETRAINED:
        others.append(PRETRAINED)
    for other in others:
        metrics |= dict(list_similarities(found, run, last, other))
    return metrics


def list_similarities(found: Compared, run: str, checkpoint: str, other: str) -> Iterator[tuple[str, float]]:
    """Every measure by layer, by the names of metrics."""
    for measure in MEASURES:
        numbers, values, _ = follow(found, run, checkpoint, measure, other)
        for number, value in zip(numbers, values, strict=True):
            yield f"layers/{measure}/{other}/{name_layer(number)}", float(value)


def name_layer(number: float) -> str:
    """As metrics call it; sorts by number."""
    return f"layer_{int(number):02d}"
