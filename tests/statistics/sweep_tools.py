"""Sweep folders with made-up predictions, as `ser train -m` leaves them."""

import json
from itertools import product

import numpy as np
import pandas as pd
import yaml

from ser import metrics
from ser.results import write_json

EMOTIONS = ("anger", "joy", "neutral", "sadness")


def make_predictions(rng, chance, corpora, folds="one", clips=8, emotions=EMOTIONS):
    """Predictions of one run: ``corpora`` maps names to numbers of speakers, ``chance`` is (speaker) -> of being right.

    Folds: ``one`` model tests everybody, ``loso`` one model for each speaker of the only corpus, ``all`` two models
    that both test everybody.
    """
    rows = []
    several = len(corpora) > 1
    for corpus, speakers in corpora.items():
        for speaker, clip in product(range(speakers), range(clips)):
            true = emotions[clip % len(emotions)]
            for fold in {"one": ["0"], "loso": [f"{speaker:02d}"], "all": ["0", "1"]}[folds]:
                right = rng.random() < chance(f"{corpus}/{speaker:02d}")
                predicted = true if right else emotions[(clip + 1) % len(emotions)]
                rows.append(
                    (
                        f"test/{corpus}" if several else "test",
                        corpus,
                        f"{speaker:02d}",
                        f"{speaker:02d}-{clip}",
                        fold,
                        true,
                        predicted,
                    )
                )
    frame = pd.DataFrame(rows, columns=["evaluation", "dataset", "speaker", "clip", "fold", "true", "predicted"])
    gender = np.where(frame["speaker"].astype(int) % 2, "male", "female")
    return frame.assign(run_id="x", key="x", gender=gender, sentence="s", **{f"p_{name}": 0.25 for name in emotions})


def score_predictions(frame):
    """The metrics of a run that statistics read."""
    found = {}
    for label, part in frame.groupby("evaluation"):
        counts = metrics.count_by_speaker(part).sum(0)
        own = {"uar": metrics.uar(counts), "wa": metrics.wa(counts), "f1_macro": metrics.f1_macro(counts)}
        own |= {f"recall/{name}": value for name, value in zip(EMOTIONS, metrics.recalls(counts), strict=True)}
        own |= {"n_clips": part["clip"].nunique(), "n_speakers": part["speaker"].nunique(), "uar_ci_low": None}
        found |= {f"{label}/{name}": value if value is None else float(value) for name, value in own.items()}
    return found


def write_run(folder, number, values, predictions, corpora, more=(), config=None):
    """The files of a finished job; returns its record."""
    folder.mkdir(parents=True)
    names = list(corpora)
    config = {
        "dataset": {"name": names[0]},
        "data": {"train": None, "test": names if len(names) > 1 else None},
        "choices": {"dataset": names[0], "head": values.get("head", "mlp")},
        "seed": int(values.get("seed", 1)),
        **(config or {}),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    write_json(folder / "metrics.json", score_predictions(predictions) | dict(more))
    predictions.to_parquet(folder / "predictions.parquet", index=False)
    return {
        "job": number,
        "overrides": values,
        "state": "finished",
        "reason": None,
        "run_dir": folder.name,
        "run_id": f"run{number}",
        "key": f"key{number}",
    }


def write_sweep(
    folder,
    grid,
    corpora=None,
    folds="one",
    effect=None,
    spread=(0.0, 0.0),
    failed=(),
    unseen=(),
    seed=0,
    clips=8,
    deterministic=(),
    **record,
):
    """A sweep over a grid (parameter -> values) with planted effects.

    ``effect`` is (values, speaker) -> added to .6, ``spread`` the SD of runs and of speaker x head, ``failed`` and
    ``unseen`` are numbers of jobs without results and without any file, ``deterministic`` heads ignore the seed.
    """
    rng = np.random.default_rng(seed)
    corpora = corpora or {"emodb": 6}
    folder.mkdir(parents=True)
    reacting = {}
    jobs = []
    for number, combination in enumerate(product(*grid.values())):
        values = dict(zip(grid, map(str, combination), strict=True))
        own = np.random.default_rng(7) if values.get("head") in deterministic else rng
        level = 0.6 + (0 if values.get("head") in deterministic else rng.normal(0, spread[0]))

        def chance(speaker, values=values, level=level):
            key = (speaker, values.get("head"))
            if key not in reacting:
                reacting[key] = rng.normal(0, spread[1])
            return level + reacting[key] + (effect(values, speaker) if effect else 0)

        if number in unseen:
            continue
        if number in failed:
            jobs.append(
                {
                    "job": number,
                    "overrides": values,
                    "state": "failed",
                    "reason": "boom",
                    "run_dir": str(number),
                    "run_id": "",
                    "key": "",
                }
            )
            continue
        predictions = make_predictions(own, chance, corpora, folds, clips)
        jobs.append(write_run(folder / str(number), number, values, predictions, corpora))
    arguments = [f"{name}={','.join(map(str, values))}" for name, values in grid.items()]
    varied = [name for name, values in grid.items() if len(values) > 1]
    write_json(
        folder / "sweep.json", {"arguments": arguments, "varied": varied, "search": None, "jobs": jobs, **record}
    )
    return folder


def read_record(folder):
    return json.loads((folder / "sweep.json").read_text())
