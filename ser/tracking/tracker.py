"""MLflow behind one small door: an experiment, its runs, a sweep's parent.

Only the client of MLflow is used, with explicit run ids, so that no run is ever "active" by accident.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import urlopen

from filelock import FileLock

from ser.errors import InputError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)

#: MLflow's own limits on the length of a parameter's value and the number of items in one request.
LONGEST_VALUE = 6000
BATCH = 100


class Tracker:
    """An MLflow experiment.

    Args:
        uri: any MLflow tracking URI; SQLite databases are created when missing.
        experiment: its name.
        artifacts: folder of the artifacts of a SQLite store (a server has its own).
        log_model: whether the final model of a run is logged in MLflow's model format; ``auto``: of single runs.

    Raises:
        InputError: another ``log_model``.
    """

    def __init__(
        self, uri: str, experiment: str = "ser", artifacts: str | None = None, log_model: bool | str = "auto"
    ) -> None:
        if log_model not in (True, False, "auto"):
            raise InputError(f"tracking.log_model={log_model}", expected="auto, true or false")
        self.uri = uri
        self.experiment = experiment
        self.artifacts = artifacts
        self.log_model = log_model
        self._client: MlflowClient | None = None
        self._experiment_id = ""

    def connect(self) -> MlflowClient:
        """The client, with schema and experiment in place.

        Raises:
            InputError: a store that cannot be reached or is not one.
        """
        if self._client is None:
            self._check_uri()
            with self.lock():
                self._client, self._experiment_id = self._open()
        return self._client

    @property
    def experiment_id(self) -> str:
        """MLflow's id of the experiment."""
        self.connect()
        return self._experiment_id

    def tag_experiment(self, name: str, value: str) -> None:
        """Set a tag of the experiment."""
        client = self.connect()
        with self.lock():
            client.set_experiment_tag(self._experiment_id, name, value)

    def logs_model(self, parent: str) -> bool:
        """Whether the final model of a run is logged; of a run in a sweep only where that is asked for.

        Args:
            parent: MLflow run of the sweep, empty outside one.
        """
        return not parent if self.log_model == "auto" else bool(self.log_model)

    def find(self, key: str) -> Run | None:
        """The run with this key that got furthest: a finished one, else the newest."""
        runs = self.connect().search_runs(
            [self._experiment_id], f"tags.`ser.key` = '{key}'", order_by=["attributes.start_time DESC"]
        )
        finished = [run for run in runs if run.data.tags.get("ser.state") == "finished"]
        return next(iter([*finished, *runs]), None)

    def start(
        self, name: str, params: Mapping[str, Any], tags: Mapping[str, str], resume: Run | None = None
    ) -> TrackedRun:
        """Begin a run, or take up the one that was killed; its state is ``running``.

        Args:
            name: what the run is called.
            params: flattened configuration; values too long for the store are cut with a pointer to ``config.yaml``.
            tags: ``ser.key`` and whatever else identifies it.
            resume: the killed or failed run to continue.
        """
        from mlflow.entities import Param, RunTag

        client = self.connect()
        entities = [Param(key, fit_value(key, value)) for key, value in params.items()]
        labels = [RunTag(key, value) for key, value in {**tags, "ser.state": "running"}.items()]
        with self.lock():
            if resume is None:
                run_id = client.create_run(self._experiment_id, run_name=name).info.run_id
            else:
                run_id = resume.info.run_id
                client.update_run(run_id, status="RUNNING")
            for first in range(0, max(len(entities), len(labels), 1), BATCH):
                known = entities[first : first + BATCH] if resume is None else []
                client.log_batch(run_id, params=known, tags=labels[first : first + BATCH])
        return TrackedRun(self, run_id)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One writer at a time: SQLite gives up on contention, and no store creates an experiment atomically."""
        if self.uri.startswith("sqlite"):
            path = Path(urlparse(self.uri).path[1:] + ".lock")
        else:
            path = Path(gettempdir()) / f"ser-{blake2b(self.uri.encode(), digest_size=8).hexdigest()}.lock"
        with FileLock(path):
            yield

    def _check_uri(self) -> None:
        remedy = "pass tracking.uri=sqlite:///path/mlflow.db, or the http(s) address of a running MLflow server"
        scheme = urlparse(self.uri).scheme
        if scheme in ("", "file"):
            raise InputError(
                f"tracking.uri={self.uri}: MLflow keeps no new runs in plain folders",
                expected="a database",
                remedy=remedy,
            )
        if scheme == "sqlite":
            folder = Path(urlparse(self.uri).path[1:]).absolute().parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
                usable = os.access(folder, os.W_OK)
            except OSError:
                usable = False
            if not usable:
                raise InputError(f"tracking.uri={self.uri}: {folder} is not a folder one can write to", remedy=remedy)
        if scheme in ("http", "https"):
            try:
                urlopen(self.uri.rstrip("/") + "/health", timeout=10).close()
            except OSError as error:
                raise InputError(
                    f"tracking.uri={self.uri}: no MLflow server answers ({error})", remedy=remedy
                ) from None

    def _open(self) -> tuple[MlflowClient, str]:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        for name in ("alembic", "mlflow"):  # importing MLflow sets its loggers to tell every step of a migration
            logging.getLogger(name).setLevel(logging.WARNING)
        location = None
        if self.artifacts and self.uri.startswith("sqlite"):
            location = Path(self.artifacts).absolute().as_uri()
        try:
            client = MlflowClient(self.uri, self.uri)
            found = client.get_experiment_by_name(self.experiment)
            if found is None:
                return client, client.create_experiment(self.experiment, artifact_location=location)
        except (MlflowException, SQLAlchemyError, ImportError) as error:
            raise InputError(
                f"tracking.uri={self.uri}: MLflow cannot open it ({str(error).splitlines()[0]})",
                expected="a database of this MLflow version, or the address of a server",
                remedy="pass another tracking.uri; `mlflow db upgrade <uri>` migrates an older database",
            ) from error
        if found.lifecycle_stage != "active":
            raise InputError(
                f"tracking.experiment={self.experiment}: the experiment was deleted",
                remedy="restore it in `ser ui`, or pass another tracking.experiment",
            )
        return client, found.experiment_id


class TrackedRun:
    """One MLflow run that is being written."""

    def __init__(self, tracker: Tracker, run_id: str) -> None:
        self.tracker = tracker
        self.run_id = run_id

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        for name, value in tags.items():
            self.tracker.connect().set_tag(self.run_id, name, value)

    def log_metrics(self, metrics: Mapping[str, float | None], step: int = 0) -> None:
        """Log numbers; missing ones (None, NaN) are left out."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        known = [Metric(k, float(v), now, step) for k, v in metrics.items() if v is not None and v == v]
        client = self.tracker.connect()
        with self.tracker.lock():
            for first in range(0, len(known), BATCH * 5):
                client.log_batch(self.run_id, metrics=known[first : first + BATCH * 5])

    def log_folder(self, folder: Path) -> None:
        """Make everything in a folder an artifact of the run."""
        self.tracker.connect().log_artifacts(self.run_id, str(folder))

    def log_model(self, name: str, write: Callable[[str], Path]) -> str:
        """Log a model that this run made.

        Args:
            name: the model is ``runs:/<run>/<name>``.
            write: MLflow's id of the model to a folder with its files in MLflow's model format.

        Returns:
            MLflow's id of the model.
        """
        from mlflow.entities import LoggedModelOutput

        client = self.tracker.connect()
        with self.tracker.lock():
            model_id = client.create_logged_model(self.tracker.experiment_id, name, self.run_id).model_id
        client.log_model_artifacts(model_id, str(write(model_id)))
        with self.tracker.lock():
            client.finalize_logged_model(model_id, "READY")
            client.log_outputs(self.run_id, [LoggedModelOutput(model_id, 0)])
        return model_id

    def end(self, state: str, tags: Mapping[str, str] | None = None) -> None:
        """Close the run as ``finished`` or ``failed``; the state is the last thing written."""
        client = self.tracker.connect()
        with self.tracker.lock():
            for key, value in {**(tags or {}), "ser.state": state}.items():
                client.set_tag(self.run_id, key, value)
            client.set_terminated(self.run_id, "FINISHED" if state == "finished" else "FAILED")


def fit_value(key: str, value: Any) -> str:
    """A parameter's value as text, cut in words where MLflow would refuse it."""
    text = str(value)
    if len(text) <= LONGEST_VALUE:
        return text
    log.warning("parameter %s has %d characters; MLflow takes %d: see config.yaml", key, len(text), LONGEST_VALUE)
    pointer = f" … ({len(text)} characters, whole in config.yaml)"
    return text[: LONGEST_VALUE - len(pointer)] + pointer
