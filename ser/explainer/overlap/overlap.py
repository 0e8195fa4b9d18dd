"""``explainer=overlap``: how far classes overlap in each layer, on held-out speakers.

In place of a published system's plots and intersection matrices (Kumar et al., Interspeech 2021), which showed
training clips of mixed speakers, had no uncertainty, and drew the second principal component for the third.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from ser.errors import InputError
from ser.explainer.overlap.estimate import Settings, measure_overlap
from ser.explainer.overlap.figures import Cloud, write_figures
from ser.explainer.overlap.places import Place, Points, check_places
from ser.explainer.overlap.projector import write_projector
from ser.explainer.overlap.tables import average_runs, describe_run, list_cells, list_means, name_models, summarise
from ser.finished import FinishedRun
from ser.head.trunk import Trunk

log = logging.getLogger(__name__)

#: Smallest values of settings.
FEWEST = {"dims": 3, "neighbours": 1, "least": 2, "permutations": 1}


@dataclass(frozen=True)
class Overlap:
    """The choice.

    Attributes:
        layers: hidden states by number, or ``all``.
        statistics: over time; ``None``: those that the head reads.
        head: also the layers of a head that is a network.
        runs: other runs, by id, key or directory.
        dims: principal components that Gaussians have.
        neighbours: of a clip.
        least: clips of a class among those that are looked at together.
        permutations: of labels within speakers, for chance.
        projector: layers, as tables name them, that are written for the embedding projector, or ``all``; ``None``: the
            last.
        seed: of halves and permutations.
    """

    explains_fused: ClassVar[bool] = True

    layers: Sequence[int] | str = "all"
    statistics: Sequence[str] | None = None
    head: bool = True
    runs: Sequence[str] = ()
    dims: int = 10
    neighbours: int = 5
    least: int = 3
    permutations: int = 20
    projector: Sequence[str] | str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = {name: int(getattr(self, name)) for name in FEWEST}
        if any(number < FEWEST[name] for name, number in numbers.items()):
            raise InputError(
                ", ".join(f"explainer.{name}={number}" for name, number in numbers.items()),
                expected=", ".join(f"{name}={number}" for name, number in FEWEST.items()) + " or more",
            )

    def check_trunk(self, trunk: Trunk, head: Any) -> None:
        """Refuse what has no layer to look at.

        Raises:
            InputError: with the reason.
        """
        check_places(trunk, head, self.head)

    def examine(self, finished: FinishedRun, folder: Path) -> dict[str, float]:
        """Measure; tables and figures go into the folder."""
        began = time.perf_counter()
        clouds: list[Cloud] = []
        last: list[tuple[Points, Place]] = []

        def look(points: Points, place: Place) -> None:
            clouds.append(Cloud.look(points, place))
            last[:] = [(points, place)]
            if self.projector == "all" or place.name in (self.projector or ()):
                write_projector(folder / "projector", points, place)

        runs = [finished, *(FinishedRun.open(str(run), finished.config) for run in self.runs)]
        named = [describe_run(run, model) for run, model in zip(runs, name_models(runs), strict=True)]
        tables = [self._measure(finished, named[0], look)]
        if self.projector is None:
            write_projector(folder / "projector", *last[0])
        tables += [self._measure(*pair) for pair in zip(runs[1:], named[1:], strict=True)]
        cells, course = (pd.concat(each, ignore_index=True) for each in zip(*tables, strict=True))
        written = {"overlap": cells, "course": course, "runs": average_runs(course)}
        for name, table in written.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)
            table.to_csv(folder / f"{name}.csv", index=False)
        write_figures(folder / "figures", tables[0][0], course, written["runs"], clouds)
        return {**summarise(tables[0][1]), "seconds": time.perf_counter() - began}

    def _measure(
        self,
        finished: FinishedRun,
        named: Mapping[str, Any],
        look: Callable[[Points, Place], None] | None = None,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Cells and means of a run, with columns that name it; ``look`` is given its layers one by one."""
        self.check_trunk(finished.trunk, finished.choices.head)
        points = Points.read(finished, self.head, self.seed)
        points.check(self.least)
        settings = Settings(self.dims, self.neighbours, self.least, self.permutations, self.seed)
        cells: list[dict[str, Any]] = []
        means: list[dict[str, Any]] = []
        for place in points.list_places(self.layers, self.statistics):
            log.info("overlap in %s: %d dimensions", place.name, place.vectors[0].shape[1])
            found = measure_overlap(place.vectors, points.divisions, points.classes, points.speakers, settings)
            cells += [{**named, **row} for row in list_cells(place, found, points.emotions)]
            means += [{**named, **row} for row in list_means(place, found)]
            if look is not None:
                look(points, place)
        return pd.DataFrame(cells), pd.DataFrame(means)
