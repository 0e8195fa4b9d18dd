"""Mistakes that a design invites, found before anything is tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd
from scipy import stats

from ser.statistics.roles import CLIPS, FOLDS, RUNS, SPEAKERS
from ser.statistics.sources import follows

if TYPE_CHECKING:
    from ser.statistics.design import Design

#: Words in the name of a score that was picked as the best of several.
PICKED = ("best", "max", "top", "peak")
#: Names of columns that may hold test sets.
TEST_SETS = ("test_corpus", "test_set", "test", "testset", "test_dataset")
#: Speakers whose clips differ by more than this factor are not equally well known.
UNEQUAL = 3
#: Below this p failures are said to gather in a level.
GATHERED = 0.1


@dataclass(frozen=True)
class Finding:
    """Something a reader must know: its ``kind``, its ``severity`` (``refuse``, ``warn``, ``note``), and words."""

    kind: str
    severity: str
    words: str


def find_traps(
    design: Design, constant: Mapping[str, Sequence[str]], random: Sequence[str], within: Sequence[str]
) -> list[Finding]:
    """All findings on a design.

    Args:
        design: with its rows and roles.
        constant: columns to compare that have one level only.
        random: groups that the user named.
        within: factors that the user said to vary within a unit.
    """
    found = [
        *_check_factors(design, constant),
        *_check_response(design),
        *_check_repeats(design),
        *_check_dependence(design, random, within),
        *_check_gaps(design),
        *_check_failures(design),
        *_check_speakers(design),
        *_check_clips(design),
    ]
    found += [Finding("source", "note", words) for words in design.table.notes]
    return [Finding(kind, severity, words) for kind, severity, words in dict.fromkeys(map(_as_tuple, found))]


def _check_factors(design: Design, constant: Mapping[str, Sequence[str]]) -> Iterable[Finding]:
    for name, levels in constant.items():
        only = levels[0] if levels else "nothing"
        yield Finding("one_level", "warn", f"{name} is {only} everywhere: it has one level and cannot be compared")
    if design.table.searched:
        words = "the jobs were proposed by a search, each after the results of others: they are no experiment"
        yield Finding("searched", "refuse", words + "; run the configurations to compare as a sweep with several seeds")
    if not design.factors:
        words = "nothing varies on purpose: there is nothing to compare"
        yield Finding("no_factor", "warn", words)
    for name in design.factors:
        others = [other for other in design.factors if other != name and len(design.factors[other]) > 1]
        twin = next((other for other in others if follows(design.frame, name, [other])), "")
        if twin and (name > twin or not follows(design.frame, twin, [name])):
            words = f"each {twin} has one {name}: their effects cannot be told apart; leave one of them out"
            yield Finding("aliased", "warn", words)


def _check_response(design: Design) -> Iterable[Finding]:
    scores = design.frame[design.response]
    if len(scores.unique()) == 1:
        words = f"every {design.response} is {scores.iloc[0]:g}: nothing varies, so nothing can be tested"
        yield Finding("zero_variance", "refuse", words)
    elif design.counts["n_rows"].max() > 1:
        flat = design.counts[(design.counts["sd"] == 0) & (design.counts["n_rows"] > 1)]
        if len(flat) and design.factors:
            words = f"{len(flat)} of {len(design.counts)} conditions do not vary at all, such as {_name(design, flat)}"
            yield Finding("constant_cells", "warn", words + ": methods that assume equal spread are not to be trusted")
    if any(word in part for word in PICKED for part in design.response.lower().replace("/", "_").split("_")):
        words = (
            f"{design.response} looks like the best of several scores; on test data that is selection on the test set"
        )
        yield Finding("selection", "warn", words + ", and favours whatever was tried more often")


def _check_repeats(design: Design) -> Iterable[Finding]:
    if design.deterministic:
        whole = len(design.deterministic) == len(design.counts) or not any(design.deterministic)
        which = "all conditions" if whole else f"{len(design.deterministic)} conditions"
        words = f"the standard deviation over seeds is exactly 0 in {which}: seeds change nothing in these models"
        yield Finding("deterministic", "warn", words + ", so one run of each is kept and seeds are no replicates")
    if len(design.table.duplicates) and not design.table.tidy:
        count = len(design.table.duplicates)
        yield Finding("duplicates", "warn", f"{count} jobs repeat a run of the sweep: they are left out")
    elif len(design.table.duplicates):
        left_out = len(design.frame) < len(design.table.runs)
        words = f"{len(design.table.duplicates)} rows are wholly equal to others: "
        words += (
            "they are taken for the same runs and left out" if left_out else "they are kept, for nothing tells runs"
        )
        yield Finding("duplicates", "warn" if left_out else "note", words)
    if design.n_seeds == 1 and design.rows != "table" and design.factors:
        words = "each condition was trained once: what is found holds for these trained models, not for training again"
        if design.rows == "cells" and _count_folds(design) > 1:
            words = "each condition was trained once a fold, with one seed: other seeds may give other differences"
        yield Finding("one_run", "warn", words)
    if design.seed and design.seed not in design.blocks and design.rows != "cells" and design.n_seeds > 1:
        words = f"{design.seed} numbers are labels: the same number does not make runs of two conditions alike"
        yield Finding("seed_label", "note", f"{words}; random=[{design.seed}] makes it a block all the same")


def _check_dependence(design: Design, random: Sequence[str], within: Sequence[str]) -> Iterable[Finding]:
    """What makes rows alike, and whether it is in the model."""
    frame, factors = design.frame, list(design.factors)
    if design.within and design.unit:
        names = ", ".join(design.within)
        words = f"{names} {'vary' if len(design.within) > 1 else 'varies'} within {design.unit}: repeated measures"
        yield Finding("within", "note", f"{words} of {design.n_units} units, compared within them")
    if not design.table.tidy:
        return
    modelled = {name for term in design.random for name in term}
    known = (*SPEAKERS, *CLIPS, *RUNS, *FOLDS)
    numbers = []
    for name in map(str, frame.columns):
        if name in (*factors, *modelled, *random, design.response, design.seed, "unit"):
            continue
        levels = frame[name].nunique()
        if name.lower() in known and 1 < levels < len(frame):
            words = (
                f"{len(frame)} rows come from {levels} values of {name}, which is not in random: rows that share one"
            )
            yield Finding("pseudo_replication", "warn", f"{words} are not independent; pass random=[…,{name}]")
        elif 1 < levels < len(frame) / 2 and not pd.api.types.is_numeric_dtype(frame[name]):
            words = f"{name} has {levels} values and is in neither factors nor random: rows that differ only in it"
            yield Finding("unused", "warn", f"{words} count as repeats of each other")
        elif pd.api.types.is_integer_dtype(frame[name]):
            numbers.append(name)
    if numbers:
        words = f"not used: {', '.join(numbers)}; where such a column names groups, pass it in random"
        yield Finding("unused", "note", words)
    sets = [name for name in factors if name.lower() in TEST_SETS]
    if sets and not design.unit and not within:
        words = f"{sets[0]} is compared between rows; if one trained model was scored on each, its scores are not"
        yield Finding("within_unknown", "warn", f"{words} independent: pass within=[{sets[0]}] or a column run")


def _check_gaps(design: Design) -> Iterable[Finding]:
    empty = design.empty_cells if design.factors else []
    if empty:
        names = "; ".join(", ".join(f"{name}={level}" for name, level in cell.items()) for cell in empty[:5])
        more = f" and {len(empty) - 5} more" if len(empty) > 5 else ""
        yield Finding("empty_cells", "warn", f"no rows for {names}{more}: interactions there cannot be estimated")
    elif not design.balanced and design.factors:
        rows = design.counts["n_rows"]
        yield Finding("unbalanced", "note", f"conditions have {rows.min()} to {rows.max()} rows: unbalanced")


def _check_failures(design: Design) -> Iterable[Finding]:
    failures = design.table.failures
    if failures.empty:
        return
    states = ", ".join(f"{count} {state}" for state, count in failures["state"].value_counts().items())
    done = design.table.runs.drop_duplicates("run_id")
    words = f"{len(failures)} of {len(failures) + len(done)} jobs have no results ({states})"
    gathered = []
    for name in design.table.factors:
        if name not in failures or name not in done:
            continue
        for level, count in failures[name].value_counts().items():
            others, own = len(failures) - count, int((done[name].astype(str) == str(level)).sum())
            p = stats.fisher_exact([[count, own], [others, len(done) - own]], "greater").pvalue
            if p < GATHERED and count > 1:
                gathered.append(f"{count} of them with {name}={level}, where {own} jobs have results")
    if gathered:
        text = (
            f"{words}, and not at random: {'; '.join(gathered)}. What is left of these levels may be their better part"
        )
        yield Finding("missing_not_at_random", "warn", text)
    else:
        yield Finding("missing", "warn", f"{words}; too few to tell whether that has to do with what was compared")


def _check_speakers(design: Design) -> Iterable[Finding]:
    if design.rows != "cells":
        if not design.table.tidy:
            words = "the statement holds for these test speakers: runs differ by seed, not by who is tested"
            yield Finding("scope", "note", words)
        return
    few = design.frame.groupby("test_corpus")["speaker"].nunique()
    for corpus, count in few[few < 8].items():
        yield Finding("few_speakers", "warn", f"{corpus} has {count} test speakers: other speakers may differ a lot")
    sizes = design.frame.groupby("speaker")["n"].median()
    if sizes.max() > UNEQUAL * sizes.min():
        words = f"speakers have {sizes.min():g} to {sizes.max():g} clips: cells are not equally well known"
        yield Finding(
            "unequal_cells", "note", f"{words}; weights=n or an utterance-level model takes that into account"
        )
    if _count_folds(design) > 1 or "split.fold" in design.table.replicates:
        words = "models of different folds share training data: their scores are not wholly independent"
        yield Finding("shared_folds", "note", words)


def _check_clips(design: Design) -> Iterable[Finding]:
    """Whether clips are there twice in a run."""
    if design.rows != "cells":
        return
    first = replace(design.table, jobs=design.table.jobs[:1]).predictions
    if first.empty:
        return
    twice = int(first.duplicated(["model", "utterance"]).sum())
    if twice:
        words = f"{twice} clips are tested twice by one trained model: two clips have one name, or a list repeats them"
        yield Finding("repeated_clips", "warn", words)
    if len(first["test_corpus"].unique()) > 1:
        pairs = first[["test_corpus", "utterance", "speaker"]].drop_duplicates()
        bare = pairs.assign(**{name: pairs[name].str.partition("/")[2] for name in ("utterance", "speaker")})
        shared = int(bare.duplicated(["utterance", "speaker"]).sum())
        if shared:
            words = (
                f"{shared} clips of one speaker have the same name in two test corpora: are they the same recordings?"
            )
            yield Finding("shared_clips", "warn", words)


def _count_folds(design: Design) -> int:
    """Most folds of a run."""
    return int(design.frame.groupby("run_id")["fold"].nunique().max())


def _name(design: Design, rows: pd.DataFrame) -> str:
    return ", ".join(f"{name}={rows[name].iloc[0]}" for name in design.factors)


def _as_tuple(finding: Finding) -> tuple[str, str, str]:
    return finding.kind, finding.severity, finding.words
