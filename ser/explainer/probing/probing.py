"""``explainer=probing``: what embeddings encode of acoustic variables, and which of that the head uses.

Units are clips, groups are speakers, folds are those of the run. Scaling, ranking, numbers of dimensions and penalties
are found on training clips alone. In place of a published protocol (Dixit et al., ICASSP 2024) that ranked dimensions
by the clips it then scored; that one, beside this, is :mod:`ser.explainer.probing.published`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ser.errors import InputError
from ser.explainer.embeddings import count_layers
from ser.explainer.probing.encoded import probe_all
from ser.explainer.probing.figures import write_figures
from ser.explainer.probing.material import Material
from ser.explainer.probing.ranked import probe_ranked
from ser.explainer.probing.tables import finish_probes, finish_top, summarise
from ser.finished import FinishedRun
from ser.head.trunk import Trunk

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Probing:
    """The choice.

    Attributes:
        layers: hidden states by number, or ``all``; ``None``: the one that the head reads.
        statistics: over time; ``None``: those that the head reads.
        functionals: of openSMILE that are predicted; empty for none.
        columns: of the manifest that are predicted, names or patterns.
        inner: folds of training speakers in which penalties and numbers of dimensions are chosen.
        permutations: of targets within speaker and class.
        draws: of random dimensions for each size; 0 leaves the curves out.
        untrained: also probe the same architecture with random weights.
        usage: also ask the heads what they use.
        seed: of all that is drawn.
    """

    layers: Sequence[int] | str | None = None
    statistics: Sequence[str] | None = None
    functionals: str = "eGeMAPSv02"
    columns: Sequence[str] = ("cue_*", "true_*", "z_*")
    inner: int = 3
    permutations: int = 200
    draws: int = 200
    untrained: bool = True
    usage: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.permutations < 20 or self.draws < 0:
            raise InputError(
                f"explainer.permutations={self.permutations}, explainer.draws={self.draws}",
                expected="20 permutations or more, 0 draws or more",
            )

    def check_trunk(self, trunk: Trunk, head: Any) -> None:  # noqa: ARG002 - explainers are alike
        """Refuse a learned mixture of layers while no layer is named.

        Raises:
            InputError: with the reason.
        """
        if self.layers is None and trunk.backbone.frames and trunk.reading.layer == "mix":
            raise InputError(
                "explainer=probing: the head reads a learned mixture of layers",
                remedy="name layers: explainer.layers=all, or explainer.layers=[4]",
            )

    def examine(self, finished: FinishedRun, folder: Path) -> dict[str, float]:
        """Probe; tables and figures go into the folder."""
        began = time.perf_counter()
        self.check_trunk(finished.trunk, finished.choices.head)
        material = Material.read(finished, self.functionals, list(self.columns), self.inner)
        probes, usages, tops, curves, views, agreements = [], [], [], [], [], []
        for number in self.list_layers(finished):
            layer = material.embed(number, self.statistics)
            log.info("probing layer %s: %d dimensions", layer.number, len(layer.names))
            encoded = probe_all(self, material, layer)
            probes.append(encoded.table)
            usages.append(encoded.usage)
            if self.draws:
                ranked = probe_ranked(self, material, layer, encoded)
                tops.append(ranked.top)
                curves.append(ranked.curves)
                views.append(ranked.ranks)
                agreements.append(ranked.agreement)
        tables = {"probes": finish_probes(pd.concat(probes, ignore_index=True), material.targets)}
        if any(len(table) for table in usages):
            tables["usage"] = pd.concat(usages, ignore_index=True)
        if tops:
            tables["top"] = finish_top(pd.concat(tops, ignore_index=True))
            tables["curves"] = pd.concat(curves, ignore_index=True)
            tables["ranks"] = pd.concat(views, ignore_index=True)
            tables["agreement"] = pd.concat(agreements, ignore_index=True)
        for name, table in tables.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)
            if name != "ranks":
                table.to_csv(folder / f"{name}.csv", index=False)
        write_figures(folder / "figures", tables, material.emotions)
        return {**summarise(tables), "seconds": time.perf_counter() - began}

    def name_statistics(self, finished: FinishedRun) -> tuple[str, ...]:
        """Statistics over time that are probed."""
        return tuple(self.statistics or finished.trunk.reading.statistics or ("mean",))

    def list_layers(self, finished: FinishedRun) -> list[int | None]:
        """Layers to probe; ``None`` is the one that the head reads, and functionals, which have none."""
        if not finished.trunk.backbone.frames or self.layers is None:
            return [None]
        if self.layers == "all":
            first = next(iter(finished.folds)) if finished.trunk.trains else None
            return list(range(count_layers(finished, first)))
        return [int(layer) for layer in self.layers]
