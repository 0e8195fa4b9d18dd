"""``explainer=layers``: what each hidden state knows of the emotions, and how hidden states differ.

A published study of WavLM during fine-tuning compared layers and checkpoints by CKA, CCA and probes that mixed
speakers. This is the same with held-out speakers, debiased, in minibatches, and with intervals.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ser.backbone.functionals import Functionals
from ser.errors import InputError
from ser.explainer.layers.compare import compare, list_parts
from ser.explainer.layers.figures import write_figures
from ser.explainer.layers.networks import list_networks
from ser.explainer.layers.probe import probe_run
from ser.explainer.layers.similarity import LEAST
from ser.explainer.layers.tables import summarise
from ser.finished import FinishedRun
from ser.head.trunk import Trunk


@dataclass(frozen=True)
class Layers:
    """The choice.

    Attributes:
        layers: hidden states by number, or ``all``.
        statistics: over time; ``None``: those that the head reads.
        checkpoints: steps that a fine-tuned run kept, or ``all``.
        folds: of a fine-tuned run, by name; ``None`` for all.
        runs: other runs, by id, key or directory.
        reference: functionals of openSMILE that layers are compared with; empty for none.
        standardise: z-score dimensions before layers are compared.
        variance: share that principal components hold before CCA.
        batch: clips that are compared at once.
        inner: folds of training speakers in which the probe's penalty is chosen.
        seed: of minibatches.
    """

    layers: Sequence[int] | str = "all"
    statistics: Sequence[str] | None = None
    checkpoints: Sequence[int] | str = "all"
    folds: Sequence[str | int] | None = None
    runs: Sequence[str] = ()
    reference: str = "eGeMAPSv02"
    standardise: bool = True
    variance: float = 0.95
    batch: int = 1000
    inner: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch < LEAST or not 0 < self.variance <= 1:
            raise InputError(
                f"explainer.batch={self.batch}, explainer.variance={self.variance}",
                expected=f"{LEAST} clips or more, a share above 0 up to 1",
            )

    def check_trunk(self, trunk: Trunk, head: Any) -> None:  # noqa: ARG002 - explainers are alike
        """Refuse what has no hidden states, and transcripts.

        Raises:
            InputError: with the reason.
        """
        name = type(trunk.backbone).__name__
        if not trunk.backbone.frames:
            raise InputError(
                f"explainer=layers: {name} yields a vector a clip, it has no layers to compare",
                remedy="explain a run with a network, beside whose layers eGeMAPS stands; or pass explainer=overlap, "
                "which shows functionals as one layer",
            )
        if trunk.reads_text:
            raise InputError(f"explainer=layers: {name} reads transcripts, and layers are compared by what they hear")

    def examine(self, finished: FinishedRun, folder: Path) -> dict[str, float]:
        """Probe and compare; tables and figures go into the folder."""
        began = time.perf_counter()
        runs = [finished, *(FinishedRun.open(str(run), finished.config) for run in self.runs)]
        for run in runs:
            self.check_trunk(run.trunk, run.choices.head)
            if run.corpus.dimensions:
                raise InputError(
                    "explainer=layers: probes tell emotions apart, and this run predicts numbers",
                    remedy="explain a run of emotions",
                )
        folds = choose_folds(runs, self.folds)
        parts = list_parts(runs, folds)
        names = name_runs(runs)
        each = [
            list_networks(run, name, self.layers, self.statistics, self.checkpoints)
            for run, name in zip(runs, names, strict=True)
        ]
        reference = Functionals(self.reference, int(finished.trunk.backbone.rate)) if self.reference else None
        networks = [network for own in each for network in own]
        found = compare(networks, parts, reference, self.standardise, self.variance, self.batch, self.seed)
        probes = pd.concat(
            [probe_run(own, folds if own[0].finished.trunk.trains else None, self.inner, reference) for own in each],
            ignore_index=True,
        )
        tables = {"similarity": found.tabulate(), "probes": probes, "states": found.states}
        for name, table in tables.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)
            if name != "similarity":
                table.to_csv(folder / f"{name}.csv", index=False)
        metrics = summarise(found, probes)
        write_figures(folder / "figures", found, probes)
        return {**metrics, "seconds": time.perf_counter() - began}


def choose_folds(runs: Sequence[FinishedRun], wanted: Sequence[str | int] | None) -> list[str] | None:
    """Names of folds that are looked at.

    Raises:
        InputError: one that a fine-tuned run does not have.
    """
    if wanted is None:
        return None
    for run in runs:
        missing = [str(name) for name in wanted if str(name) not in run.folds]
        if missing and run.trunk.trains:
            raise InputError(f"explainer.folds: no fold {missing[0]!r}", expected=", ".join(run.folds))
    return [str(name) for name in wanted]


def name_runs(runs: Sequence[FinishedRun]) -> list[str]:
    """The backbone of each run, with the run's key where several have the same."""
    names = [str(run.config.choices.get("backbone", "")) for run in runs]
    return [
        f"{name} {run.origin.key[:8]}" if names.count(name) > 1 else name for name, run in zip(names, runs, strict=True)
    ]
