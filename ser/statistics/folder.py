"""The jobs of a sweep as its folder has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ser.errors import InputError
from ser.results import read_json
from ser.statistics.sources import DONE, PREDICTIONS, SWEEP, Job, Source, flatten_config, keep_numbers, tidy_value


def read_folder(folder: Path) -> Source:
    """The jobs of a sweep's folder, those included that left nothing because the sweep was killed before them.

    Raises:
        InputError: it is not the folder of a sweep.
    """
    from ser.sweep import gather_jobs

    folder = Path(folder)
    if not (folder / SWEEP).is_file():
        raise InputError(
            f"{folder}: no sweep in it",
            expected=f"a folder with {SWEEP}",
            remedy="pass the folder that `ser train -m` printed last, a parent run, an experiment, or table=<file>",
        )
    record = read_json(folder / SWEEP)
    varied = tuple(record.get("varied") or ())
    jobs = [_read_job(folder, job) for job in record.get("jobs") or gather_jobs(folder)]
    searched = bool(record.get("search"))
    if not searched:
        jobs += find_missing(jobs, expand_grid(record.get("arguments") or (), varied), varied)
    return Source(str(folder), tuple(jobs), varied, searched)


def expand_grid(arguments: Sequence[str], varied: Sequence[str]) -> dict[str, list[str]]:
    """The values that a sweep's command gives each parameter that varies; empty where it does not tell all."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from ser.config import name_override
    from ser.sweep import split_overrides

    items = [item for item in arguments if "=" in item and not item.startswith("-")]
    levels = {}
    for override in OverridesParser.create().parse_overrides(items):
        name = name_override(override)
        if name in varied and override.is_sweep_override():
            levels[name] = [split_overrides([f"{name}={value}"])[name] for value in override.sweep_string_iterator()]
    return levels if set(levels) == set(varied) else {}


def find_missing(jobs: Sequence[Job], levels: Mapping[str, Sequence[str]], varied: Sequence[str]) -> list[Job]:
    """Jobs for the combinations of a grid that no job has."""
    if not levels:
        return []
    known = {tuple(job.get(name) for name in varied) for job in jobs}
    combinations = product(*(dict.fromkeys(tidy_value(value) for value in levels[name]) for name in varied))
    left = [values for values in combinations if values not in known]
    first = max((job.number for job in jobs), default=-1) + 1
    return [
        Job(first + place, "missing", "the sweep ended before it", values=dict(zip(varied, values, strict=True)))
        for place, values in enumerate(left)
    ]


def _read_job(sweep: Path, record: Mapping[str, Any]) -> Job:
    folder = sweep / str(record.get("run_dir") or record["job"])
    state, reason = str(record.get("state") or "unknown"), str(record.get("reason") or "").strip()
    metrics = read_json(folder / "metrics.json") if state in DONE else {}
    if state in DONE and not metrics:
        state, reason = "missing", "its metrics.json is gone"
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8")) if state in DONE and path.is_file() else {}
    return Job(
        number=int(record["job"]),
        state=state,
        reason=reason,
        run_id=str(record.get("run_id") or folder.name),
        key=str(record.get("key") or ""),
        values={str(name): tidy_value(value) for name, value in (record.get("overrides") or {}).items()},
        config=flatten_config(config),
        metrics=keep_numbers(metrics),
        load=partial(load_predictions, folder),
    )


def load_predictions(folder: Path) -> pd.DataFrame | None:
    """The test predictions of a run's directory, if it has any."""
    path = folder / PREDICTIONS
    return pd.read_parquet(path) if path.is_file() else None
