"""The tables that statistics start from: runs, cells (a trained model on a test speaker), predictions.

One *run* is one job: a configuration with its seed. One *trained model* is one fold of a run. Of the parameters that
vary between runs, ``seed``, ``split.seed``, ``split.fold`` and ``data.fraction_seed`` are *replicates*: they repeat a
condition, and what they change is chance. All others are *factors*: somebody chose their values to compare them. The
test corpus is one more factor where several are tested, unless another factor decides it (``dataset=emodb,emovo``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.judge import HEADLINES, find_headline
from ser.statistics.folder import read_folder
from ser.statistics.sources import REPLICATES, SWEEP, Job, Source, follows
from ser.statistics.speakers import tabulate_cells, tabulate_predictions

if TYPE_CHECKING:
    from ser.tracking.tracker import Tracker

CORPUS = "test_corpus"
SCORES = tuple(name for headline, beside in HEADLINES.items() for name in (headline, *beside))
HEADLINE = "headline"
COUNTS = ("n_clips", "n_speakers")


@dataclass(frozen=True, eq=False)
class Table:
    """What a sweep, an experiment or a file tells.

    Attributes:
        name: where it was read from.
        response: the score in question.
        factors: columns that were varied on purpose, the test corpus last.
        replicates: columns that repeat a condition (seeds, folds).
        runs: one row per run and test corpus: ``run_id``, ``job``, ``status``, factors, replicates, ``test_corpus``,
            scores, ``n_clips``, ``n_speakers``; of a file, its rows.
        failures: jobs without results: ``job``, ``state``, ``reason``, factors, replicates.
        duplicates: jobs that repeat another run: ``job``, ``duplicate_of``, factors, replicates; they are left out.
        notes: what a reader must know, in words.
        searched: whether jobs were proposed by a search, each after the results of others.
        tidy: whether the rows are those of a file.
        jobs: what ``cells`` and ``predictions`` are read from.
    """

    name: str
    response: str
    factors: tuple[str, ...]
    replicates: tuple[str, ...]
    runs: pd.DataFrame
    failures: pd.DataFrame
    duplicates: pd.DataFrame
    notes: tuple[str, ...] = ()
    searched: bool = False
    tidy: bool = False
    jobs: tuple[Job, ...] = field(default=(), repr=False)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row per trained model, test corpus and test speaker, see :func:`ser.statistics.speakers.tabulate_cells`.

        Empty where no predictions are left. Speakers carry their corpus (``emodb/03``) where several are tested.
        """
        return self._gather(tabulate_cells)

    @cached_property
    def folds(self) -> pd.DataFrame:
        """The same, one row per trained model and test corpus."""
        return self._gather(lambda table: tabulate_cells(table, by=()))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per trained model and test clip: ``utterance`` and, where emotions are named, ``correct``."""
        return self._gather(tabulate_predictions)

    def tabulate_by(self, columns: Sequence[str]) -> pd.DataFrame:
        """Cells of each speaker at each level of further columns of the predictions (``sentence``)."""
        return self._gather(lambda table: tabulate_cells(table, by=("speaker", *columns)))

    @property
    def corpora(self) -> list[str]:
        """The test corpora."""
        return sorted(self.runs[CORPUS].unique()) if CORPUS in self.runs else []

    def _gather(self, tabulate: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
        several = len(self.corpora) > 1
        names = [name for name in (*self.factors, *self.replicates) if name != CORPUS]
        parts = []
        for job in self.jobs:
            table = read_predictions(job, several)
            if table is not None:
                values = {"run_id": job.run_id, **{name: job.get(name) for name in names}}
                part = tabulate(table).assign(**values)
                parts.append(part.assign(model=part["run_id"] + "/" + part["fold"].astype(str)))
        if not parts:
            return pd.DataFrame()
        whole = pd.concat(parts, ignore_index=True)
        first = ["run_id", "fold", "model", *names, CORPUS]
        return whole[[*first, *(name for name in whole if name not in first)]]


# ---- runs


def read_runs(name: str | Path, tracker: Tracker | None = None, response: str = "") -> Table:
    """Read a sweep's folder, the children of a parent run, or an experiment.

    Args:
        name: a folder, the id of a parent run, or the name of an experiment.
        tracker: the store of the latter two.
        response: a score (``uar``, ``ccc/arousal``) or any other metric of the runs; by default the one that they are
            named by.

    Raises:
        InputError: nothing of this name, or no run with this score.
    """
    if tracker is None or (Path(name) / SWEEP).is_file():
        return tabulate_source(read_folder(Path(name)), response)
    from ser.statistics.store import read_store  # asks MLflow, which reading a folder does not need

    return tabulate_source(read_store(tracker, str(name)), response)


def tabulate_source(source: Source, response: str = "") -> Table:
    """The tables of jobs that belong together."""
    done = [job for job in source.jobs if job.done]
    if not done:
        states = ", ".join(sorted({job.state for job in source.jobs})) or "none"
        raise InputError(
            f"{source.name}: no run has results (states of its jobs: {states})",
            expected="runs that finished",
            remedy="give the sweep's command again: it repeats what did not finish",
        )
    own, repeated = separate_duplicates(done)
    response = response or choose_response(own)
    varied = [name for name in source.varied if len({job.get(name) for job in source.jobs}) > 1]
    factors = [name for name in varied if name not in REPLICATES]
    replicates = [name for name in varied if name in REPLICATES]
    runs = tabulate_runs(own, response, [*factors, *replicates])
    notes = list(source.notes)
    corpora = runs[CORPUS].nunique() if CORPUS in runs else 0
    deciding = [name for name in factors if follows(runs, CORPUS, [name])] if corpora > 1 else []
    if deciding:
        notes.append(f"each value of {deciding[0]} has one test corpus: the two are one factor")
    elif corpora > 1:
        factors.append(CORPUS)
    lacking = int(runs[response].isna().sum())
    if lacking:
        notes.append(f"{lacking} of {len(runs)} rows have no {response} and are left out")
    names = [name for name in (*factors, *replicates) if name != CORPUS]
    runs = runs.dropna(subset=[response]).reset_index(drop=True)
    known = set(runs["run_id"])
    return Table(
        name=source.name,
        response=response,
        factors=tuple(factors),
        replicates=tuple(replicates),
        runs=runs,
        failures=list_jobs(
            [(job, {"state": job.state, "reason": job.reason}) for job in source.jobs if not job.done], names
        ),
        duplicates=list_jobs([(job, {"duplicate_of": first.number}) for job, first in repeated], names),
        notes=(*notes, *find_unexplained(own, [*names])),
        searched=source.searched,
        jobs=tuple(job for job in own if job.run_id in known),
    )


def separate_duplicates(jobs: Iterable[Job]) -> tuple[list[Job], list[tuple[Job, Job]]]:
    """Jobs with each run once, and those left out, each with the one it repeats."""
    first: dict[str, Job] = {}
    own, repeated = [], []
    for job in jobs:
        known = first.setdefault(job.key or job.run_id, job)
        if known is job:
            own.append(job)
        else:
            repeated.append((job, known))
    return own, repeated


def choose_response(jobs: Iterable[Job]) -> str:
    """The score that most runs are named by: of recognition, else a metric that is called the headline of others."""
    own = list(jobs)
    found = [find_headline(job.metrics) for job in own]
    named = [name for job in own for name in job.metrics if name.rpartition("/")[2] == HEADLINE]
    return max(dict.fromkeys(named), key=named.count) if named and not any(found) else max(HEADLINES, key=found.count)


def tabulate_runs(jobs: Sequence[Job], response: str, names: Sequence[str]) -> pd.DataFrame:
    """One row per run and test corpus; one per run where the response belongs to the run as a whole."""
    by_set = any(f"{label}/{response}" in job.metrics for job in jobs for label in job.name_sets().values())
    rows = []
    for job in jobs:
        whole = {"run_id": job.run_id, "job": job.number, "status": job.state} | {name: job.get(name) for name in names}
        if not by_set:
            rows.append(whole | {response: job.metrics.get(response, np.nan)})
            continue
        for corpus, label in job.name_sets().items():
            wanted = dict.fromkeys([*SCORES, *_list_dimensions(job, label), response, *COUNTS])
            scores = {name: job.metrics.get(f"{label}/{name}", np.nan) for name in wanted}
            rows.append(whole | {CORPUS: corpus} | scores)
    table = pd.DataFrame(rows)
    if table[response].isna().all():
        known = sorted({name.removeprefix("test/") for job in jobs for name in job.metrics})
        raise InputError(
            f"response={response}: no run has this metric",
            expected=f"one of {', '.join(known[:40])}" if known else "a metric that was logged",
        )
    return table.dropna(axis=1, how="all")


def list_jobs(jobs: Sequence[tuple[Job, Mapping[str, object]]], names: Sequence[str]) -> pd.DataFrame:
    """A table of jobs with what varied."""
    rows = [{"job": job.number, **more, **{name: job.get(name) for name in names}} for job, more in jobs]
    return pd.DataFrame(rows, columns=None if rows else ["job", "state", "reason", *names])


def find_unexplained(jobs: Sequence[Job], names: Sequence[str]) -> list[str]:
    """Words on runs that are the same in everything that varies and yet are different runs."""
    keys: dict[tuple[str, ...], list[int]] = {}
    for job in jobs:
        keys.setdefault(tuple(job.get(name) for name in names), []).append(job.number)
    several = [numbers for numbers in keys.values() if len(numbers) > 1]
    if not several:
        return []
    return [
        f"{sum(map(len, several))} runs share all values that vary with another run but are not the same run "
        f"(jobs {', '.join(map(str, several[0]))} for one): something that is no parameter differs between them"
    ]


def find_chance(table: Table, response: str) -> float | None:
    """What guessing scores: 1 / number of emotions for shares of correct answers, 0 for agreement, else unknown."""
    if response.partition("/")[0] in ("ccc", "pcc"):
        return 0.0
    names = {name.rpartition("/")[2] for job in table.jobs for name in job.metrics if "/recall/" in name}
    return 1 / len(names) if names and response in ("uar", "wa", "f1_macro", "accuracy") else None


def fill_failures(frame: pd.DataFrame, table: Table, response: str) -> pd.DataFrame:
    """Runs or cells with rows at chance level for the jobs that failed, as if they had failed by doing badly.

    Each stands on the test sets of the first run. Unchanged where nothing failed or chance is not known.
    """
    chance = find_chance(table, response)
    if table.failures.empty or frame.empty or chance is None:
        return frame
    model = frame[frame["run_id"] == frame["run_id"].iloc[0]]
    names = [str(name) for name in table.failures if name in frame and name not in ("job", "state", "reason")]
    parts = [frame]
    for failure in table.failures.to_dict("records"):
        own: dict[str, Any] = {name: failure[name] for name in names} | {response: chance}
        own["run_id"] = f"failed-{failure['job']}"
        part = model.assign(**own)
        parts.append(part.assign(model=part["run_id"] + "/" + part["fold"]) if "model" in part else part)
    return pd.concat(parts, ignore_index=True)


def read_predictions(job: Job, several: bool) -> pd.DataFrame | None:
    """A run's test predictions with their test corpus; speakers and clips carry it where there are several."""
    table = job.load()
    if table is None:
        return None
    sets = {label: corpus for corpus, label in job.name_sets().items()}
    table = table[table["evaluation"].isin(list(sets))]
    table = table.assign(**{CORPUS: table["evaluation"].map(sets), "utterance": table["clip"].astype(str)})
    if several:
        named = {name: _name_in_corpus(table[CORPUS], table[name]) for name in ("speaker", "utterance")}
        table = table.assign(**named)
    return table


def _name_in_corpus(corpora: pd.Series, names: pd.Series) -> list[str]:
    """``emodb/03``; runs on several corpora name their clips and speakers so themselves."""
    pairs = zip(corpora.astype(str), names.astype(str), strict=True)
    return [name if name.startswith(f"{corpus}/") else f"{corpus}/{name}" for corpus, name in pairs]


def _list_dimensions(job: Job, label: str) -> list[str]:
    """Scores of single dimensions of an evaluation set: ``ccc/arousal``."""
    starts = tuple(f"{label}/{score}/" for score in ("ccc", "pcc", "mae"))
    own = [name.removeprefix(f"{label}/") for name in job.metrics if name.startswith(starts)]
    return [name for name in own if name.count("/") == 1 and not name.endswith(("_ci_low", "_ci_high"))]
