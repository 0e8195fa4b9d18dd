"""How well a linear probe tells emotions apart from each hidden state, on speakers it has never heard.

The probe is that of :mod:`ser.explainer.probing.classify`: least squares with a ridge that inner folds of the training
speakers choose, balanced thresholds. Folds are those of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ser.backbone.functionals import Functionals
from ser.explainer.layers.networks import FINAL, PRETRAINED, Network
from ser.explainer.probing.classify import classify, count_hits, find_uar
from ser.explainer.probing.folds import divide, make_groups
from ser.explainer.probing.ridge import Solver
from ser.explainer.probing.targets import measure
from ser.finished import FinishedRun
from ser.metrics import DRAWS, NO_INTERVAL, count_showing, find_interval, resample_classes, uar


class Probe:
    """Probes of a run's clips.

    Args:
        finished: the run.
        folds: by name; ``None`` for all.
        inner: folds of the training speakers in which penalties are chosen.
    """

    def __init__(self, finished: FinishedRun, folds: Sequence[str] | None, inner: int) -> None:
        self.frame = finished.corpus.manifest.frame.reset_index(drop=True)
        chosen = [one for one in divide(finished, self.frame, inner) if folds is None or one.name in folds]
        self.divisions = chosen
        self.emotions = tuple(sorted(set(self.frame["emotion"])))
        self.classes = make_groups(self.frame["emotion"].to_numpy())
        self.speakers = make_groups(self.frame["speaker"].to_numpy())

    def count(self, network: Network, layer: int) -> np.ndarray:
        """Confusion counts of each speaker [S, K, K] from a layer of a network, which may be another in every fold."""
        if not network.trained:
            return self.count_same(network.embed(self.frame, "", layer))
        return self._count(network.embed(self.frame, division.name, layer) for division in self.divisions)

    def count_same(self, values: np.ndarray) -> np.ndarray:
        """The same from vectors [N, D] of all clips."""
        return self._count(values for _ in self.divisions)

    def _count(self, vectors: Iterable[np.ndarray]) -> np.ndarray:
        scored = []
        for division, values in zip(self.divisions, vectors, strict=True):
            found = classify(Solver(values, division), self.classes, len(self.emotions))
            scored.append((found.rows, found.scores))
        return count_hits(scored, self.classes, self.speakers).joint


def probe_run(
    networks: Sequence[Network], folds: Sequence[str] | None, inner: int, reference: Functionals | None
) -> pd.DataFrame:
    """UAR of every layer of every network of a run, and of the functionals that they are compared with.

    Args:
        networks: of one run.
        folds: by name; ``None`` for all.
        inner: folds of the training speakers.
        reference: extractor of functionals, or ``None``.

    Returns:
        ``run, checkpoint, layer, uar, low, high``, what is gained over the functionals with its interval
        (``over_reference``, ``_low``, ``_high``), ``head_weight`` (of the layer in a mixture that the head learned).
    """
    first = networks[0]
    probe, rows = Probe(first.finished, folds, inner), []
    base = None
    if reference is not None:
        values = measure(first.finished, probe.frame, reference)
        base = probe.count_same(values)
        rows.append({"run": first.run, "checkpoint": "reference", "layer": np.nan, **describe(base)})
    weights = read_weights(first.finished, [division.name for division in probe.divisions])
    for network in networks:
        for layer in network.layers:
            counts = probe.count(network, layer)
            row = {"run": network.run, "checkpoint": network.checkpoint, "layer": layer, **describe(counts)}
            if base is not None:
                row |= dict(zip(("over_reference", "over_low", "over_high"), compare(counts, base), strict=True))
            if weights is not None and network.checkpoint == (FINAL if first.finished.trunk.trains else PRETRAINED):
                row["head_weight"] = weights[layer]
            rows.append(row)
    return pd.DataFrame(rows)


def describe(counts: np.ndarray) -> dict[str, float]:
    """UAR with its interval over speakers, chance, and of how much."""
    value, low, high = find_uar(counts)
    clips, speakers, classes = int(counts.sum()), len(counts), int((counts.sum((0, 2)) > 0).sum())
    return {"uar": value, "low": low, "high": high, "chance": 1 / classes, "clips": clips, "speakers": speakers}


def compare(one: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """Difference of UAR and its interval, the same speakers resampled on both sides, from counts [S, K, K]."""
    gain = float(uar(one.sum(0)) - uar(other.sum(0)))
    if len(one) < 2 or (count_showing(one) == 1).any():
        return (gain, *NO_INTERVAL)
    samples = [resample_classes(counts)[0] for counts in (one, other)]  # what is drawn depends on true classes alone
    if len(samples[0]) < DRAWS:
        return (gain, *NO_INTERVAL)
    return (gain, *find_interval(uar(samples[0]) - uar(samples[1])))


def read_weights(finished: FinishedRun, folds: Sequence[str]) -> np.ndarray | None:
    """Weight of each layer [L] where the head learned a mixture of all, the mean over folds."""
    if finished.trunk.reading.layer != "mix":
        return None
    found = []
    for fold in folds:
        reader = finished.load_model(fold).head.network.reader  # type: ignore[attr-defined]
        mix = reader.reader.mix if hasattr(reader, "reader") else reader.mix
        found.append(mix.weights.detach().cpu().numpy())
    return np.mean(found, axis=0)
