"""What came of a search: ``search.json``, the table at its end, the winner on the parent run."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser.errors import InputError
from ser.hparams_search.settings import RECORD, Search
from ser.judge import find_headline
from ser.results import read_json, write_json
from ser.tracking.tracker import TrackedRun, Tracker

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

DONE = ("finished", "skipped")


def find_score(folder: Path, job: Mapping[str, Any], monitor: str) -> tuple[float | None, str]:
    """The score that decides and "", or ``None`` and the reason why a trial has none.

    Args:
        folder: the sweep's.
        job: what the trial's job wrote down.
        monitor: name of the score.

    Raises:
        InputError: the trial has validation scores, but not this one; no trial will.
    """
    if job["state"] not in DONE:
        return None, str(job["reason"] or job["state"])
    scores = read_json(folder / job["run_dir"] / "metrics.json")
    known = [name for name in scores if name.startswith("val/")]
    if known and monitor not in known:
        raise InputError(f"hparams_search.monitor={monitor}: not measured", expected=", ".join(known))
    value = scores.get(monitor)
    if value is None or not math.isfinite(value):
        return None, f"no {monitor}"
    return float(value), ""


def write_record(
    folder: Path, search: Search, trials: Sequence[FrozenTrial], jobs: Sequence[Mapping[str, Any]]
) -> None:
    """Write ``search.json``: the search, its trials, the best one."""
    by_number = {job["job"]: job for job in jobs}
    records = [describe_trial(folder, search, trial, by_number.get(trial.number)) for trial in trials]
    finished = [record for record in records if record["value"] is not None]
    choose = max if search.direction == "maximize" else min
    record = {
        "identity": search.identity,
        "monitor": search.monitor,
        "direction": search.direction,
        "seed": search.seed,
        "n_trials": search.trials,
        "space": search.describe(),
        "best": choose(finished, key=lambda each: each["value"]) if finished else None,
        "trials": records,
    }
    write_json(folder / RECORD, record)


def describe_trial(folder: Path, search: Search, trial: FrozenTrial, job: Mapping[str, Any] | None) -> dict[str, Any]:
    """One trial of ``search.json``."""
    running = not trial.state.is_finished()
    reason = "" if running or trial.values or job is None else find_score(folder, job, search.monitor)[1]
    return {
        "trial": trial.number,
        "overrides": {name: search.space[name].spell(trial.params[name]) for name in search.space},
        "state": "running" if running else "finished" if trial.values else "failed",
        "value": trial.values[0] if trial.values else None,
        "reason": reason or None,
        **{name: (job or {}).get(name) for name in ("run_dir", "run_id", "key")},
    }


def track_best(tracker: Tracker, parent: str, folder: Path) -> None:
    """Write the winner on the parent run: tags that name it, its validation score, and the test scores it alone has."""
    record = read_json(folder / RECORD)
    best = record["best"]
    if best is None:
        return
    scores = read_json(folder / best["run_dir"] / "metrics.json")
    headline = find_headline(scores)
    names = [f"test/{headline}{end}" for end in ("", "_ci_low", "_ci_high")] if headline else []
    values = {record["monitor"]: best["value"], **{name: scores.get(name) for name in names}}
    TrackedRun(tracker, parent).log_metrics({f"best/{name}": value for name, value in values.items()})
    tags = {"monitor": record["monitor"], "best_run_id": best["run_id"], "best_trial": best["trial"]}
    client = tracker.connect()
    with tracker.lock():
        for name, value in {**tags, "best_overrides": spell_overrides(best)}.items():
            client.set_tag(parent, f"ser.{name}", str(value))


def print_search(folder: Path) -> None:
    """The end of a search: its trials by the score that decided, and the winner with its test score.

    Test scores of the others are not shown: whoever reads them chooses by them.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    record = read_json(folder / RECORD)
    table = Table(box=None, pad_edge=False)
    for title in ("trial", *record["space"], record["monitor"], "state"):
        table.add_column(title, overflow="fold")
    for trial in record["trials"]:
        value = "" if trial["value"] is None else f"{trial['value']:.3f}"
        note = (
            ", best" if trial == record["best"] else f": {trial['reason'].splitlines()[0]}" if trial["reason"] else ""
        )
        cells = [str(trial["trial"]), *trial["overrides"].values(), value, trial["state"] + note]
        table.add_row(*map(escape, cells))
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    sys.stdout.write(describe_best(folder, record) + "\n")


def describe_best(folder: Path, record: Mapping[str, Any]) -> str:
    """The winner in words, and what its command would be."""
    best = record["best"]
    if best is None:
        return "no trial has a score"
    scores = read_json(folder / best["run_dir"] / "metrics.json")
    headline = find_headline(scores)
    value, low, high = (scores.get(f"test/{headline}{end}") for end in ("", "_ci_low", "_ci_high"))
    interval = f" (95 % CI {low:.3f}–{high:.3f})" if low is not None and high is not None else ""
    test = f"; test/{headline} {value:.3f}{interval}" if value is not None else ""
    chosen = f"best by {record['monitor']}: trial {best['trial']} with {best['value']:.3f}{test}"
    return f"{chosen}\n  {spell_overrides(best)}"


def spell_overrides(trial: Mapping[str, Any]) -> str:
    """A trial's overrides as one would type them."""
    return " ".join(f"{name}={value}" for name, value in trial["overrides"].items())
