"""What probes predict: openSMILE's functionals in their groups, and numbers from the manifest."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from ser.backbone.extract import extract_features
from ser.backbone.functionals import Functionals
from ser.errors import InputError
from ser.finished import FinishedRun

log = logging.getLogger(__name__)

#: Groups of functionals by the beginnings of their names (Eyben et al., 2016); whatever is left counts time.
GROUPS = {
    "frequency": ("F0semitone", "jitter", *(f"F{n}{kind}" for n in "123" for kind in ("frequency", "bandwidth"))),
    "energy": ("shimmer", "loudness_", "HNR", "equivalentSoundLevel", "pcm_RMSenergy"),
    "spectral": ("alphaRatio", "hammarberg", "slope", "logRelF0", "F1amp", "F2amp", "F3amp", "mfcc", "spectralFlux"),
}
TEMPORAL, MANIFEST = "temporal", "manifest"
#: Cues of planted corpora: doses, physical values, and what the label was drawn by.
PLANTED = {"cue_": "planted dose", "true_": "planted value", "z_": "planted cue"}
#: Targets that correlate above this are one cluster.
ALIKE = 0.8


@dataclass(frozen=True, eq=False)
class Targets:
    """Numbers of clips.

    Attributes:
        numbers: [N, T], finite, none constant.
        names: [T].
        groups: ``energy``, ``frequency``, ``spectral``, ``temporal``, a planted kind, or ``manifest`` [T].
    """

    numbers: np.ndarray
    names: list[str]
    groups: list[str]

    def __len__(self) -> int:
        return len(self.names)


def read_targets(finished: FinishedRun, frame: pd.DataFrame, functionals: str, columns: Sequence[str]) -> Targets:
    """Functionals of clips, measured or from the store, and columns of their manifest.

    Args:
        finished: the run.
        frame: of its manifest.
        functionals: one of openSMILE's sets; empty for none.
        columns: names, or patterns (``cue_*``), of columns with numbers; a pattern may match nothing.

    Raises:
        InputError: a column that there is not, or nothing to predict.
    """
    parts: list[tuple[str, np.ndarray]] = []
    if functionals:
        smile = Functionals(functionals, int(finished.trunk.backbone.rate))
        values = measure(finished, frame, smile)
        parts += list(zip(smile.names, values.T, strict=True))
    parts += [(name, find_numbers(frame, name)) for name in match_columns(frame, columns)]
    kept = [(name, values) for name, values in parts if is_usable(name, values)]
    if not kept:
        raise InputError("explainer: nothing to predict", expected="explainer.functionals, or explainer.columns")
    names = [name for name, _ in kept]
    return Targets(np.column_stack([values for _, values in kept]), names, [find_group(name, frame) for name in names])


def measure(finished: FinishedRun, frame: pd.DataFrame, extractor: Functionals) -> np.ndarray:
    """Functionals [N, D] of clips of a run."""
    root = Path(finished.config.paths.cache) / "features"
    digests = frame["digest"].tolist()
    return extract_features(extractor, frame, digests, finished.corpus.preparation, root).astype(np.float64)


def match_columns(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Columns with numbers whose name is listed or fits a pattern.

    Raises:
        InputError: a name, not a pattern, that no column has.
    """
    numbers = [str(name) for name in frame.select_dtypes("number").columns]
    for name in columns:
        if "*" not in name and name not in numbers:
            raise InputError(f"explainer.columns: no column of numbers is called {name!r}", expected=", ".join(numbers))
    return [name for name in numbers if any(fnmatchcase(name, pattern) for pattern in columns)]


def find_numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    """A column as numbers [N]."""
    return pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)


def is_usable(name: str, values: np.ndarray) -> bool:
    """Whether a target has a value for every clip, and not the same for all; says so where it does not."""
    if not np.isfinite(values).all():
        log.warning("%s is missing for %d clips and is not probed", name, int((~np.isfinite(values)).sum()))
        return False
    return bool(np.ptp(values) > 1e-12 * max(1.0, float(np.abs(values).max())))


def find_group(name: str, frame: pd.DataFrame) -> str:
    """Group of a target."""
    if name in frame:
        return next((group for start, group in PLANTED.items() if name.startswith(start)), MANIFEST)
    return next((group for group, starts in GROUPS.items() if name.startswith(starts)), TEMPORAL)


def find_medoids(values: np.ndarray, names: Sequence[str]) -> list[str]:
    """For each target [T] the one that stands for its cluster: the most alike to its others on average.

    Clusters are of complete linkage: any two members correlate by :data:`ALIKE` or more, in absolute value.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(names) < 2:
        return list(names)
    alike = np.abs(np.corrcoef(values.T))
    distance = np.clip(1 - (alike + alike.T) / 2, 0, None)
    np.fill_diagonal(distance, 0)
    clusters = fcluster(linkage(squareform(distance, checks=False), "complete"), 1 - ALIKE, "distance")
    medoids = {}
    for cluster in set(clusters):
        members = np.flatnonzero(clusters == cluster)
        medoids[cluster] = names[members[alike[np.ix_(members, members)].sum(1).argmax()]]
    return [medoids[cluster] for cluster in clusters]
