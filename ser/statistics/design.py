"""The design of a comparison, described before anything is tested.

What was compared, how often independently, what varies within what, what is missing, and which mistakes lie near.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.statistics.matrix import sort_levels
from ser.statistics.roles import count_repeats, find_blocks, find_roles, find_within, list_random, make_unit
from ser.statistics.tables import CORPUS, SCORES, Table
from ser.statistics.traps import Finding, find_traps

#: Scores of a run that its answers to single speakers make up, and what stands for them there.
BY_SPEAKER = {"uar": "uar", "wa": "accuracy", "accuracy": "accuracy", "ccc": "ccc", "mae": "mae"}
#: Fewer speakers than these allow no statement on speakers, fewer seeds none on training.
FEW_SPEAKERS, FEW_SEEDS = 5, 3
#: A table of combinations longer than this is not written out.
LONGEST = 5000


@dataclass(frozen=True, eq=False)
class Design:
    """What the rows of an analysis are, and what they can tell.

    Attributes:
        table: where they come from.
        rows: ``cells`` (a trained model on a test speaker), ``runs`` (a run on a test corpus), ``table`` (of a file).
        frame: the rows, duplicates and repeats of deterministic models left out.
        response: column of the score.
        factors: what is compared → its levels, sorted.
        within: the factors that vary within a unit; the others vary between units.
        unit: column of the units (runs or trained models), "" where every row is one.
        random: random intercepts, each a tuple of columns whose combinations are its groups.
        blocks: replicates that fix the same split or fold in several conditions.
        speaker: column of the speakers, "" where none are known.
        seed: column of the seeds, "".
        counts: one row per combination of factors: ``n_rows``, ``n_units``, ``n_speakers``, ``n_seeds``, ``mean``,
            ``sd``.
        balanced: whether all combinations are there equally often.
        deterministic: conditions whose seeds all give the same scores, one row of them kept.
        n_units, n_speakers: in all.
        n_seeds: independent repeats of training of the condition that has fewest.
        findings: what a reader must know.
    """

    table: Table = field(repr=False)
    rows: str
    frame: pd.DataFrame = field(repr=False)
    response: str
    factors: dict[str, list[str]]
    within: tuple[str, ...]
    unit: str
    random: tuple[tuple[str, ...], ...]
    blocks: tuple[str, ...]
    speaker: str
    seed: str
    counts: pd.DataFrame = field(repr=False)
    balanced: bool
    deterministic: tuple[dict[str, str], ...]
    n_units: int
    n_speakers: int
    n_seeds: int
    findings: tuple[Finding, ...] = ()

    @property
    def between(self) -> tuple[str, ...]:
        """The factors that vary between units only."""
        return tuple(name for name in self.factors if name not in self.within)

    @property
    def empty_cells(self) -> list[dict[str, str]]:
        """Combinations of levels without a row."""
        rows = self.counts.loc[self.counts["n_rows"] == 0, list(self.factors)]
        return [dict(zip(self.factors, map(str, row), strict=True)) for row in rows.itertuples(index=False)]

    @property
    def refused(self) -> tuple[Finding, ...]:
        """The findings that forbid any test."""
        return tuple(finding for finding in self.findings if finding.severity == "refuse")


def describe_design(
    table: Table,
    response: str = "",
    factors: Sequence[str] = (),
    random: Sequence[str] = (),
    within: Sequence[str] = (),
    rows: str = "auto",
) -> Design:
    """Find out what the rows of a table are to each other.

    Args:
        table: as read.
        response: the score; by default the table's.
        factors: columns to compare; by default all that varied on purpose.
        random: groups as the user names them (``speaker``, ``speaker:arch``); by default those that the design implies.
        within: factors known to vary within a unit although no column names the units.
        rows: ``cells``, ``runs``, or ``auto``: cells where speakers are known and enough (:data:`FEW_SPEAKERS`).

    Raises:
        InputError: an unknown column, or no rows of the wanted kind.
    """
    response = response or table.response
    named = list(dict.fromkeys([*(factors or table.factors), *within]))
    table, deterministic = (table, ()) if table.tidy else drop_repeated_seeds(table, named)
    kind = choose_rows(table, response) if rows == "auto" else rows
    frame, score, words = take_rows(table, response, kind)
    _check_columns(frame, [*named, *(part for name in random for part in name.split(":"))], table.name)
    frame = frame.astype(dict.fromkeys(named, str))
    levels = {name: sort_levels(frame[name]) for name in named}
    varied = [name for name in named if len(levels[name]) > 1]
    design = _assign_roles(table, frame, score, kind, varied, random, within)
    design = replace(design, factors={name: levels[name] for name in varied}, deterministic=deterministic)
    constant = {name: levels[name] for name in named if name not in varied}
    return replace(design, findings=(*words, *find_traps(design, constant, list(random), list(within))))


# ---- rows


def choose_rows(table: Table, response: str) -> str:
    """Cells where the predictions of enough speakers are left and make up the score, else runs."""
    if table.tidy:
        return "table"
    if response.partition("/")[0] not in BY_SPEAKER or table.cells.empty:
        return "runs"
    return "cells" if table.cells["speaker"].nunique() >= FEW_SPEAKERS else "runs"


def take_rows(table: Table, response: str, kind: str) -> tuple[pd.DataFrame, str, list[Finding]]:
    """The rows of a kind, the column of the score there, and words on a score that had to be replaced."""
    if kind != "cells":
        if response not in table.runs:
            known = ", ".join(map(str, table.runs.select_dtypes("number").columns))
            raise InputError(f"response={response}: {table.name} has no such column", expected=known)
        return table.runs.dropna(subset=[response]).reset_index(drop=True), response, []
    if table.cells.empty:
        raise InputError(f"{table.name}: no predictions are left, so there are no scores of speakers")
    score = BY_SPEAKER.get(response, response)
    cells = table.cells
    if score not in cells:
        raise InputError(f"response={response}: speakers have no such score", expected=", ".join(BY_SPEAKER))
    words = []
    lacking = int(cells[score].isna().sum())
    if score == "uar" and lacking:
        text = (
            f"{lacking} of {len(cells)} cells have no UAR, because the speaker has no clip of some emotion: "
            "cells are compared by accuracy, the share of clips recognised"
        )
        score, words = "accuracy", [Finding("response", "note", text)]
    return cells.dropna(subset=[score]).reset_index(drop=True), score, words


def drop_repeated_seeds(table: Table, factors: Sequence[str]) -> tuple[Table, tuple[dict[str, str], ...]]:
    """Keep one seed of conditions whose runs all have the same scores: seeds change nothing in such a model.

    Returns:
        The table without the repeats, and the conditions (factors and other replicates) that had some.
    """
    scores = [name for name in dict.fromkeys((table.response, *SCORES)) if name in table.runs]
    rest = [name for name in (*factors, *table.replicates) if name in table.runs and name not in ("seed", CORPUS)]
    if "seed" not in table.replicates:
        return table, ()
    dropped: set[str] = set()
    conditions = []
    for key, runs in table.runs.groupby(rest) if rest else [((), table.runs)]:
        values = runs.groupby(CORPUS if CORPUS in runs else "status")[scores].nunique()
        seeds = runs["seed"].nunique()
        # Two seeds that agree in one score may do so by chance; three, or all of several scores, do not.
        if seeds > 1 and (seeds > 2 or len(scores) > 1) and values.to_numpy().max() <= 1:
            conditions.append({name: str(value) for name, value in zip(rest, key, strict=True)})
            dropped |= set(runs["run_id"]) - {runs["run_id"].iloc[0]}
    if not dropped:
        return table, ()
    kept = table.runs[~table.runs["run_id"].isin(dropped)].reset_index(drop=True)
    jobs = tuple(job for job in table.jobs if job.run_id not in dropped)
    return replace(table, runs=kept, jobs=jobs), tuple(conditions)


def drop_equal_rows(frame: pd.DataFrame, response: str) -> pd.DataFrame:
    """Without rows that are equal to others in every column, where all columns but the score tell rows apart.

    Answers (right or wrong) may be equal by chance and are kept.
    """
    unique = frame.drop_duplicates()
    told_apart = not unique.duplicated([name for name in frame if name != response]).any()
    return unique.reset_index(drop=True) if told_apart and frame[response].nunique() > 2 else frame


# ---- roles


def _assign_roles(
    table: Table,
    frame: pd.DataFrame,
    score: str,
    kind: str,
    factors: Sequence[str],
    random: Sequence[str],
    within: Sequence[str],
) -> Design:
    """A design without levels and findings."""
    given = tuple(tuple(name.split(":")) for name in random)
    if kind == "table":
        roles = find_roles(frame, factors, score, [name for name in random if ":" not in name])
        unit, varying, speaker, seed = roles.unit, roles.within, roles.speaker, roles.seed
        if within and not unit:
            frame, unit, varying = frame.assign(unit=make_unit(frame, factors, within, seed)), "unit", tuple(within)
        frame = drop_equal_rows(frame, score) if unit or seed else frame
        groups = [*roles.groups, *([unit] if unit and unit not in roles.groups else [])]
        blocks = find_blocks(frame, factors, [name for name in roles.groups if name in ("fold", "split.fold")])
        implied = list_random(frame, factors, groups, speaker, unit)
    else:
        speaker = "speaker" if kind == "cells" else ""
        # Under leave-one-speaker-out a trained model has one cell, and cannot be told from the residual.
        several = kind == "cells" and frame["model"].duplicated().any()
        unit, seed = "model" if several else "run_id", "seed" if "seed" in frame else ""
        varying = find_within(frame, "run_id", factors)
        blocks = find_blocks(frame, factors, table.replicates)
        # Models of one run are trained from one seed on overlapping data, so that the run has a term beside its models.
        implied = list_random(frame, factors, [unit, "run_id", *blocks], speaker, unit)
    repeats = count_repeats(frame, factors, "run_id" if kind != "table" else unit, seed)
    counts = count_combinations(frame, factors, score, unit, speaker, seed)
    return Design(
        table=table,
        rows=kind,
        frame=frame,
        response=score,
        factors={},
        within=varying,
        unit=unit,
        random=given or implied,
        blocks=blocks,
        speaker=speaker,
        seed=seed,
        counts=counts,
        balanced=is_balanced(counts, kind),
        deterministic=(),
        n_units=int(frame[unit].nunique()) if unit else len(frame),
        n_speakers=int(frame[speaker].nunique()) if speaker else 0,
        n_seeds=int(repeats.min()),
    )


def count_combinations(
    frame: pd.DataFrame, factors: Sequence[str], score: str, unit: str, speaker: str, seed: str
) -> pd.DataFrame:
    """What each combination of levels has, empty ones included; the whole as one row where there are no factors."""
    columns = {"n_units": unit, "n_speakers": speaker, "n_seeds": seed}
    known = {name: (column, "nunique") for name, column in columns.items() if column}
    wanted = {"n_rows": (score, "size"), **known, "mean": (score, "mean"), "sd": (score, "std")}
    if not factors:
        return frame.assign(_all=0).groupby("_all").agg(**wanted).reset_index(drop=True)
    counts = frame.groupby(list(factors)).agg(**wanted)
    levels = [sort_levels(frame[name]) for name in factors]
    if np.prod([len(own) for own in levels]) <= LONGEST:
        index = list(product(*levels))
        full = (
            pd.MultiIndex.from_tuples(index, names=list(factors))
            if len(factors) > 1
            else pd.Index(levels[0], name=factors[0])
        )
        counts = counts.reindex(full)
    whole = ["n_rows", *known]
    return counts.fillna(dict.fromkeys(whole, 0)).astype(dict.fromkeys(whole, int)).reset_index()


def is_balanced(counts: pd.DataFrame, kind: str) -> bool:
    """Whether all combinations have equally many rows; of cells, within each corpus, for corpora differ in speakers."""
    groups = [own for _, own in counts.groupby(CORPUS)] if kind == "cells" and CORPUS in counts else [counts]
    return all(own["n_rows"].min() == own["n_rows"].max() > 0 for own in groups)


def _check_columns(frame: pd.DataFrame, names: Sequence[str], where: str) -> None:
    lacking = [name for name in names if name not in frame]
    if lacking:
        raise InputError(
            f"{where}: no column {', '.join(map(repr, lacking))}", expected=", ".join(map(str, frame.columns))
        )
