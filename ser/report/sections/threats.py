"""What a reader must know before believing the numbers: notes of the runs, and what the files themselves show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from ser.judge import TITLES
from ser.report.blocks import Items, Section, count_things, join_distinct, show_number
from ser.report.collect import Sweep
from ser.report.summarise import find_chance, list_emotions, rank_runs, recompute_score, summarise_configurations

TOLERANCE = 1e-6


def build_threats(sweep: Sweep) -> Section | None:
    """Notes of the runs, each once with the number of runs that made it, then remarks found by looking at all runs."""
    said = Counter(note for run in sweep.runs for note in dict.fromkeys(run.notes))
    notes = [(note, _count_runs(number, sweep)) for note, number in said.most_common()]
    remarks = [(remark, "") for find in FINDERS for remark in find(sweep)]
    if not notes and not remarks:
        return None
    return Section("threats", "Threats to validity", [Items([*notes, *remarks])])


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
    remark_intervals,
    remark_selection,
    remark_balance,
    remark_copies,
    remark_labels,
    remark_audio,
    remark_environments,
    remark_files,
)


def _count_runs(number: int, sweep: Sweep) -> str:
    return "" if len(sweep.done) == 1 else f"said by {number} of {count_things(len(sweep.done), 'run')}"
