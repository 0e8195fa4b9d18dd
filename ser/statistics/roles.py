"""What columns of a table are to each other: which are units, which vary within them, which repeat a condition.

This is read from the values: a factor is *between* units where each unit has one level of it, *within* where it has
several. A column's own name counts only where values cannot tell, and then with words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from ser.statistics.sources import REPLICATES, follows

#: Names of columns whose levels meet all conditions and still are no factor.
SPEAKERS = ("speaker", "speaker_id", "subject", "participant", "person")
CLIPS = ("utterance", "utterance_id", "clip", "sentence", "item", "file")
RUNS = ("run", "run_id", "model", "model_id")
FOLDS = ("fold", "split.fold")
SEEDS = ("seed", "random_state", "random_seed")
#: Most factors whose interactions with the speaker are all modelled; of more only pairs and the whole condition.
FULL = 3


@dataclass(frozen=True)
class Roles:
    """Columns of a table by what they are.

    Attributes:
        unit: the column of what was trained or measured as a whole, "" where every row is a unit of its own.
        within: factors with several levels within a unit.
        groups: columns whose levels have several rows that are alike: the unit, speakers, clips.
        speaker: the one of them that names people, "".
        seed: the column of seeds, "".
        loose: columns that vary among rows that are otherwise alike, and are in no role.
        aliases: columns that say the same as a combination of factors.
    """

    unit: str
    within: tuple[str, ...]
    groups: tuple[str, ...]
    speaker: str
    seed: str
    loose: tuple[str, ...]
    aliases: tuple[str, ...]


def find_roles(frame: pd.DataFrame, factors: Sequence[str], response: str, random: Sequence[str] = ()) -> Roles:
    """Roles of the columns of any tidy table.

    Args:
        frame: one row per observation.
        factors: columns to compare.
        response: the score.
        random: columns that the user named as groups; without them, those that are found take part.
    """
    names = [str(name) for name in frame if name not in (*factors, response) and _may_name(frame, str(name))]
    nested = {name: [factor for factor in factors if follows(frame, factor, [name])] for name in names}
    cells = {name: len(frame[own].drop_duplicates()) if own else 1 for name, own in nested.items()}
    aliases = tuple(name for name in names if nested[name] and frame[name].nunique() <= cells[name])
    units = [name for name in names if nested[name] and name not in aliases and name.lower() not in (*SPEAKERS, *CLIPS)]
    known = [name for name in names if name.lower() in (*SPEAKERS, *CLIPS, *RUNS, *FOLDS) and name not in aliases]
    groups = [*random, *(name for name in dict.fromkeys([*units, *known]) if name not in random)]
    unit = _choose_unit(frame, [name for name in groups if name in units], nested)
    seed = _find(names, (*SEEDS, "split.seed"))
    return Roles(
        unit=unit,
        within=tuple(name for name in factors if unit and name not in nested[unit]),
        groups=tuple(groups),
        speaker=_find(groups, SPEAKERS),
        seed="" if seed in units else seed,
        loose=tuple(name for name in names if name not in (*groups, *aliases, seed)),
        aliases=aliases,
    )


def find_within(frame: pd.DataFrame, unit: str, factors: Sequence[str]) -> tuple[str, ...]:
    """The factors with several levels within some unit."""
    return tuple(name for name in factors if not follows(frame, name, [unit]))


def make_unit(frame: pd.DataFrame, factors: Sequence[str], within: Sequence[str], seed: str) -> pd.Series:
    """A column of units where the table has none: rows that share everything but what varies within a unit."""
    keys = [*(name for name in factors if name not in within), *([seed] if seed else [])]
    return frame[keys].astype(str).agg("/".join, axis=1) if keys else pd.Series("unit", index=frame.index)


# ---- random terms


def list_random(
    frame: pd.DataFrame, factors: Sequence[str], groups: Sequence[str], speaker: str = "", unit: str = ""
) -> tuple[tuple[str, ...], ...]:
    """Random intercepts that a design implies: every group, and how it reacts to what varies within it.

    Speakers react to each factor and combination of factors, units (trained models) and runs to each factor within.
    Left out is what these rows cannot tell from something else: a term with as many levels as there are rows (it is the
    residual), with the levels of another term, or with those of the fixed part (one run per condition).
    """
    terms: list[tuple[str, ...]] = []
    for name in [speaker, *groups] if speaker else groups:
        if (name,) not in terms:
            terms.append((name,))
        if name == speaker:
            crossed = find_within(frame, speaker, factors)
            sizes = range(1, len(crossed) + 1) if len(crossed) <= FULL else (1, 2, len(crossed))
            terms += [(speaker, *part) for size in sizes for part in combinations(crossed, size)]
        if name in (unit, "run_id"):
            terms += [(name, factor) for factor in find_within(frame, unit, factors)]
    seen = {_code(frame, factors)} if factors else set()
    kept = []
    for term in terms:
        code = _code(frame, term)
        if (
            len(set(code)) < len(frame)
            and len(set(code)) > 1
            and code not in seen
            and not _follows_cells(code, factors, frame)
        ):
            kept.append(term)
            seen.add(code)
    return tuple(kept)


def find_blocks(frame: pd.DataFrame, factors: Sequence[str], replicates: Sequence[str]) -> tuple[str, ...]:
    """Replicates that fix the same split or fold in several conditions.

    Not the seed: the same number starts another network in another condition, so that it is a label only.
    """
    own = [name for name in replicates if name in frame and name not in SEEDS]
    return tuple(name for name in own if any(not follows(frame, factor, [name]) for factor in factors))


def count_repeats(frame: pd.DataFrame, factors: Sequence[str], unit: str, seed: str = "") -> pd.Series:
    """Independent repeats of each combination of factors: units, else seeds, else rows."""
    column = unit or seed
    if not factors:
        return pd.Series([frame[column].nunique() if column else len(frame)])
    grouped = frame.groupby(list(factors), observed=True)
    return grouped[column].nunique() if column else grouped.size()


def _code(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[int, ...]:
    """Rows by combination of values, numbered in the order of their first row: equal codes are equal partitions."""
    keys = frame[list(columns)].astype(str).agg("\0".join, axis=1)
    return tuple(pd.factorize(keys)[0].tolist())


def _follows_cells(code: tuple[int, ...], factors: Sequence[str], frame: pd.DataFrame) -> bool:
    """Whether each combination of factors has one level of a term: the fixed part then says all that the term could."""
    if not factors:
        return False
    cells = _code(frame, factors)
    return len(set(zip(cells, code, strict=True))) == len(set(cells))


def _may_name(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column could name groups of rows: text with repeated values, or a known name."""
    levels = frame[name].nunique()
    known = name.lower() in (*SPEAKERS, *CLIPS, *RUNS, *FOLDS, *SEEDS, *REPLICATES)
    return 1 < levels < len(frame) and (known or not pd.api.types.is_numeric_dtype(frame[name]))


def _choose_unit(frame: pd.DataFrame, units: Sequence[str], nested: dict[str, list[str]]) -> str:
    """Of the columns that determine factors, the one that determines most, then the one with fewest levels."""
    return min(units, key=lambda name: (-len(nested[name]), frame[name].nunique()), default="")


def _find(names: Sequence[str], wanted: Sequence[str]) -> str:
    return next((name for name in names if name.lower() in wanted), "")
