"""A sweep: its jobs, their common parent run, and what is said at the end.

Each job writes ``job.json`` into its directory; ``sweep.json`` in the sweep's directory is what the report and the
statistics read.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from filelock import FileLock
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from omegaconf import DictConfig

from ser.config import name_override
from ser.errors import InputError
from ser.hparams_search.outcome import print_search
from ser.hparams_search.settings import check_folder, read_search
from ser.judge import HEADLINES, TITLES, find_headline
from ser.launchers import check_launcher
from ser.results import read_json, write_json
from ser.tracking import note, view
from ser.tracking.environment import describe_environment
from ser.tracking.tracker import TrackedRun, Tracker

log = logging.getLogger(__name__)
SWEEP, JOB = "sweep.json", "job.json"
DONE = ("finished", "skipped")
#: What a sweep's page in MLflow links to, as far as it is there; the report comes first.
FILES = ("report.html", "report/runs.csv", "report/configurations.csv", SWEEP)
#: Overrides that say how far a search goes, not which one it is.
EXTENT = ("hparams_search.n_trials=", "hparams_search.n_jobs=")


class JobsFailed(SystemExit):
    """Raised at the end of a sweep with failed jobs; Hydra lets it pass."""


@dataclass(frozen=True)
class SweepJob:
    """One job of a sweep, as it sees itself.

    Attributes:
        sweep: the sweep's directory.
        folder: the job's own.
        number: its place in the sweep.
        overrides: all its overrides.
        labels: those that vary in the sweep.
    """

    sweep: Path
    folder: Path
    number: int
    overrides: Mapping[str, str]
    labels: Mapping[str, str]

    @classmethod
    def begin(cls, sweep: Path, folder: Path, number: int, overrides: Mapping[str, str]) -> SweepJob:
        """Take part in a sweep."""
        swept = read_json(sweep / SWEEP).get("varied", [])
        labels = {name: overrides[name] for name in swept if name in overrides}
        return cls(sweep, folder, number, overrides, labels)

    def open_parent(self, config: DictConfig) -> str:
        """Run id of the sweep's parent; the first job to ask creates it, or takes up that of the same sweep before."""
        tracker: Tracker = instantiate(config.tracking)
        with FileLock(self.sweep / ".parent.lock"):
            record = read_json(self.sweep / SWEEP)
            if not record.get("parent_run_id"):
                key = hash_sweep(record["arguments"])
                tags = {"ser.key": key, "ser.kind": "sweep", "ser.run_dir": str(self.sweep.absolute())}
                tags |= {"ser.varied": " ".join(record["varied"]), "ser.git_revision": str(record["git_revision"])}
                name = "sweep over " + ", ".join(record["varied"])
                tags[note.TAG] = f"```\n{record['command']}\n```"
                parent = tracker.start(name, {}, tags, tracker.find(key))
                record["parent_run_id"] = parent.run_id
                write_json(self.sweep / SWEEP, record)
        return record["parent_run_id"]

    def end(self, state: str, seconds: float, run_id: str = "", key: str = "", reason: str | None = None) -> None:
        """Write down what became of the job."""
        record = {
            "job": self.number,
            "overrides": dict(self.overrides),
            "state": state,
            "reason": reason,
            "run_dir": self.folder.name if self.folder.parent == self.sweep.absolute() else str(self.folder),
            "run_id": run_id,
            "key": key,
            "seconds": round(seconds, 3),
        }
        write_json(self.folder / JOB, record)


class SweepCallback(Callback):
    """What happens before the first and after the last job of a sweep.

    Hydra turns exceptions of callbacks into warnings; what must end the process leaves as SystemExit, which passes.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Check the tracking store and begin the sweep's record; exits with 2 where either cannot be."""
        try:
            begin_sweep(config)
        except (InputError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(2) from error

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Sum the sweep up; raises JobsFailed if a job failed, or the summing up did."""
        try:
            failed = finish_sweep(config, self.sum_up)
        except Exception as error:
            log.exception("all jobs have ended, but summing up the sweep failed")
            raise JobsFailed(1) from error
        if failed:
            raise JobsFailed(1)

    def sum_up(self, folder: Path, record: Mapping[str, Any], config: DictConfig) -> None:
        """Print the jobs' table, test what varied, write the report."""
        if record["search"]:
            print_search(folder)
        else:
            print_table(folder, record)
        if config.get("statistics") and not record["search"]:
            test_sweep(folder, config)
        if config.report:
            from ser.report import write_report  # draws with matplotlib, which nothing else here needs

            sys.stdout.write(f"report: {write_report(folder)}\n")


def begin_sweep(config: DictConfig) -> None:
    """Write the sweep's record without its jobs; what an earlier sweep left in the same directory no longer holds.

    A search that goes on keeps the jobs that ended.
    """
    search = read_search(config)
    check_launcher(config.hydra.launcher)
    tracker: Tracker = instantiate(config.tracking)
    tracker.connect()
    folder = Path(config.hydra.sweep.dir)
    folder.mkdir(parents=True, exist_ok=True)
    if not check_folder(folder, search):
        for path in folder.glob(f"*/{JOB}"):
            path.unlink()
    environment = describe_environment()
    record = {
        "command": sys.argv[0],
        "arguments": list(config.hydra.overrides.task),
        "stage": config.hydra.job.name,
        "started": now(),
        "ser_version": environment["ser"],
        "git_revision": environment["git_revision"],
        "experiment": tracker.experiment,
        "tracking_uri": tracker.uri,
        "varied": list(search.space) if search else find_swept(config.hydra.overrides.task),
        "search": search.monitor if search else None,
        "jobs": [],
    }
    write_json(folder / SWEEP, record)


def finish_sweep(config: DictConfig, sum_up: Callable[[Path, Mapping[str, Any], DictConfig], None]) -> int:
    """Gather the jobs, sum them up, end the parent run; returns how many did not finish."""
    folder = Path(config.hydra.sweep.dir)
    jobs = gather_jobs(folder)
    record = {**read_json(folder / SWEEP), "finished": now(), "jobs": jobs}
    write_json(folder / SWEEP, record)
    failed = sum(job["state"] not in DONE for job in jobs)
    sum_up(folder, record, config)
    if record.get("parent_run_id"):
        close_parent(instantiate(config.tracking), record["parent_run_id"], folder, record)
    if failed:
        again = "" if record["search"] else "; the same command repeats only them"
        sys.stderr.write(f"{failed} of {len(jobs)} jobs did not finish{again}\n")
    sys.stdout.write(f"{folder}\n")
    return failed


def test_sweep(folder: Path, config: DictConfig) -> None:
    """Analyse the sweep's scores; what cannot be analysed, or fails, is said, and ends nothing."""
    from ser.stats import analyse_sweep  # statsmodels and glmm, which training does not need

    try:
        analyse_sweep(folder, instantiate(config.statistics))
    except InputError as error:
        sys.stdout.write(f"no statistics: {error}\n")
    except Exception:  # the runs are done: their table and report must not be lost over this
        log.exception("the statistics failed; `ser stats sweep=%s` makes them again", folder)


def close_parent(tracker: Tracker, run_id: str, folder: Path, record: Mapping[str, Any]) -> None:
    """Log what the sweep as a whole left, describe it, share a view that compares its runs, and end its parent run."""
    parent = TrackedRun(tracker, run_id)
    states = [job["state"] for job in record["jobs"]]
    parent.log_metrics({f"jobs/{state}": states.count(state) for state in (*DONE, "failed", "refused")})
    client = tracker.connect()
    for path in (folder / SWEEP, folder / "report.html"):
        if path.is_file():
            client.log_artifact(run_id, str(path))
    for name in ("report", "statistics"):
        if (folder / name).is_dir():
            client.log_artifacts(run_id, str(folder / name), name)
    name = share_view(tracker, run_id, record)
    files = [path for path in FILES if (folder / path).is_file()]
    text = note.describe_sweep(tracker.experiment_id, run_id, record["command"], states, files, name)
    parent.end("finished" if all(state in DONE for state in states) else "failed", {note.TAG: text})


def share_view(tracker: Tracker, run_id: str, record: Mapping[str, Any]) -> str:
    """Keep a view of the sweep's runs in its experiment; returns its name."""
    runs = [job["run_id"] for job in record["jobs"] if job["state"] in DONE]
    found = [tracker.connect().get_run(run).data for run in runs]
    params, metrics = ({name for one in found for name in getattr(one, kind)} for kind in ("params", "metrics"))
    name = f"ser-{run_id[:12]}"
    tracker.tag_experiment(view.TAG + name, view.make_view(run_id, runs, record["varied"], params, metrics))
    return name


def gather_jobs(folder: Path) -> list[dict[str, Any]]:
    """What each job wrote down, in order."""
    records = [json.loads(path.read_text()) for path in folder.rglob(JOB)]
    return sorted(records, key=lambda record: record["job"])


def print_table(folder: Path, record: Mapping[str, Any]) -> None:
    """The end of a sweep: what varied, the score that names each run with its interval, state."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    scores = [
        read_json(folder / job["run_dir"] / "metrics.json") if job["state"] in DONE else {} for job in record["jobs"]
    ]
    found = {find_headline(each) for each in scores}
    headlines = [name for name in HEADLINES if name in found] or ["uar"]
    table = Table(box=None, pad_edge=False)
    columns = [title for name in headlines for title in (TITLES[name], "95 % CI", TITLES[HEADLINES[name][0]])]
    for title in (*record["varied"], *columns, "state"):
        table.add_column(title, overflow="fold")
    for job, own in zip(record["jobs"], scores, strict=True):
        table.add_row(
            *(escape(str(job["overrides"].get(name, ""))) for name in record["varied"]),
            *(cell for name in headlines for cell in format_scores(own, name)),
            escape(job["state"] + (f": {job['reason'].splitlines()[0]}" if job["reason"] else "")),
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def format_scores(scores: Mapping[str, float | None], headline: str) -> tuple[str, str, str]:
    """A headline score, its interval, and the score told beside it; nothing where a run lacks them."""
    low, high = (format_score(scores.get(f"test/{headline}_ci_{side}")) for side in ("low", "high"))
    interval = f"{low}{' to ' if low.startswith('-') else '–'}{high}" if low and high else ""
    beside = format_score(scores.get(f"test/{HEADLINES[headline][0]}"))
    return format_score(scores.get(f"test/{headline}")), interval, beside


def format_score(value: float | None) -> str:
    """Three digits, or nothing."""
    return "" if value is None else f"{value:.3f}"


def split_overrides(overrides: Sequence[str]) -> dict[str, str]:
    """``["seed=1", "+trainer.x=2"]`` as ``{"seed": "1", "trainer.x": "2"}``."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return {name_override(item): str(item.get_value_element_as_str()) for item in parsed}


def find_swept(overrides: Sequence[str]) -> list[str]:
    """Names of the overrides that take several values in a sweep."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [name_override(item) for item in parsed if item.is_sweep_override() and not is_single(item)]


def is_single(override: Override) -> bool:
    """Whether a sweep over one value only."""
    value = override.value()
    return isinstance(value, ChoiceSweep) and len(value.list) == 1


def defer_to_jobs(arguments: Sequence[str]) -> list[str]:
    """Let each job, rather than the sweep, compose what lies inside a swept group.

    In ``head=svm,ridge head.tune=false`` the second override means the swept heads; Hydra would first try it on the
    default head, which has no such key. A sweep over one value says the same and waits for the job. A group may lie
    elsewhere: ``pooling@backbone.pooling.audio=gru,lstm``.
    """
    parser = OverridesParser.create()
    overrides = {item: parser.parse_override(item) for item in arguments if "=" in item and not item.startswith("-")}
    swept = [override for override in overrides.values() if override.is_sweep_override()]
    places = tuple(f"{override.package or override.key_or_group}." for override in swept)
    deferred = []
    for item in arguments:
        override = overrides.get(item)
        name, _, value = item.partition("=")
        inside = override is not None and override.key_or_group.startswith(places)
        plain = override is not None and not override.is_sweep_override() and not override.is_delete()
        deferred.append(f"{name}=choice({value})" if inside and plain and value else item)
    return deferred


def hash_sweep(arguments: Sequence[str]) -> str:
    """Identity of a sweep: the same overrides in any order; a search may go further than it was to."""
    kept = sorted(item for item in arguments if not item.startswith(EXTENT))
    return "sweep-" + blake2b(json.dumps(kept).encode(), digest_size=8).hexdigest()


def now() -> str:
    """The time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
