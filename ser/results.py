"""A run's directory: what is in it, how it is begun, filled, and copied from a run that finished before."""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from omegaconf import OmegaConf

from ser.tracking.tracker import Tracker

if TYPE_CHECKING:
    from mlflow.entities import Run

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
#: Everything a run writes; ``run.json`` says whose results the directory holds and is written last.
OUTPUTS = (
    "config.yaml",
    "metrics.json",
    "predictions.parquet",
    "validation.parquet",
    "confusion.csv",
    "speakers.csv",
    "history.csv",
    "split.csv",
    "split_balance.csv",
    "dataset.json",
    "notes.json",
    "language.json",
    "backbone.json",
    "environment.json",
    "run.json",
)


def start_folder(folder: Path, key: str, killed_in: str | None = None) -> None:
    """Make the directory ready for a run: results of another one go, checkpoints of a killed one come along."""
    mine = folder.resolve() / CHECKPOINTS
    left = Path(killed_in).resolve() / CHECKPOINTS if killed_in and owns(Path(killed_in), key) else None
    if left != mine:
        shutil.rmtree(mine, ignore_errors=True)
        if left is not None and left.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.move(left, mine)
            log.info("going on from the checkpoints in %s", left)
    for name in OUTPUTS:
        (folder / name).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "run.json", {"key": key, "state": "running"})


def copy_results(tracker: Tracker, run: Run, folder: Path, key: str) -> None:
    """Bring the results (not the checkpoints) of a finished run into a directory."""
    if read_json(folder / "run.json") == {"key": key, "run_id": run.info.run_id, "state": "finished"}:
        return
    start_folder(folder, key)
    source = Path(run.data.tags.get("ser.run_dir", ""))
    # Where the run's own directory was deleted, the beginnings made just now are all there is of it.
    if owns(source, key) and source.resolve() != folder.resolve():
        for name in OUTPUTS:
            if (source / name).is_file():
                shutil.copy2(source / name, folder / name)
        return
    client = tracker.connect()
    for item in client.list_artifacts(run.info.run_id):
        if item.path in OUTPUTS:
            client.download_artifacts(run.info.run_id, item.path, str(folder))


def write_results(
    folder: Path,
    config: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    records: Mapping[str, Any],
    metrics: Mapping[str, float],
) -> dict[str, float | None]:
    """Write everything but ``run.json``.

    Args:
        folder: the run's directory.
        config: the resolved configuration.
        tables: file name (``.parquet`` or ``.csv``) → table.
        records: file name (``.json``) → content.
        metrics: scores; NaN becomes null.

    Returns:
        The metrics as written.
    """
    OmegaConf.save(OmegaConf.create(dict(config)), folder / "config.yaml")
    for name, table in tables.items():
        if name.endswith(".parquet"):
            table.to_parquet(folder / name, index=False)
        else:
            table.to_csv(folder / name, index=table.index.name is not None)
    for name, content in records.items():
        write_json(folder / name, content)
    known = {name: None if math.isnan(value) else value for name, value in metrics.items()}
    write_json(folder / "metrics.json", known)
    return known


def owns(folder: Path, key: str) -> bool:
    """Whether a directory holds (at least the beginnings of) the run with this key."""
    return read_json(folder / "run.json").get("key") == key


def finish_folder(folder: Path, key: str, run_id: str) -> None:
    """Mark the directory as holding the results of a finished run."""
    write_json(folder / "run.json", {"key": key, "run_id": run_id, "state": "finished"})


def read_json(path: Path) -> Any:
    """Content of a JSON file; an empty mapping where there is none."""
    return json.loads(path.read_text()) if path.is_file() else {}


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file that appears whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    temporary.replace(path)


def list_notes(notes: Sequence[str]) -> list[str]:
    """Notes without repetition, in order."""
    return list(dict.fromkeys(notes))
