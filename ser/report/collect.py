"""From the files of a sweep, or of a single run, to a ``Sweep`` of ``Run``s. Nothing is computed here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ser.dataset.described import Described, read_described
from ser.errors import InputError
from ser.judge import HEADLINES, find_headline
from ser.report.divisions import Division, read_division
from ser.report.explanations import FOLDER, Explanation, read_explanation
from ser.report.naming import label_jobs, name_choice

DONE = ("finished", "skipped")
CLIP_COLUMNS = ("evaluation", "dataset", "clip", "speaker", "gender", "fold")
PREDICTION_COLUMNS = (*CLIP_COLUMNS, "true", "predicted")
HISTORY_COLUMNS = ("fold", "epoch", "metric", "value")


@dataclass(frozen=True)
class Run:
    """One job of a sweep and what it left on disk; the files of a job that did not finish are not read.

    ``configuration`` names what varied without the repeats (seeds and folds), ``repeat`` names the repeats alone.
    ``predictions`` holds test clips only; ``true_<dimension>`` and ``pred_<dimension>`` take the place of its last two
    columns where numbers are predicted. ``weights`` are those of a pretrained backbone. ``problems`` lists files that
    should be there and could not be read.
    """

    job: int
    configuration: str
    repeat: str
    overrides: Mapping[str, str]
    state: str
    reason: str = ""
    folder: Path | None = None
    run_id: str = ""
    key: str = ""
    seconds: float = float("nan")
    config: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    predictions: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(PREDICTION_COLUMNS)))
    history: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(HISTORY_COLUMNS)))
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    dataset: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Any] = field(default_factory=dict)
    division: Division | None = None
    explanation: Explanation | None = None
    problems: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether the run has results, from this sweep or an earlier one."""
        return self.state in DONE

    @property
    def headline(self) -> str:
        """The score that the run is named by: ``uar``, ``ccc``, or "" where it has none."""
        return find_headline(self.metrics)

    @property
    def score(self) -> float:
        """The score that the run is named by, NaN where it has none."""
        return self.metric(f"test/{self.headline}")

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The numbers that the run predicts; none where it names emotions."""
        return tuple(str(name)[5:] for name in self.predictions if str(name).startswith("pred_"))

    @property
    def corpora(self) -> list[Described]:
        """The corpora that it read."""
        return read_described(self.dataset)

    @property
    def trained(self) -> tuple[str, ...]:
        """The corpora in ``data.train``; none where the run is on one dataset."""
        return tuple((self.config.get("data") or {}).get("train") or ())

    @property
    def tested(self) -> tuple[str, ...]:
        """The corpora in ``data.test``; none where the run is on one dataset."""
        return tuple((self.config.get("data") or {}).get("test") or ())

    def name_set(self, corpus: str) -> str:
        """The evaluation set of a test corpus, as metrics and predictions name it; "" if it was not tested."""
        if not corpus or self.tested == (corpus,):
            return "test"
        return f"test/{corpus}" if corpus in self.tested else ""

    def metric(self, name: str) -> float:
        """The metric, NaN where the run does not have it."""
        return self.metrics.get(name, float("nan"))

    def predict(self, corpus: str = "") -> pd.DataFrame:
        """The predictions for a test corpus, or for all."""
        return self.predictions[self.predictions["evaluation"] == self.name_set(corpus)] if corpus else self.predictions


@dataclass(frozen=True)
class Sweep:
    """A sweep folder as read. ``info`` is ``sweep.json`` without its jobs, empty for a single run."""

    folder: Path
    info: Mapping[str, Any]
    varied: tuple[str, ...]
    runs: tuple[Run, ...]

    @property
    def done(self) -> tuple[Run, ...]:
        """The runs that have results."""
        return tuple(run for run in self.runs if run.done)

    @property
    def single(self) -> bool:
        """Whether the folder is that of one run."""
        return not self.info

    @property
    def stage(self) -> str:
        """The stage that was swept."""
        return str(self.info.get("stage") or "train")

    @property
    def headline(self) -> str:
        """The score that names the first run with one; that of all runs, in a part."""
        return next((run.headline for run in self.done if run.headline), "uar")

    @property
    def parts(self) -> tuple[Sweep, ...]:
        """The runs that are scored alike, a sweep each: those that name emotions, those that predict numbers.

        Runs without a score stay with those of their configuration, else of their target, else with the first part.
        """
        scored = [run for run in self.done if run.headline]
        targets = {run.overrides.get("dataset.target"): run.headline for run in scored}
        configurations = {run.configuration: run.headline for run in scored}
        grouped: dict[str, list[Run]] = {}
        for run in self.runs:
            kind = targets.get(run.overrides.get("dataset.target"), self.headline)
            grouped.setdefault(configurations.get(run.configuration, kind), []).append(run)
        return tuple(replace(self, runs=tuple(grouped[kind])) for kind in HEADLINES if kind in grouped)


def read_sweep(folder: Path) -> Sweep:
    """Read a sweep folder, or a run folder as a sweep of one job.

    Raises:
        InputError: the folder is neither, or its ``sweep.json`` cannot be read.
    """
    folder = Path(folder)
    if (folder / "sweep.json").is_file():
        info = _read_sweep_file(folder / "sweep.json")
    elif (folder / "metrics.json").is_file():
        info = {"jobs": [_describe_single(folder)]}
    else:
        raise InputError(
            f"{folder}: no sweep and no run to report on",
            expected="a folder with sweep.json (a sweep) or metrics.json (a finished run)",
            remedy="pass the folder that `ser train` printed last",
        )
    jobs = info.pop("jobs")
    varied = tuple(str(factor) for factor in info.get("varied") or ())
    divisions: dict[str, Division] = {}
    files = [_read_run_files(folder, job, divisions) for job in jobs]
    unvaried = _name_unvaried([file.get("config") or {} for file in files]) or str(
        info.get("experiment") or folder.name
    )
    names = label_jobs([_read_overrides(job) for job in jobs], varied, unvaried)
    runs = [
        Run(configuration=configuration, repeat=repeat, **_read_job(job), **file)
        for job, file, (configuration, repeat) in zip(jobs, files, names, strict=True)
    ]
    return Sweep(folder, info, varied, tuple(runs))


def _read_sweep_file(path: Path) -> dict[str, Any]:
    problems: list[str] = []
    info = _read_json(path, problems)
    if problems or not isinstance(info, dict) or not isinstance(info.get("jobs"), list):
        raise InputError(
            f"{path}: {(problems or ['no list of jobs in it'])[0]}",
            expected='a JSON object with a list "jobs"',
            remedy="start the sweep again: it skips what has finished and writes the file anew",
        )
    return info


def _read_job(job: Mapping[str, Any]) -> dict[str, Any]:
    seconds = job.get("seconds")
    return {
        "job": int(job.get("job") or 0),
        "overrides": _read_overrides(job),
        "state": str(job.get("state") or "unknown"),
        "reason": str(job.get("reason") or "").strip(),
        "run_id": str(job.get("run_id") or ""),
        "key": str(job.get("key") or ""),
        "seconds": float("nan") if seconds is None else float(seconds),
    }


def _read_overrides(job: Mapping[str, Any]) -> dict[str, str]:
    return {str(factor): str(value) for factor, value in (job.get("overrides") or {}).items()}


def _name_unvaried(configs: Sequence[Mapping[str, Any]]) -> str:
    config = next((config for config in configs if config), {})
    names = [name_choice(config, group) for group in ("backbone", "head")]
    return " · ".join(name for name in names if name)


def _read_run_files(sweep: Path, job: Mapping[str, Any], divisions: dict[str, Division]) -> dict[str, Any]:
    if not job.get("run_dir"):
        return {}
    folder = sweep / str(job["run_dir"])
    if job.get("state") not in DONE:
        return {"folder": folder if folder.is_dir() else None}
    problems: list[str] = []
    metrics = _read_json(folder / "metrics.json", problems) or {}
    return {
        "folder": folder if folder.is_dir() else None,
        "metrics": {name: _read_number(value) for name, value in metrics.items()},
        "predictions": _read_predictions(folder / "predictions.parquet", problems),
        "config": _read_yaml(folder / "config.yaml", problems) or {},
        "history": _read_history(folder / "history.csv", problems),
        "environment": _read_json(folder / "environment.json", problems) or {},
        "notes": tuple(str(note) for note in _read_json(folder / "notes.json", problems, optional=True) or ()),
        "dataset": _read_json(folder / "dataset.json", problems, optional=True) or {},
        "weights": _read_json(folder / "backbone.json", problems, optional=True) or {},
        "division": read_division(folder / "split.csv", divisions, problems),
        "explanation": read_explanation(folder / FOLDER),
        "problems": tuple(problems),
    }


def _read_number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _describe_single(folder: Path) -> dict[str, Any]:
    """A lone run as the job of a sweep would describe itself."""
    identity = _read_json(folder / "run.json", [], optional=True) or {}
    seconds = (_read_json(folder / "metrics.json", []) or {}).get("seconds")
    known = {"run_id": identity.get("run_id"), "key": identity.get("key"), "seconds": seconds}
    return {"job": 0, "overrides": {}, "state": "finished", "run_dir": ".", **known}


def _read_json(path: Path, problems: list[str], *, optional: bool = False) -> Any:
    if optional and not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problems.append(_describe_problem(path, error))
        return None


def _read_yaml(path: Path, problems: list[str]) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        problems.append(_describe_problem(path, error))
        return None


def _read_predictions(path: Path, problems: list[str]) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
        test = frame["evaluation"].astype(str).str.split("/").str[0] == "test"
    except (OSError, ValueError, KeyError) as error:
        problems.append(_describe_problem(path, error))
        return pd.DataFrame(columns=list(PREDICTION_COLUMNS))
    numbers = [] if "true" in frame else [str(name)[5:] for name in frame if str(name).startswith("pred_")]
    answers = [f"{side}_{name}" for side in ("true", "pred") for name in numbers] or ["true", "predicted"]
    return frame.loc[test].reindex(columns=[*CLIP_COLUMNS, *answers]).dropna(subset=answers)


def _read_history(path: Path, problems: list[str]) -> pd.DataFrame:
    empty = pd.DataFrame(columns=list(HISTORY_COLUMNS))
    if not path.is_file() or not path.stat().st_size:
        return empty
    try:
        return pd.read_csv(path).reindex(columns=list(HISTORY_COLUMNS))
    except (OSError, ValueError) as error:
        problems.append(_describe_problem(path, error))
        return empty


def _describe_problem(path: Path, error: Exception) -> str:
    return f"{path.name} is missing" if not path.exists() else f"{path.name} cannot be read: {error}"
