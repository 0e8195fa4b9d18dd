"""``explainer=probing_published``: a published protocol twice, with its leaks and without, side by side."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.explainer.probing.f1 import score_f1, score_gain
from ser.explainer.probing.figures import write_drawings
from ser.explainer.probing.folds import make_groups
from ser.explainer.probing.material import Material
from ser.explainer.probing.probing import Probing
from ser.explainer.probing.protocol import (
    Found,
    Task,
    classify_corrected,
    classify_leaky,
    draw_task,
    probe_corrected,
    probe_leaky,
)
from ser.explainer.probing.published_figure import draw_published
from ser.explainer.probing.scores import score
from ser.finished import FinishedRun
from ser.head.trunk import Trunk
from ser.statistics.export.markup import write_latex
from ser.statistics.export.sheets import make_column, make_sheet
from ser.statistics.figures.style import PRINT

log = logging.getLogger(__name__)

LEAKY, CORRECTED = "leaky (published)", "corrected"


@dataclass(frozen=True)
class Published:
    """The choice.

    Attributes:
        layer: hidden state; ``None``: the one that the head reads.
        statistics: over time; ``None``: those that the head reads.
        functionals: set of openSMILE.
        clips: of an emotion, against as many of the others together.
        sizes: numbers of dimensions that n* is chosen from.
        rows: functionals of an emotion in the LaTeX table.
        seed: of the leaky probes' divisions, which the original leaves to chance.
    """

    layer: int | None = None
    statistics: Sequence[str] | None = None
    functionals: str = "eGeMAPSv02"
    clips: int = 45
    sizes: Sequence[int] = (10, 20, 40, 80, 160, 320, 640)
    rows: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.clips < 10 or not self.sizes or min(self.sizes) < 1:
            raise InputError("explainer.clips, explainer.sizes", expected="10 clips or more; numbers of 1 or more")

    def check_trunk(self, trunk: Trunk, head: Any) -> None:
        """As of probes; and a trained backbone is refused, since the protocol has no folds of a run.

        Raises:
            InputError: with the reason.
        """
        Probing(None if self.layer is None else [self.layer]).check_trunk(trunk, head)
        if trunk.trains:
            raise InputError(
                "explainer=probing_published: it divides clips for itself, and a trained backbone has seen some",
                remedy="explain a run with finetune=frozen",
            )

    def examine(self, finished: FinishedRun, folder: Path) -> dict[str, float]:
        """Run both; tables (CSV, LaTeX) and a figure go into the folder."""
        began = time.perf_counter()
        self.check_trunk(finished.trunk, finished.choices.head)
        material = Material.read(finished, self.functionals, (), 3)
        vectors, functionals = material.embed(self.layer, self.statistics).vectors[0], material.targets.numbers
        scores, curves, probes = [], [], []
        for emotion in material.emotions:
            log.info("%s against the others", emotion)
            task = draw_task(material.frame, emotion, self.clips)
            sizes = [size for size in self.sizes if size <= vectors.shape[1]] or [vectors.shape[1]]
            pairs = {LEAKY: classify_leaky(vectors, task, sizes), CORRECTED: classify_corrected(vectors, task, sizes)}
            named = {LEAKY: classify_leaky(functionals, task, [len(material.targets)])}
            named[CORRECTED] = classify_corrected(functionals, task, [len(material.targets)])
            scores += [self.describe(emotion, name, found, named[name]) for name, found in pairs.items()]
            curves += [row for name, found in pairs.items() for row in list_points(emotion, name, found)]
            probes.append(self.probe(material, vectors, task, emotion, pairs, named))
        table, points = pd.DataFrame(scores), pd.DataFrame(curves)
        rows = pd.concat(probes, ignore_index=True)
        for name, own in (("published", table), ("published_curves", points), ("published_probes", rows)):
            own.to_csv(folder / f"{name}.csv", index=False)
        (folder / "published.tex").write_text(self.write(rows), encoding="utf-8")
        write_drawings(
            folder / "figures", [("published", lambda: draw_published(table, points, rows, material.emotions, PRINT))]
        )
        return {**summarise(table, rows), "seconds": time.perf_counter() - began}

    @staticmethod
    def describe(emotion: str, arm: str, found: Found, named: Found) -> dict[str, object]:
        """A row of scores, with intervals that resample speakers."""
        scores = {
            "f1_functionals": score_f1(named.every),
            "f1_all": score_f1(found.every),
            "f1_top": score_f1(found.best),
            "gain": score_gain(found.best, found.every),
        }
        columns = {
            f"{name}{end}": value
            for name, values in scores.items()
            for end, value in zip(("", "_low", "_high"), values, strict=True)
        }
        return {"emotion": emotion, "arm": arm, **columns, "n": float(np.median(found.sizes))}

    def probe(
        self,
        material: Material,
        vectors: np.ndarray,
        task: Task,
        emotion: str,
        pairs: dict[str, Found],
        named: dict[str, Found],
    ) -> pd.DataFrame:
        """A row a functional: importance, r of top and of all dimensions, both ways."""
        targets, every = material.targets.numbers, np.arange(vectors.shape[1])
        leaky, correct = pairs[LEAKY], pairs[CORRECTED]
        top = probe_leaky(vectors, targets, task, leaky.orders[0][: leaky.sizes[0]], self.seed)
        whole = probe_leaky(vectors, targets, task, every, self.seed + 1)
        speakers = make_groups(task.speakers)
        chosen = [order[:size] for order, size in zip(correct.orders, correct.sizes, strict=True)]
        fair = score(probe_corrected(vectors, targets, task, chosen), speakers)
        fair_all = score(probe_corrected(vectors, targets, task, [every] * len(chosen)), speakers)
        return pd.DataFrame(
            {
                "emotion": emotion,
                "functional": material.targets.names,
                "group": material.targets.groups,
                "leaky_importance": named[LEAKY].importance,
                "leaky_r_top": top,
                "leaky_r_all": whole,
                "leaky_percentage": 100 * top / whole,
                "importance": named[CORRECTED].importance,
                "r_top": fair.r,
                "r_top_low": fair.r_interval[0],
                "r_top_high": fair.r_interval[1],
                "r_all": fair_all.r,
                "r_all_low": fair_all.r_interval[0],
                "r_all_high": fair_all.r_interval[1],
                "r2_top": fair.r2,
                "r2_all": fair_all.r2,
            }
        )

    def write(self, rows: pd.DataFrame) -> str:
        """The published table: the first functionals of each emotion, by either importance."""
        sheets = []
        for name, prefix in ((LEAKY, "leaky_"), (CORRECTED, "")):
            own = rows.sort_values(["emotion", f"{prefix}importance"], ascending=[True, False])
            own = own.groupby("emotion", sort=False).head(self.rows)
            columns = [make_column("emotion", "text"), make_column("functional", "text")]
            titles = {"importance": "importance", "r_top": "r top", "r_all": "r all"}
            columns += [make_column(title, "share", f"{prefix}{key}") for key, title in titles.items()]
            records: Any = own.to_dict("records")
            caption = f"The {self.rows} most important functionals of each emotion, {name}"
            sheets.append(
                write_latex(make_sheet(f"published_{prefix or 'corrected'}".strip("_"), caption, columns, records, ""))
            )
        return "\n".join(sheets)


def list_points(emotion: str, arm: str, found: Found) -> list[dict[str, object]]:
    """Points of the curves of an arm."""
    return [
        {"emotion": emotion, "arm": arm, "dimensions": which, "n": size, "f1": value}
        for (which, size), value in found.curves.items()
    ]


def summarise(table: pd.DataFrame, rows: pd.DataFrame) -> dict[str, float]:
    """Means over emotions."""
    found: dict[str, float] = {}
    for name, key in ((LEAKY, "leaky"), (CORRECTED, "corrected")):
        own = table[table["arm"] == name]
        found |= {f"published/{key}/{score}": float(own[score].mean()) for score in ("f1_all", "f1_top", "gain")}
    found |= {f"published/leaky/{name}": float(rows[f"leaky_{name}"].mean()) for name in ("r_top", "r_all")}
    return found | {f"published/corrected/{name}": float(rows[name].mean()) for name in ("r_top", "r_all")}
