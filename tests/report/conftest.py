"""A sweep folder as `ser train -m` leaves it, with real files and made-up predictions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from ser.judge import choose_judge

CLIP_COLUMNS = (
    "run_id",
    "key",
    "evaluation",
    "dataset",
    "clip",
    "speaker",
    "gender",
    "sentence",
    "fold",
)
EMOTIONS = ("anger", "happiness", "neutral", "sadness")


def make_predictions(
    seed: int, accuracy: float, emotions: Sequence[str] = EMOTIONS, speakers: int = 6, clips: int = 40
) -> pd.DataFrame:
    """Predictions that are right with a probability and otherwise tend to the next emotion."""
    rng = np.random.default_rng(seed)
    number = speakers * clips
    true = np.arange(number) % len(emotions)
    wrong = (true + rng.choice([1, 1, 2], number)) % len(emotions)
    predicted = np.where(rng.random(number) < accuracy, true, wrong)
    speaker = np.arange(number) // clips
    frame = pd.DataFrame(
        {
            "run_id": f"id{seed}",
            "key": f"key{seed}",
            "evaluation": "test",
            "dataset": "planted",
            "clip": [f"clip{index}" for index in range(number)],
            "speaker": [f"s{index:02d}" for index in speaker],
            "gender": np.where(speaker % 2 == 0, "female", "male"),
            "sentence": "a01",
            "fold": speaker % 3,
            "true": np.array(emotions)[true],
            "predicted": np.array(emotions)[predicted],
        }
    )
    return frame.assign(**{f"p_{emotion}": 1 / len(emotions) for emotion in emotions})


def make_ratings(
    seed: int, noise: float, dimensions: Sequence[str] = ("arousal", "valence"), clips: int = 40
) -> pd.DataFrame:
    """Predicted numbers for the same clips: true values of all seeds alike, and normal errors."""
    frame = make_predictions(seed, 1.0, clips=clips)[list(CLIP_COLUMNS)]
    true, error = (np.random.default_rng(s).normal(size=(len(frame), len(dimensions))) for s in (99, seed))
    sides = {"true": true, "pred": true + noise * error}
    return frame.assign(**{f"{side}_{name}": sides[side][:, i] for side in sides for i, name in enumerate(dimensions)})


def stack_corpora(**corpora: pd.DataFrame) -> pd.DataFrame:
    """Predictions for several test corpora, as one run has them."""
    return pd.concat(
        [part.assign(dataset=name, evaluation=f"test/{name}") for name, part in corpora.items()], ignore_index=True
    )


def make_history(seed: int, epochs: int = 12, score: str = "uar") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for fold in range(3):
        for epoch in range(epochs - fold):
            rows.append((fold, epoch, "train/loss", 1.4 * np.exp(-epoch / 6) + rng.normal(0, 0.05)))
            rows.append((fold, epoch, "val/loss", 1.4 * np.exp(-epoch / 8) + rng.normal(0, 0.05)))
            rows.append((fold, epoch, f"val/{score}", 0.7 - 0.45 * np.exp(-epoch / 4) + rng.normal(0, 0.03)))
    return pd.DataFrame(rows, columns=["fold", "epoch", "metric", "value"])


def write_run(
    folder: Path,
    predictions: pd.DataFrame,
    history: pd.DataFrame | None = None,
    notes: Sequence[str] = (),
    data: dict[str, list[str]] | None = None,
) -> dict[str, float]:
    """Write the files of a finished run; returns its metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    judge = choose_judge(tuple(name[5:] for name in predictions if name.startswith("pred_")), ["gender"])
    metrics = judge.score_sets(dict(list(predictions.groupby("evaluation"))), "test") | {"audio/skipped": 0}
    metrics |= {f"test/{judge.headline}_fold_mean": 0.6, f"test/{judge.headline}_fold_std": 0.04}
    clean = {name: None if np.isnan(value) else value for name, value in metrics.items()}
    (folder / "metrics.json").write_text(json.dumps(clean))
    predictions.to_parquet(folder / "predictions.parquet", index=False)
    if history is None:
        (folder / "history.csv").write_text("")
    else:
        history.to_csv(folder / "history.csv", index=False)
    config = {
        "dataset": {"_target_": "ser.dataset.planted.Planted"},
        "data": data or {"train": None, "test": None},
        "split": {"_target_": "ser.split.KFold", "folds": 3, "seed": 0, "disjoint": []},
        "backbone": {"_target_": "ser.backbone.functionals.Functionals", "feature_set": "eGeMAPSv02"},
        "head": {"_target_": "ser.head.estimators.EstimatorHead", "estimator": {"_target_": "sklearn.svm.SVC"}},
        "choices": {"dataset": "planted", "split": "kfold", "backbone": "egemaps", "head": "svm"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    packages = {"numpy": "2.4.6", "scikit-learn": "1.7.0", "torch": "2.8.0"}
    environment = {
        "ser": "0.1.0",
        "git_revision": "abc1234",
        "python": "3.11.9",
        "platform": "Linux-6.1-x86_64",
        "packages": packages,
        "data_fingerprint": "9f8e7d",
    }
    (folder / "environment.json").write_text(json.dumps(environment))
    (folder / "notes.json").write_text(json.dumps(list(notes)))
    true = predictions["true"] if "true" in predictions else pd.Series(EMOTIONS)
    counts = {str(emotion): int(number) for emotion, number in true.value_counts().sort_index().items()}
    dataset = {"name": "planted", "clips": len(predictions), "speakers": 6, "emotions": counts, "licence": "CC0-1.0"}
    (folder / "dataset.json").write_text(json.dumps(dataset | {"citation": "made by ser"}))
    return metrics


def write_sweep(folder: Path, jobs: Sequence[dict[str, Any]], varied: Sequence[str], **info: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    sweep = {
        "command": "ser train -m dataset=planted backbone=egemaps,mel_cnn head=linear,svm seed=1,2,3 hydra.sweep.dir=x",
        "stage": "train",
        "started": "2025-11-21T10:00:00+00:00",
        "finished": "2025-11-21T10:12:30+00:00",
        "ser_version": "0.1.0",
        "git_revision": "abc1234",
        "experiment": "demo",
        "tracking_uri": "sqlite:///outputs/mlflow.db",
        "parent_run_id": "p0",
        "varied": list(varied),
        "jobs": list(jobs),
    }
    (folder / "sweep.json").write_text(json.dumps(sweep | info))
    return folder


def make_job(job: int, overrides: dict[str, str], state: str = "finished", reason: str | None = None) -> dict[str, Any]:
    found = {"run_dir": str(job), "run_id": f"id{job}", "key": f"key{job}", "seconds": 10.5 + job}
    return {"job": job, "overrides": overrides, "state": state, "reason": reason, **found}


def write_sample(folder: Path, seeds: int = 3) -> Path:
    """Four configurations times three seeds: one job skipped, one failed, one refused."""
    jobs = []
    for backbone, head in (("egemaps", "linear"), ("egemaps", "svm"), ("mel_cnn", "linear"), ("mel_cnn", "svm")):
        for seed in range(1, seeds + 1):
            job = len(jobs)
            overrides = {"backbone": backbone, "head": head, "seed": str(seed)}
            state, reason = "finished", None
            if job == 1:
                state = "skipped"
            elif job == 10:
                state, reason = "failed", "RuntimeError: <out of memory> & gone"
            elif job == 11:
                state, reason = "refused", "LeakError: s01 is in train and test"
            jobs.append(make_job(job, overrides, state, reason))
            if state in ("finished", "skipped"):
                accuracy = {"egemaps": 0.7, "mel_cnn": 0.5}[backbone] + {"linear": 0.0, "svm": 0.06}[head]
                history = make_history(job) if head == "linear" else None
                notes = ["Fold 2 has no clip of boredom."] + (["Only 535 of 800 clips are here."] if job < 2 else [])
                write_run(folder / str(job), make_predictions(job, accuracy), history, notes)
    return write_sweep(folder, jobs, ["backbone", "head", "seed"])


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sweep"))


@pytest.fixture
def build() -> Callable[..., Any]:
    """The writers above, by name, for tests that need another sweep."""
    writers = {
        "run": write_run,
        "sweep": write_sweep,
        "job": make_job,
        "predictions": make_predictions,
        "ratings": make_ratings,
        "corpora": stack_corpora,
        "history": make_history,
    }
    return lambda name, *arguments, **named: writers[name](*arguments, **named)
