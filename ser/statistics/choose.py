"""Which analysis a design calls for, by a fixed rule, with the reason in words."""

from __future__ import annotations

from typing import NamedTuple

from ser.errors import InputError
from ser.statistics.design import FEW_SEEDS, FEW_SPEAKERS, Design
from ser.statistics.roles import CLIPS, RUNS, SPEAKERS
from ser.statistics.tables import CORPUS

METHODS = ("auto", "anova", "mixed", "paired", "datasets", "resampled")
#: Ranks over data sets say something from so many data sets and models on.
DATASETS, MODELS = 6, 3
#: Names of columns of data sets, where a file holds one score a model and data set.
DATASET_COLUMNS = (CORPUS, "test_set", "dataset", "corpus", "data")


class Choice(NamedTuple):
    """A method and why: ``none`` (refused), ``describe`` (no test), or one of :data:`METHODS` but ``auto``."""

    method: str
    reason: str


def choose_method(design: Design) -> Choice:
    """The primary analysis of a design.

    In this order: nothing where a finding forbids it; description where nothing is compared, or where fewer than three
    seeds meet fewer than five speakers; the paired comparison of models that were trained once each and meet the same
    speakers; the mixed model on cells where there are enough speakers; ranks over six or more data sets with one score
    a model each; folds without predictions by the corrected resampled t test; the mixed model on runs where a factor
    varies within a run or runs share a split or fold; else the analysis of variance on runs.
    """
    if design.refused:
        return Choice("none", "; ".join(finding.words for finding in design.refused))
    if not design.factors and not (design.rows == "table" and design.random):
        return Choice("describe", "nothing varies on purpose: scores and their spread are described")
    if is_too_small(design):
        have = f"{design.n_seeds} runs a condition" + (f", {design.n_speakers} speakers" if design.n_speakers else "")
        words = f"fewer than {FEW_SEEDS} seeds and fewer than {FEW_SPEAKERS} speakers ({have}) allow description only"
        return Choice("describe", words)
    if design.rows == "cells":
        return _choose_on_cells(design)
    if has_datasets(design):
        words = f"one score a model on {DATASETS} or more data sets: ranks within data sets"
        return Choice("datasets", words)
    if design.rows == "table" and is_resampled(design):
        words = "scores of folds without predictions: folds share training data, so the resampled t test is corrected"
        return Choice("resampled", words)
    if design.within:
        return Choice("mixed", f"{', '.join(design.within)} within {design.unit}: a random intercept for {design.unit}")
    if design.random:
        names = ", ".join(":".join(term) for term in design.random)
        return Choice("mixed", f"rows share {names}: random intercepts for them")
    return Choice("anova", "every row is an independent run: analysis of variance, over seeds on these very test sets")


def check_method(design: Design, method: str) -> None:
    """Refuse a method that the user asks for and the rows do not bear.

    Raises:
        InputError: the design is refused, or an analysis for independent rows is asked of rows that are not.
    """
    if method not in METHODS:
        raise InputError(f"statistics.method={method}", expected=", ".join(METHODS))
    if design.refused:
        raise InputError("\n".join(finding.words for finding in design.refused))
    shared = find_shared(design)
    if method == "anova" and shared and not design.within:
        raise InputError(
            f"statistics.method=anova: the {len(design.frame)} rows are not independent; rows share {shared}",
            expected="one row per unit and no factor within units",
            remedy=f"use statistics.method=mixed, or average the rows of each {shared}",
        )
    if method == "anova" and design.within:
        raise InputError(
            f"statistics.method=anova: {', '.join(design.within)} varies within {design.unit} (repeated measures)",
            expected="factors that vary between runs",
            remedy="use statistics.method=mixed, which compares within runs what varies within them",
        )


def find_shared(design: Design) -> str:
    """What several rows have in common that a block does not repair: a unit, a speaker, a clip; "" for nothing."""
    if design.rows == "cells":
        return "speaker"
    names = [name for name in design.frame if str(name).lower() in (*RUNS, *SPEAKERS, *CLIPS)]
    return next((str(name) for name in (design.unit, *names) if name and design.frame[name].duplicated().any()), "")


def is_too_small(design: Design) -> bool:
    """The stop rule. Groups of a file that are no speakers count like them."""
    groups = design.n_speakers
    if not groups and design.rows == "table" and design.random:
        groups = max(design.frame[list(term)].drop_duplicates().shape[0] for term in design.random)
    if has_datasets(design):
        return False
    return design.n_seeds < FEW_SEEDS and groups < FEW_SPEAKERS


def has_datasets(design: Design) -> bool:
    """Whether there is one score of each of three or more models on each of six or more data sets."""
    sets = [name for name in design.factors if name in DATASET_COLUMNS and len(design.factors[name]) >= DATASETS]
    models = [name for name in design.factors if name not in sets]
    single = design.counts["n_rows"].max() == 1 and not design.empty_cells if design.factors else False
    return bool(len(sets) == 1 and len(models) == 1 and len(design.factors[models[0]]) >= MODELS and single)


def is_resampled(design: Design) -> bool:
    """Whether the scores of one factor's levels are those of folds, with nothing else repeated."""
    folds = [name for name in design.frame if str(name).lower() in ("fold", "split.fold")]
    return bool(folds) and len(design.factors) == 1 and not design.speaker and not design.within


def _choose_on_cells(design: Design) -> Choice:
    trained = f"{design.n_seeds} runs a condition" if design.n_seeds > 1 else "one run a condition"
    single = design.n_seeds == 1 and not any("model" in term for term in design.random) and design.unit == "model"
    if single and len(design.factors) == 1 and next(iter(design.factors)) != CORPUS and not design.deterministic:
        words = f"models trained once on {design.n_speakers} speakers: the same clips are compared pair by pair"
        return Choice("paired", words + "; that speaks of these trained models, not of training them again")
    words = f"predictions of {design.n_speakers} speakers by {trained}: a mixed model on cells of speaker and model"
    return Choice("mixed", f"{words}, with {', '.join(':'.join(term) for term in design.random)} as random terms")
