"""The runs of an MLflow store: children of a sweep's parent run, or all of an experiment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd

from ser.errors import InputError
from ser.results import owns
from ser.statistics.folder import load_predictions
from ser.statistics.sources import DONE, PREDICTIONS, SWEEP, Job, Source, find_varied, keep_numbers, tidy_value

if TYPE_CHECKING:
    from mlflow.entities import Run

    from ser.tracking.tracker import Tracker


def read_store(tracker: Tracker, name: str) -> Source:
    """The children of a parent run, or all runs of an experiment.

    Raises:
        InputError: the store has neither.
    """
    client = tracker.connect()
    parent, experiment = _find_parent(tracker, name), client.get_experiment_by_name(name)
    if parent is None and experiment is None:
        raise InputError(
            f"sweep={name}: {tracker.uri} has no run and no experiment of this name, and there is no such folder",
            expected="a sweep's folder, the id of its parent run, or the name of an experiment",
            remedy="`ser ui` shows runs and experiments; tracking.uri=… names another store",
        )
    assert parent is not None or experiment is not None
    place = parent.info.experiment_id if parent is not None else experiment.experiment_id  # type: ignore[union-attr]
    chosen = f"tags.`mlflow.parentRunId` = '{name}'" if parent is not None else ""
    runs = _search_all(tracker, place, chosen)
    jobs = [
        _describe_run(tracker, run, number)
        for number, run in enumerate(sorted(runs, key=lambda run: run.info.start_time))
        if run.data.tags.get("ser.kind") != "sweep"
    ]
    if parent is None:
        # An experiment may hold runs of other stages, which test nothing.
        jobs = [job for job in jobs if not job.done or any(name.startswith("test/") for name in job.metrics)]
        return Source(name, tuple(_drop_repeated(jobs)), find_varied(jobs))
    record = _read_artifact(tracker, name, SWEEP)
    varied = tuple(record.get("varied") or str(parent.data.tags.get("ser.varied", "")).split())
    return Source(name, tuple(_join_record(tracker, jobs, record)), varied, bool(record.get("search")))


@contextmanager
def hide_progress() -> Iterator[None]:
    """Without MLflow's progress bar, which it would draw for every single file."""
    name = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def _find_parent(tracker: Tracker, name: str) -> Run | None:
    from mlflow.exceptions import MlflowException

    try:
        return tracker.connect().get_run(name)
    except MlflowException:
        return None


def _search_all(tracker: Tracker, experiment_id: str, chosen: str) -> list[Run]:
    client, runs, token = tracker.connect(), [], None
    while True:
        page = client.search_runs([experiment_id], chosen, max_results=1000, page_token=token)
        runs += list(page)
        token = page.token
        if not token:
            return runs


def _describe_run(tracker: Tracker, run: Run, number: int) -> Job:
    tags = run.data.tags
    ended = "finished" if run.info.status == "FINISHED" else "failed" if run.info.status == "FAILED" else "missing"
    state = tags.get("ser.state", ended)
    return Job(
        number=number,
        state=state if state in ("finished", "failed") else "missing",
        reason="" if state == "finished" else f"its state is {state}",
        run_id=run.info.run_id,
        key=tags.get("ser.key", ""),
        config={name: tidy_value(value) for name, value in run.data.params.items()},
        metrics=keep_numbers(run.data.metrics),
        load=partial(_fetch_predictions, tracker, run.info.run_id, Path(tags.get("ser.run_dir", "")), tags),
    )


def _fetch_predictions(tracker: Tracker, run_id: str, folder: Path, tags: Mapping[str, str]) -> pd.DataFrame | None:
    """From the run's own directory if it still is that, else from its artifacts."""
    if tags.get("ser.key") and owns(folder, tags["ser.key"]):
        return load_predictions(folder)
    client = tracker.connect()
    if not any(item.path == PREDICTIONS for item in client.list_artifacts(run_id)):
        return None
    with TemporaryDirectory() as temporary, hide_progress():
        return pd.read_parquet(client.download_artifacts(run_id, PREDICTIONS, temporary))


def _read_artifact(tracker: Tracker, run_id: str, name: str) -> dict[str, Any]:
    client = tracker.connect()
    if not any(item.path == name for item in client.list_artifacts(run_id)):
        return {}
    with TemporaryDirectory() as temporary, hide_progress():
        return json.loads(Path(client.download_artifacts(run_id, name, temporary)).read_text(encoding="utf-8"))


def _join_record(tracker: Tracker, jobs: Sequence[Job], record: Mapping[str, Any]) -> list[Job]:
    """Jobs as the sweep recorded them, each with its run, which may be that of an earlier sweep."""
    known = {job.run_id: job for job in jobs}
    joined = []
    for item in record.get("jobs") or ():
        state, run_id = str(item.get("state")), str(item.get("run_id") or "")
        own = known.get(run_id) or Job(0, state, str(item.get("reason") or "").strip())
        if state in DONE and run_id not in known:
            own = _describe_run(tracker, tracker.connect().get_run(run_id), 0)
        values = {str(name): tidy_value(value) for name, value in (item.get("overrides") or {}).items()}
        joined.append(replace(own, number=int(item["job"]), values=values))
    return joined or list(jobs)


def _drop_repeated(jobs: Sequence[Job]) -> list[Job]:
    """Without attempts at a run that was finished later."""
    finished = {job.key for job in jobs if job.done and job.key}
    return [job for job in jobs if job.done or job.key not in finished]
