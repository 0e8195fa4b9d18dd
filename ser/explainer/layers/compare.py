"""Any two (checkpoint, layer) pairs of one or several runs, and functionals, compared on clips of held-out speakers.

Clips are those that runs tested. Where a network was fine-tuned, those of a fold are looked at with the fold's
network, and folds are joined as minibatches are: no comparison mixes networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser.backbone.functionals import Functionals
from ser.errors import InputError
from ser.explainer.groups import group_speakers
from ser.explainer.layers.accumulate import Similarities, cut_batches
from ser.explainer.layers.networks import Network
from ser.explainer.layers.similarity import LEAST, standardise
from ser.explainer.probing.targets import measure
from ser.finished import FinishedRun

#: What identifies a clip in several runs.
IDENTITY = ["dataset", "clip"]


@dataclass(frozen=True, eq=False)
class Part:
    """Clips that are compared with each other.

    Attributes:
        fold: whose networks see them; ``""`` where no network was fine-tuned.
        clips: ``dataset`` and ``clip`` of each.
        speakers: of each clip.
    """

    fold: str
    clips: pd.DataFrame
    speakers: np.ndarray


@dataclass(frozen=True, eq=False)
class Compared:
    """What :func:`compare` found.

    Attributes:
        states: the S representations: ``run, checkpoint, layer, dims``; functionals last, as checkpoint ``reference``.
        matrices: each measure [S, S].
        limits: interval of debiased CKA over speakers [2, S, S].
        clips, batches: how many were compared.
    """

    states: pd.DataFrame
    matrices: dict[str, np.ndarray]
    limits: np.ndarray
    clips: int
    batches: int

    def tabulate(self) -> pd.DataFrame:
        """A row a pair and measure; the second of the pair has ``_b`` at its columns' names."""
        first, second = np.triu_indices(len(self.states))
        names = ["run", "checkpoint", "layer"]
        left = self.states[names].iloc[first].reset_index(drop=True)
        right = self.states[names].iloc[second].reset_index(drop=True).add_suffix("_b")
        tables = []
        for measure_name, matrix in self.matrices.items():
            own = pd.concat([left, right], axis=1).assign(measure=measure_name, value=matrix[first, second])
            known = measure_name == "cka_debiased"
            for side, name in enumerate(("low", "high")):
                own[name] = self.limits[side][first, second] if known else np.nan
            tables.append(own)
        return pd.concat(tables, ignore_index=True).assign(clips=self.clips, batches=self.batches)


def compare(
    networks: Sequence[Network],
    parts: Sequence[Part],
    reference: Functionals | None,
    standardised: bool,
    variance: float,
    batch: int,
    seed: int,
) -> Compared:
    """Compare all layers of all networks, and functionals.

    Args:
        networks: of one or several runs.
        parts: clips that are compared with each other.
        reference: functionals of the first run's clips, or ``None``.
        standardised: whether dimensions of layers are z-scored; functionals are in any case.
        variance: share that principal components hold before CCA.
        batch: clips in a minibatch, at most.
        seed: of the minibatches.
    """
    rng = np.random.default_rng(seed)
    groups = group_speakers(np.concatenate([part.speakers for part in parts]))
    states = list_states(networks, reference)
    found = Similarities(len(states), variance, len(set(groups.values())))
    dims: list[int] = []
    for part in parts:
        for rows in cut_batches(len(part.clips), batch, rng):
            clips = part.clips.iloc[rows]
            values = [
                standardise(each) if standardised else each
                for network in networks
                for each in network.read(find_rows(network.finished, clips), part.fold)
            ]
            if reference is not None:
                own = find_rows(networks[0].finished, clips)
                values.append(standardise(measure(networks[0].finished, own, reference)))
            dims = [each.shape[1] for each in values]
            found.add(values, np.array([groups[speaker] for speaker in part.speakers[rows]]))
    if not found.clips:
        raise InputError(
            f"explainer=layers: no fold has {LEAST} clips to compare", remedy="explain a run with larger test parts"
        )
    return Compared(states.assign(dims=dims), found.find(), found.find_limits(), found.clips, found.batches)


def list_states(networks: Sequence[Network], reference: Functionals | None) -> pd.DataFrame:
    """Run, checkpoint and layer of each representation."""
    rows = [(network.run, network.checkpoint, float(layer)) for network in networks for layer in network.layers]
    if reference is not None:
        rows.append((networks[0].run, "reference", float("nan")))
    return pd.DataFrame(rows, columns=["run", "checkpoint", "layer"])


def find_rows(finished: FinishedRun, clips: pd.DataFrame) -> pd.DataFrame:
    """Rows of a run's manifest for clips, in their order."""
    frame = finished.corpus.manifest.frame
    return clips[IDENTITY].merge(frame, on=IDENTITY, how="left", validate="one_to_one")


def list_parts(runs: Sequence[FinishedRun], folds: Sequence[str] | None) -> list[Part]:
    """Clips that all runs have tested: all together, or fold by fold where a network was fine-tuned.

    Args:
        runs: the first is the one that is explained.
        folds: of those that were fine-tuned, by name; ``None`` for all.

    Raises:
        InputError: runs without common clips, or fine-tuned ones whose folds differ.
    """
    tested = [run.tested[[*IDENTITY, "speaker", "fold"]].astype({"fold": str}) for run in runs]
    common = tested[0][IDENTITY].drop_duplicates()
    for other in tested[1:]:
        common = common.merge(other[IDENTITY].drop_duplicates(), on=IDENTITY)
    if not len(common):
        raise InputError("explainer.runs: the runs have tested no clip in common", expected="runs on the same corpus")
    trained = [rows for run, rows in zip(runs, tested, strict=True) if run.trunk.trains]
    if not trained:
        rows = tested[0].merge(common, on=IDENTITY).drop_duplicates(IDENTITY)
        return [Part("", rows[IDENTITY].reset_index(drop=True), rows["speaker"].to_numpy(dtype=str))]
    parts = []
    for fold, rows in trained[0].groupby("fold", sort=False):
        if folds is not None and fold not in folds:
            continue
        own = rows.merge(common, on=IDENTITY)
        for other in trained[1:]:
            if len(own.merge(other[other["fold"] == fold], on=IDENTITY)) < len(own):
                raise InputError(
                    f"explainer.runs: fold {fold} of the fine-tuned runs tests other clips",
                    remedy="compare runs with the same split and split.seed",
                )
        parts.append(Part(str(fold), own[IDENTITY].reset_index(drop=True), own["speaker"].to_numpy(dtype=str)))
    return parts
