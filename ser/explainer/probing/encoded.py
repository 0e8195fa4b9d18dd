"""What all dimensions of a layer encode, against controls, and which of that the heads use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ser.backbone.extract import extract_features
from ser.backbone.statistics import read_vectors
from ser.explainer.embeddings import fill_hidden_states, read_embeddings
from ser.explainer.probing.controls import (
    LogMelStatistics,
    Untrained,
    make_identities,
    permute_targets,
    score_pooled,
)
from ser.explainer.probing.curves import make_tested
from ser.explainer.probing.head import EmbeddingHead, reads_embedding
from ser.explainer.probing.material import LayerVectors, Material
from ser.explainer.probing.ridge import Solver
from ser.explainer.probing.scores import HeldOut, Scores, compare, find_max_t, score
from ser.explainer.probing.usage import FoldUsage, join_usage, measure_usage

if TYPE_CHECKING:
    from ser.explainer.probing.probing import Probing


@dataclass(frozen=True, eq=False)
class Encoded:
    """What probes of all dimensions of a layer found.

    Attributes:
        table: a row a target.
        usage: a row a class and target; empty where the heads read something else.
        solvers: of the folds.
        tested: the probes' predictions.
        heads: of the folds, where they read this layer.
    """

    table: pd.DataFrame
    usage: pd.DataFrame
    solvers: list[Solver]
    tested: HeldOut
    heads: list[EmbeddingHead] | None


def probe_all(choice: Probing, material: Material, layer: LayerVectors) -> Encoded:
    """Probes of all dimensions, their controls, and the heads' uses of the same directions."""
    targets, pairs = material.targets.numbers, list(zip(layer.vectors, material.divisions, strict=True))
    solvers = [Solver(vectors, division) for vectors, division in pairs]
    within = [Solver(vectors, division, adjust=material.residualiser) for vectors, division in pairs]
    tested = test_solvers(solvers, targets)
    columns = describe(score(tested, material.speakers), "")
    columns |= describe(score(test_solvers(within, targets), material.speakers), "within_")
    null = permute_targets(solvers, targets, material.cells, choice.permutations, choice.seed)
    z, p, p_max = find_max_t(columns["r2"], null)
    columns |= {"r2_permuted": null.mean(0), "selectivity": columns["r2"] - null.mean(0)}
    columns |= {"permuted_z": z, "p": p, "p_max": p_max, "r2_identity": score_identities(choice, material, solvers)}
    for name, found in measure_controls(choice, material, layer).items():
        columns[f"r2_{name}"] = score(found, material.speakers, draws=1).r2
        gain, limits = compare(tested, found, material.speakers)
        columns |= {f"over_{name}": gain, f"over_{name}_low": limits[0], f"over_{name}_high": limits[1]}
    heads, usage = find_heads(choice, material, layer), pd.DataFrame()
    if heads is not None and choice.usage:
        more, by_class = use_heads(choice, material, layer, within, heads)
        columns |= more
        usage = tabulate_usage(material, layer.number, by_class)
    first = {"layer": layer.number, "target": material.targets.names, "group": material.targets.groups}
    return Encoded(pd.DataFrame({**first, **columns}), usage, solvers, tested, heads)


def test_solvers(solvers: Sequence[Solver], targets: np.ndarray) -> HeldOut:
    """Probes of all folds."""
    return HeldOut.join([make_tested(solver, solver.solve(targets), targets) for solver in solvers])


def describe(scores: Scores, prefix: str) -> dict[str, np.ndarray]:
    """Scores as columns."""
    found = {"r2": scores.r2, "r2_low": scores.r2_interval[0], "r2_high": scores.r2_interval[1]}
    found |= {"r": scores.r, "r_low": scores.r_interval[0], "r_high": scores.r_interval[1], "rmse": scores.rmse}
    return {f"{prefix}{name}": values for name, values in found.items()}


def measure_controls(choice: Probing, material: Material, layer: LayerVectors) -> dict[str, HeldOut]:
    """Probes of other vectors of the same clips: log-mel statistics, and the untrained network where there is one."""
    finished, frame = material.finished, material.frame
    root, digests = Path(finished.config.paths.cache) / "features", frame["digest"].tolist()
    backbone = finished.trunk.backbone
    mel = LogMelStatistics(int(backbone.rate))
    others = {"logmel": extract_features(mel, frame, digests, finished.corpus.preparation, root)}
    if choice.untrained and backbone.frames:
        assert layer.number is not None
        store = fill_hidden_states(finished, Untrained(backbone, choice.seed), frame)
        others["untrained"] = read_vectors(store, digests, layer.number, choice.name_statistics(finished))
    return {
        name: test_solvers([Solver(vectors, each) for each in material.divisions], material.targets.numbers)
        for name, vectors in others.items()
    }


def score_identities(choice: Probing, material: Material, solvers: Sequence[Solver]) -> np.ndarray:
    """R2 [T] of control targets that know speaker and sentence only, the mean over draws."""
    made = make_identities(material.targets.numbers, material.speakers, material.sentences, choice.seed)
    return score_pooled(solvers, made).reshape(-1, len(material.targets)).mean(0)


def find_heads(choice: Probing, material: Material, layer: LayerVectors) -> list[EmbeddingHead] | None:
    """The fitted heads of all folds, if they read these very vectors and tell all emotions apart."""
    finished, trunk = material.finished, material.finished.trunk
    if not reads_embedding(trunk):
        return None
    if trunk.backbone.frames:
        own = read_embeddings(finished, None, None, material.divisions[0].name).layer
        if layer.number != own or choice.name_statistics(finished) != tuple(trunk.reading.statistics):
            return None
    heads = []
    for vectors, division in zip(layer.vectors, material.divisions, strict=True):
        spread = vectors[division.train].astype(np.float64).std(0)
        heads.append(EmbeddingHead(finished.load_model(division.name), spread))
    return heads if all(head.emotions == material.emotions for head in heads) else None


def use_heads(
    choice: Probing,
    material: Material,
    layer: LayerVectors,
    within: Sequence[Solver],
    heads: Sequence[EmbeddingHead],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Columns [T] of use, and arrays [K, T] by class."""
    found: list[FoldUsage] = []
    targets, classes, cells = material.targets.numbers, material.classes, material.cells
    for place, (vectors, solver, head) in enumerate(zip(layer.vectors, within, heads, strict=True)):
        solution, seed = solver.solve(targets), (choice.seed, place)
        found.append(measure_usage(head, vectors, solver, targets, solution, classes, cells, choice.permutations, seed))
    return join_usage(found)


def tabulate_usage(material: Material, layer: int | None, by_class: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A row a class and target."""
    count, names = len(material.emotions), material.targets.names
    table = {"layer": layer, "emotion": np.repeat(material.emotions, len(names)), "target": names * count}
    return pd.DataFrame({**table, **{name: values.ravel() for name, values in by_class.items()}})
