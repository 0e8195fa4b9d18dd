"""What a reader must know before believing the numbers: what the files themselves show, and notes of the runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from ser.judge import TITLES
from ser.report.blocks import Items, Section, count_things, join_distinct, show_number
from ser.report.collect import Run, Sweep
from ser.report.sections.leaks import remark_classes, remark_leaks, remark_overlap, remark_same_sound, remark_speakers
from ser.report.summarise import find_chance, list_emotions, rank_runs, recompute_score, summarise_configurations

TOLERANCE = 1e-6
#: Runs of a configuration below which its spread is hardly known; the statistics test nothing below it either.
FEW_RUNS = 3


def build_threats(sweep: Sweep) -> Section | None:
    """What :func:`list_threats` finds, if anything."""
    found = list_threats(sweep)
    return Section("threats", "Threats to validity", [Items(found)]) if found else None


def list_threats(sweep: Sweep) -> list[tuple[str, str]]:
    """Remarks found by looking at all runs, then notes of the runs, each with the number of runs that made it.

    Notes on what was left out of the data are with the data.
    """
    said = Counter(note for run in sweep.runs for note in dict.fromkeys(run.notes) if note not in _list_data_notes(run))
    notes = [(note, _count_runs(number, sweep)) for note, number in said.most_common()]
    return [*((remark, "") for find in FINDERS for remark in find(sweep)), *notes]


def remark_trials(sweep: Sweep) -> Iterator[str]:
    """That runs are no results: trials, permuted labels, a share of the training clips."""
    trials = Counter(str((run.config.get("debug") or {}).get("mode") or "") for run in sweep.done)
    for mode, number in trials.items():
        if mode:
            yield f"{count_things(number, 'run')} with debug={mode}: trials, whose scores mean nothing."
    data = [run.config.get("data") or {} for run in sweep.done]
    permuted = sum(each.get("shuffle_labels") is not None for each in data)
    if permuted:
        yield f"{count_things(permuted, 'run')} learnt permuted labels (data.shuffle_labels), and should reach chance."


def remark_intervals(sweep: Sweep) -> Iterator[str]:
    """What the intervals are and are not."""
    if sweep.done:
        yield "Intervals resample speakers; overlapping intervals are not a test (the statistics stage is)."
    bounds = [(run.score, run.metric(f"test/{run.headline}_ci_low")) for run in sweep.done]
    alone = sum(np.isnan(low) and not np.isnan(score) for score, low in bounds)
    if alone:
        yield f"{count_things(alone, 'run')} without an interval: it takes two speakers in the test part at least."


def remark_selection(sweep: Sweep) -> Iterator[str]:
    """That the best of several was chosen by the scores shown."""
    if any(len(rank_runs(part)) > 1 for part in sweep.parts):
        yield "The best configuration was picked by the test scores shown here, so its mean flatters it."


def remark_losses(sweep: Sweep) -> Iterator[str]:
    """That runs are missing."""
    lost = Counter(run.state for run in sweep.runs if not run.done)
    if lost and sweep.done:
        states = ", ".join(f"{number} {state}" for state, number in sorted(lost.items()))
        yield f"{count_things(lost.total(), 'run')} without a result ({states}), whose scores are not known."


def remark_balance(sweep: Sweep) -> Iterator[str]:
    """That configurations are averaged over different numbers of runs."""
    numbers = [n for part in sweep.parts for n in summarise_configurations(part)["n"]]
    if len(set(numbers)) > 1:
        yield (
            f"Unbalanced: configurations have {min(numbers)} to {max(numbers)} runs with a score. Means of few runs "
            "are less certain."
        )
    if sweep.done and max(numbers) == 1:
        yield "One run a configuration: what another seed would change is not known."
    elif sweep.done and max(numbers) < FEW_RUNS:
        yield f"At most {max(numbers)} runs a configuration: what another seed would change is hardly known."


def remark_copies(sweep: Sweep) -> Iterator[str]:
    """That the runs of a configuration predict the same, so that n of them say no more than one."""
    copied = []
    for name, runs in (item for part in sweep.parts for item in rank_runs(part).items()):
        said = [run.predictions.filter(regex="^pred").reset_index(drop=True) for run in runs]
        if len(runs) > 1 and len(said[0]) and all(other.equals(said[0]) for other in said):
            copied.append(name)
    if copied:
        yield (
            f"The runs of {join_distinct(copied)} predict the same: what was repeated (seed or fold) changes nothing "
            "there, and an SD of 0 is no evidence of certainty."
        )


def remark_labels(sweep: Sweep) -> Iterator[str]:
    """That runs had different emotions, different dimensions, or both kinds of target."""
    known = [run for run in sweep.done if len(run.predictions)]
    naming = [run for run in known if not run.dimensions]
    dimensions = {run.dimensions for run in known if run.dimensions}
    if naming and dimensions:
        yield "Some runs name emotions, others predict dimensions: UAR and CCC do not compare."
    if len({tuple(list_emotions([run.predictions])) for run in naming}) > 1:
        yield "Runs differ in their emotions: their UARs are means over different classes and do not compare directly."
    if len({round(find_chance(run), 6) for run in naming}) > 1:
        yield "Runs differ in the number of classes tested, so chance differs between them."
    if len(dimensions) > 1:
        yield "Runs differ in their dimensions: their CCCs are means over different ones and do not compare directly."


def remark_audio(sweep: Sweep) -> Iterator[str]:
    """That clips are missing because their audio could not be used."""
    skipped = [run.metric("audio/skipped") for run in sweep.done if run.metric("audio/skipped") > 0]
    if skipped:
        most = count_things(int(max(skipped)), "clip")
        yield f"{count_things(len(skipped), 'run')} left out clips whose audio could not be used, {most} at most."


def remark_environments(sweep: Sweep) -> Iterator[str]:
    """That runs were made by different code or saw different data."""
    for name, text in (("git_revision", "revisions of the code"), ("data_fingerprint", "data")):
        if len({str(run.environment.get(name)) for run in sweep.done if run.environment.get(name)}) > 1:
            yield f"Runs were made with different {text} ({name} differs between their environment.json)."
    dirty = sum(str(run.environment.get("git_revision")).endswith("-dirty") for run in sweep.done)
    if dirty:
        yield f"Code that no revision holds made {count_things(dirty, 'run')}: git_revision ends in -dirty."


def remark_files(sweep: Sweep) -> Iterator[str]:
    """Files that are missing, and scores that the predictions do not bear out."""
    for run in sweep.runs:
        for problem in run.problems:
            yield f"Run {run.job}: {problem}."
        found = recompute_score(run)
        if abs(run.score - found) > TOLERANCE:
            told, borne = show_number(run.score, 4), show_number(found, 4)
            yield f"Run {run.job}: metrics.json says {TITLES[run.headline]} {told}, its predictions give {borne}."


FINDERS = (
    remark_trials,
    remark_leaks,
    remark_overlap,
    remark_same_sound,
    remark_intervals,
    remark_speakers,
    remark_classes,
    remark_selection,
    remark_losses,
    remark_balance,
    remark_copies,
    remark_labels,
    remark_audio,
    remark_environments,
    remark_files,
)


def _count_runs(number: int, sweep: Sweep) -> str:
    return "" if len(sweep.done) == 1 else f"said by {number} of {count_things(len(sweep.done), 'run')}"


def _list_data_notes(run: Run) -> list[str]:
    return [str(note) for note in run.dataset.get("notes") or ()]
