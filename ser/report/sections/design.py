"""How it was asked: what varied, what stayed, who was tested, and what chose the model that was."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ser.report.blocks import Cell, Facts, Section, Table, count_things, join_distinct, make_count
from ser.report.collect import Run, Sweep
from ser.report.divisions import PARTS, Division
from ser.report.naming import describe_choice, list_factors, name_choice
from ser.report.sections.headline import describe_fates
from ser.report.summarise import group_runs, list_corpora

#: Groups that make a model, in the order of its parts.
MODEL = ("audio", "augmentation", "backbone", "language", "finetune", "pooling", "head", "loss", "optimizer", "trainer")
#: Those that only what is trained by epochs has.
TRAINING = ("loss", "optimizer", "trainer")
PART_NAMES = {"train": "training", "validation": "validation", "test": "test"}
SCORES = {
    "uar": "unweighted average recall (UAR), the mean of the recalls of the emotions",
    "ccc": "concordance correlation (CCC), the mean over dimensions",
}


def build_design(sweep: Sweep) -> Section:
    """The factors as a table, the rest as facts."""
    facts = [(term, text) for term, text in list_facts(sweep) if text]
    table = [tabulate_factors(sweep)] if sweep.varied else []
    return Section("design", "Design", [*table, Facts(facts)])


def tabulate_factors(sweep: Sweep) -> Table:
    """A row for each thing that varied."""
    compared = list_factors(sweep.varied)
    rows = []
    for factor in sweep.varied:
        levels = list_levels(sweep, factor)
        role = "compared" if factor in compared else "repeated"
        cells = [Cell(factor, factor), Cell(role, role), make_count(len(levels)), Cell(join_distinct(levels, 12))]
        rows.append(cells)
    return Table(["factor", "role", "levels", "which"], rows)


def list_levels(sweep: Sweep, factor: str) -> list[str]:
    """Values of a factor, in the order of the sweep."""
    return list(dict.fromkeys(run.overrides.get(factor, "default") for run in sweep.runs))


def list_facts(sweep: Sweep) -> list[tuple[str, str]]:
    """Runs, model, split, selection, score; a fact that differs between runs shows all its values."""
    done = sweep.done
    splits = [describe_choice(run.config, "split", sweep.varied) for run in done if run.config.get("split")]
    heads = [part.headline for part in sweep.parts if any(run.headline for run in part.done)]
    return [
        ("Runs", " ".join(filter(None, [describe_grid(sweep), describe_fates(sweep) if not sweep.single else ""]))),
        ("The same for all" if len(done) > 1 else "Model", ", ".join(list_model(sweep))),
        ("Dimensions", join_distinct([name for run in done for name in run.dimensions], 12)),
        ("Split", join_distinct(splits, 3)),
        ("Parts of it", describe_parts(sweep)),
        ("Tested on", "; ".join(filter(None, (count_tested(sweep, corpus) for corpus in list_corpora(sweep))))),
        ("Model selection", describe_selection(sweep)),
        ("Score", "; ".join(SCORES[head] for head in heads)),
        ("Ran", describe_time(sweep.info)),
    ]


def describe_grid(sweep: Sweep) -> str:
    """How many levels make how many combinations, and how many of these were run."""
    levels = {factor: len(list_levels(sweep, factor)) for factor in sweep.varied}
    if len(levels) < 2 or sweep.info.get("search"):
        return ""
    whole = math.prod(levels.values())
    found = len({tuple(run.overrides.get(factor, "default") for factor in levels) for run in sweep.runs})
    ran = f"all {whole:,} combinations" if found == whole else f"{found:,} of {whole:,} combinations"
    return f"{' × '.join(f'{number} {factor}' for factor, number in levels.items())}: {ran}."


def list_model(sweep: Sweep) -> list[str]:
    """Choices of the model that all runs share; those that say ``none`` are left out."""
    epochs = any(len(run.history) for run in sweep.done)
    groups = [group for group in MODEL if epochs or group not in TRAINING]
    names = {group: {name_choice(run.config, group) for run in sweep.done} - {"", "none"} for group in groups}
    varied = {factor.partition(".")[0] for factor in sweep.varied}
    return [f"{group} {next(iter(found))}" for group, found in names.items() if len(found) == 1 and group not in varied]


def describe_parts(sweep: Sweep) -> str:
    """Clips and speakers of each part of a fold, over all folds of all runs, and who is on two sides of one."""
    divisions = list_divisions(sweep)
    if not divisions:
        return ""
    sizes = pd.concat([division.sizes for division in divisions])
    parts = [describe_part(sizes[sizes["part"] == part], part) for part in PARTS if part in set(sizes["part"])]
    folds = sorted({division.folds for division in divisions})
    number = count_things(folds[0], "fold") if len(folds) == 1 else f"{folds[0]} to {folds[-1]} folds"
    several = folds[-1] > 1 or len(divisions) > 1
    units = "whole speakers" if not any(each.count_shared("speaker")[0] for each in divisions) else "clips"
    other = f", {len(divisions)} different divisions" if len(divisions) > 1 else ""
    return f"{units}; {number}{other}{', in each' if several else ''}: {', '.join(parts)}"


def describe_part(sizes: pd.DataFrame, part: str) -> str:
    """``48 test clips of 4 speakers``, or ranges."""
    clips, speakers = (sorted(map(int, sizes[column])) for column in ("clips", "speakers"))
    return f"{join_ends(clips)} {PART_NAMES[part]} clips of {join_counts(speakers, 'speaker')}"


def list_divisions(sweep: Sweep) -> list[Division]:
    """The different divisions of the runs."""
    return list({id(run.division): run.division for run in sweep.done if run.division is not None}.values())


def describe_selection(sweep: Sweep) -> str:
    """What chose the epoch, or the values of an estimator, and on which clips."""
    said: dict[str, list[str]] = {}
    for name, runs in group_runs(sweep).items():
        for text in dict.fromkeys(tell_selection(run) for run in runs if run.done and run.config):
            said.setdefault(text, []).append(name)
    if len(said) == 1:
        return next(iter(said))
    return "; ".join(f"{join_distinct(names, 3)}: {text}" for text, names in said.items())


def tell_selection(run: Run) -> str:
    """The same for one run."""
    trainer: Mapping[str, Any] = run.config.get("trainer") or {}
    head: Mapping[str, Any] = run.config.get("head") or {}
    if not len(run.history):
        grid = ", ".join(head.get("grid") or {}) if head.get("tune") else ""
        return f"{grid} by cross-validation within the training part, speakers apart" if grid else "nothing to select"
    stopping = trainer.get("early_stopping")
    if not stopping:
        return f"the last of {trainer.get('max_epochs', 'all')} epochs, nothing was chosen"
    best = "lowest" if stopping.get("mode") == "min" else "highest"
    return (
        f"the epoch with the {best} {stopping.get('monitor')} of the fold; training ended "
        f"{stopping.get('patience')} epochs after it, or after {trainer.get('max_epochs')}"
    )


def count_tested(sweep: Sweep, corpus: str) -> str:
    """Clips and speakers that runs were tested on; a clip that several folds tested counts once."""
    tables = [table for run in sweep.done if len(table := run.predict(corpus))]
    if not tables:
        return ""
    clips, speakers = (
        sorted(len(table[["dataset", column]].drop_duplicates()) for table in tables) for column in ("clip", "speaker")
    )
    name = f"{corpus}: " if corpus else ""
    return f"{name}{join_counts(clips, 'clip')}, {join_counts(speakers, 'speaker')}"


def join_counts(numbers: Sequence[int], thing: str) -> str:
    """``1 speaker``, ``3 to 4 speakers``, of sorted numbers."""
    return count_things(numbers[0], thing) if numbers[0] == numbers[-1] else f"{join_ends(numbers)} {thing}s"


def join_ends(numbers: Sequence[int]) -> str:
    """Lowest and highest of sorted numbers, one where they agree."""
    ends: Iterator[str] = (f"{number:,}" for number in dict.fromkeys((numbers[0], numbers[-1])))
    return " to ".join(ends)


def describe_time(info: Mapping[str, Any]) -> str:
    """When the sweep started and how long it took."""
    started, finished = (pd.to_datetime(str(info.get(name)), errors="coerce") for name in ("started", "finished"))
    if pd.isna(started):
        return ""
    text = f"{started:%Y-%m-%d %H:%M}"
    if pd.isna(finished):
        return text
    return f"{text}, for {describe_duration((finished - started).total_seconds())}"


def describe_duration(seconds: float) -> str:
    """Seconds, minutes or hours, as a reader would say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
