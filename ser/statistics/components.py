"""Standard deviations behind the scores of a sweep: of speakers, of training again, of splits and initialisations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.statistics.design import Design
from ser.statistics.power import Components

if TYPE_CHECKING:
    from ser.statistics.mixed import MixedFit

CONDITION = "_condition"


def estimate_components(design: Design) -> Components:
    """Components of a design's scores, whatever the factors: what varies within each combination of them.

    From cells by REML with speaker, speaker x condition, trained model and (where it has several) their run; from runs
    by what is left within conditions. What is said of a run holds for a whole one, the mean over the models of its
    folds. Where ``split.seed`` and ``seed`` both vary, what they contribute to ``run`` is told apart.

    Raises:
        InputError: nothing was repeated, so that nothing can be told of chance.
    """
    frame = design.frame.assign(**{CONDITION: _join(design.frame, list(design.factors))})
    both = {"split.seed", "seed"} <= set(frame.columns) and _repeats(frame, "split.seed")
    if design.n_speakers > 1:
        return _from_cells(design, frame, both)
    return _from_runs(design, frame, both)


def _from_cells(design: Design, frame: pd.DataFrame, both: bool) -> Components:
    from ser.statistics.mixed import fit_mixed

    factors = [CONDITION] if len(frame[CONDITION].unique()) > 1 else []
    crossed = [name for name in design.factors if frame.groupby(design.speaker)[name].nunique().max() > 1]
    reaction = "_reacting"
    frame = frame.assign(**{reaction: _join(frame, crossed)})
    units = list_units(design)
    cells = frame[[design.speaker, reaction]].drop_duplicates()
    random: list[tuple[str, ...]] = [(design.speaker,)]
    notes: list[str] = []
    apart = bool(crossed) and len(cells) < len(frame)
    if apart:
        random.append((design.speaker, reaction))
    random += [(unit,) for unit in units]
    if not units:
        notes.append("one run a condition: what training again would change is not known and taken as 0")
    elif units == ["model"] and _count(frame, "run_id", "model") > 1:
        notes.append("one run a condition: only what tells the models of its folds apart counts as training again")
    if both and units:
        random.append(("split.seed", CONDITION))
    fit = fit_mixed(frame, design.response, factors, random)
    found = _list_spreads(fit)
    split = found.get(f"split.seed:{CONDITION}", 0.0)
    # A run is scored by the models of all its folds, and a speaker of a corpus that none of them trained on by each.
    single = found.get("model", 0.0) / np.sqrt(_count(frame, "run_id", "model"))
    trained = float(np.hypot(found.get("run_id", 0.0), single))
    reacting, rest = found.get(f"{design.speaker}:{reaction}", 0.0), found["residual"]
    if crossed and not apart:
        reacting, rest = rest, 0.0
        notes.append("one score a speaker and condition: all that differs counts as the speakers' reaction")
    notes += fit.notes
    rest /= np.sqrt(_count(frame, ["run_id", design.speaker], "model")) if design.rows == "cells" else 1
    return Components(
        run=float(np.hypot(trained, split)),
        speaker=found.get(design.speaker, 0.0),
        speaker_condition=reacting,
        residual=rest,
        **_name_parts(frame, trained, split, both and bool(units)),
        notes=tuple(dict.fromkeys(notes)),
    )


def list_units(design: Design) -> list[str]:
    """Columns of what was trained that have a random term: single models, whole runs, or both."""
    named = {name for term in design.random for name in term}
    return [name for name in dict.fromkeys((design.unit, "run_id")) if name in named]


def _from_runs(design: Design, frame: pd.DataFrame, both: bool) -> Components:
    groups = frame.groupby(CONDITION)[design.response]
    spare = int((groups.size() - 1).sum())
    if not spare:
        raise InputError(
            f"{design.table.name}: each condition was scored once, so nothing can be told of chance",
            remedy="repeat with several seeds, or pass the components by hand",
        )
    spread = float(np.sqrt((groups.var(ddof=1) * (groups.size() - 1)).sum() / spare))
    trained, split = spread, 0.0
    if both:
        from ser.statistics.mixed import fit_mixed

        factors = [CONDITION] if len(frame[CONDITION].unique()) > 1 else []
        fit = fit_mixed(frame, design.response, factors, [("split.seed", CONDITION)])
        found = _list_spreads(fit)
        trained, split = found["residual"], found.get(f"split.seed:{CONDITION}", 0.0)
    run = float(np.hypot(trained, split))
    notes = ("no scores of speakers: nothing is said of other speakers",)
    return Components(run=run, **_name_parts(frame, trained, split, both), notes=notes)


def _list_spreads(fit: MixedFit) -> dict[str, float]:
    """Standard deviations by group."""
    return {str(row["group"]): float(str(row["sd"])) for row in fit.random}


def _name_parts(frame: pd.DataFrame, trained: float, split: float, both: bool) -> dict[str, float]:
    """What split and seed contribute: each where it was varied alone, both where they were varied apart."""
    if both:
        return {"split": split, "initialisation": trained}
    if "split.seed" in frame and "seed" not in frame:
        return {"split": trained}
    return {"initialisation": trained} if "seed" in frame and "split.seed" not in frame else {}


def _count(frame: pd.DataFrame, groups: str | list[str], name: str) -> float:
    """How many values a column usually has in a group."""
    return float(frame.groupby(groups)[name].nunique().median())


def _repeats(frame: pd.DataFrame, name: str) -> bool:
    """Whether several runs of a condition share a value, so that runs and values are told apart."""
    runs = frame[[CONDITION, name, "run_id"]].drop_duplicates()
    return bool(runs.duplicated([CONDITION, name]).any())


def _join(frame: pd.DataFrame, names: list[str]) -> pd.Series:
    if not names:
        return pd.Series("all", index=frame.index)
    return frame[names].astype(str).agg(" / ".join, axis=1)
