"""Files of a finished run, by its directory, its id or its key."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ser.errors import InputError
from ser.results import owns, read_json
from ser.tracking.tracker import Tracker

log = logging.getLogger(__name__)


def find_files(run: str, names: Sequence[str], tracker: Tracker, cache: Path, key: str = "run") -> Path:
    """The folder that holds some files of a run: its directory, or a copy of its artifacts.

    Args:
        run: directory, MLflow id or key.
        names: files and folders that are needed, relative to the run's directory.
        tracker: where runs are known.
        cache: where artifacts are put if the directory is gone.
        key: of the configuration that named the run, for messages.

    Raises:
        InputError: no such run, one that did not finish, or one without these files.
    """
    folder = Path(run).expanduser()
    if folder.is_dir() and holds(folder, names):
        return folder
    found = find_run(read_json(folder / "run.json").get("run_id", run) if folder.is_dir() else run, tracker)
    if found is None:
        raise InputError(
            f"{key}={run}: " + (f"no {', '.join(names)} in this folder" if folder.is_dir() else "no such run"),
            expected="the id or the key of a finished run, or its directory",
            remedy=f"`ser ui` lists the runs in {tracker.uri}; another database: tracking.uri=…",
        )
    tags, run_id = found.data.tags, found.info.run_id
    if tags.get("ser.state") != "finished":
        raise InputError(f"{key}={run}: it did not finish", remedy="run its command again")
    directory = Path(tags.get("ser.run_dir", ""))
    if owns(directory, tags["ser.key"]) and holds(directory, names):
        return directory
    return download(run_id, names, tracker, cache / "runs" / run_id, key)


def holds(folder: Path, names: Sequence[str]) -> bool:
    """Whether a folder has all these files."""
    return all((folder / name).exists() for name in names)


def find_run(name: str, tracker: Tracker):  # type: ignore[no-untyped-def]  # MLflow's Run, imported when needed
    """The run of an id or a key, or ``None``."""
    from mlflow.exceptions import MlflowException

    try:
        return tracker.connect().get_run(name)
    except MlflowException:
        return tracker.find(name)


def download(run_id: str, names: Sequence[str], tracker: Tracker, folder: Path, key: str) -> Path:
    """Bring artifacts of a run into a folder, each whole or not at all; what is there already stays."""
    from mlflow.exceptions import MlflowException

    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (folder / name).exists():
            continue
        log.info("fetching %s of run %s", name, run_id)
        with TemporaryDirectory(dir=folder) as temporary:
            try:
                path = tracker.connect().download_artifacts(run_id, name, temporary)
            except (MlflowException, OSError) as error:
                raise InputError(
                    f"{key}={run_id}: neither its directory nor its artifacts have {name}",
                    remedy=f"is it a run of the right stage, and {key.removesuffix('run')}fold one of its folds? "
                    "If so, run its command again with resume=false",
                ) from error
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if not (folder / name).exists():
                shutil.move(path, folder / name)
    return folder
