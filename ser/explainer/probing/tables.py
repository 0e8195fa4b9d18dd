"""Tables of probes: corrections for many tests, clusters of targets, and what a run logs of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser.explainer.evaluation.planted import find_auroc
from ser.explainer.probing.targets import Targets, find_medoids
from ser.statistics.adjust import adjust_p
from ser.statistics.export.markup import write_latex
from ser.statistics.export.sheets import make_column, make_sheet

#: Planted cues that decide the emotion, and columns that say which of a clip's numbers are cues.
ENCODED, USED = (
    ("r2", "within_r2", "selectivity"),
    ("used_direction_z", "used_erasure_z", "used_direction", "used_erasure"),
)
LEVEL = 0.05
#: Rows of an emotion in a LaTeX table.
TOP_ROWS = 10


def finish_probes(table: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """With the cluster of each target, and with q: over layers, of p that hold within a layer's family of targets."""
    medoids = dict(zip(targets.names, find_medoids(targets.numbers, targets.names), strict=True))
    table = table.assign(medoid=table["target"].map(medoids))
    table["q"] = adjust_families(table)
    table["encoded"] = (table["q"] <= LEVEL) & (table["r2"] > 0)
    if "used_direction_p_max" in table:
        table["used"] = table["encoded"] & (table["used_direction_p_max"] <= LEVEL)
        table["used"] &= table["used_erasure_p_max"] <= LEVEL
    return table


def finish_top(table: pd.DataFrame) -> pd.DataFrame:
    """With q over emotions and layers."""
    return table.assign(q=adjust_families(table))


def adjust_families(table: pd.DataFrame) -> pd.Series:
    """Benjamini–Hochberg over the families (layers, or classes and layers) that a target is in, of ``p_max``.

    Within a family max-T already controls the error over its targets.
    """
    return table.groupby("target")["p_max"].transform(lambda own: adjust_p(own.to_numpy(), "bh"))


def summarise(tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """What a run logs: mean scores of targets by group, shares that are encoded and used, areas under curves."""
    probes = tables["probes"]
    best = probes.groupby("layer", dropna=False)["r2"].mean()
    shown = probes[probes["layer"].isna()] if best.index.isna().all() else probes[probes["layer"] == best.idxmax()]
    found: dict[str, float] = {}
    for group, rows in shown.groupby("group"):
        name = str(group).replace(" ", "_")
        found |= {f"probe/{name}/{score}": float(rows[score].mean()) for score in ("r2", "within_r2", "selectivity")}
    found |= {f"probe/{score}": float(shown[score].mean()) for score in ("r2", "within_r2", "selectivity")}
    found["probe/encoded"] = float(shown["encoded"].mean())
    if "used" in shown:
        found["probe/used"] = float(shown["used"].mean())
    if "curves" in tables:
        found |= dict(measure_areas(tables["curves"]))
    return found | score_planted(shown)


def measure_areas(curves: pd.DataFrame) -> list[tuple[str, float]]:
    """Mean UAR and R2 over the logarithm of the number of dimensions, of the ranking for all classes."""
    found = []
    for arm, rows in curves[(curves["emotion"] == "all") & curves["layer"].isin(curves["layer"].unique()[:1])].groupby(
        "arm"
    ):
        rows = rows.sort_values("dims")
        place = np.log(rows["dims"].to_numpy(dtype=float))
        for score in ("uar", "r2"):
            values = rows[score].to_numpy()
            mean = np.trapezoid(values, place) / np.ptp(place) if len(values) > 1 else values[0]
            found.append((f"probe/curve/{arm}/{score}", float(mean)))
    return found


def score_planted(probes: pd.DataFrame) -> dict[str, float]:
    """On planted corpora: AUROC of columns for cues that decide the emotion above cues that are there but do not.

    A cue decides where the corpus has what its label was drawn by (``z_<cue>``).
    """
    doses = probes[probes["target"].str.startswith("cue_")]
    cues = doses["target"].str.removeprefix("cue_")
    decides = cues.isin(find_deciding(probes)).to_numpy()
    if not decides.any() or decides.all():
        return {}
    return {
        f"planted/auroc/{column}": find_auroc(doses[column].to_numpy(), decides)
        for column in (*ENCODED, *USED)
        if column in doses and doses[column].notna().all()
    }


def find_deciding(probes: pd.DataFrame) -> set[str]:
    """Cues of a planted corpus that decide the emotion."""
    names = probes["target"]
    return set(names[names.str.startswith("z_")].str.removeprefix("z_"))


def write_top_rows(path: Path, table: pd.DataFrame, caption: str, rows: int = TOP_ROWS) -> None:
    """The first functionals of each emotion as a booktabs table."""
    shown = table[table["rank"] <= rows]
    columns = [make_column("emotion", "text"), make_column("functional", "text"), make_column("group", "text")]
    titles = {"coefficient": "coefficient", "permutation": "UAR lost", "r_top": "r top", "r_all": "r all"}
    columns += [make_column(title, "share", name) for name, title in titles.items() if name in shown]
    records: Any = shown.astype(object).where(shown.notna(), None).to_dict("records")
    path.write_text(write_latex(make_sheet("importance", caption, columns, records, "evidence")), encoding="utf-8")
