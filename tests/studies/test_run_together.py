"""Trainings in two processes (``trainer.devices=2``), typed as a user would."""

import json

import numpy as np
import pandas as pd
import torch
from study_tools import TINY_CNN

TWO = ["trainer.devices=2", "trainer.strategy=ddp", "trainer.accelerator=cpu"]


def test_a_sweep_of_trainings_in_two_processes(start_ser, tones, outputs, runs):
    sweep = outputs / "sweep"
    keys = [*tones.overrides, *TINY_CNN, "class_weight=none", "trainer.max_epochs=2", "trainer.batch_size=12"]
    said = start_ser("train", "-m", *keys, *TWO, "seed=1,2", "report=false", f"hydra.sweep.dir={sweep}").said()
    assert said.code == 0, said.err
    # One directory, one MLflow run, one set of results for each job, and nothing beside them.
    assert sorted(path.name for path in sweep.iterdir() if path.is_dir() and path.name != "statistics") == ["0", "1"]
    assert not [path for path in outputs.iterdir() if path.name in ("runs", "sweeps", "multirun")]
    assert len(runs()) == 2 and all(run.data.tags["ser.state"] == "finished" for run in runs())
    assert len(runs("sweep")) == 1
    jobs = json.loads((sweep / "sweep.json").read_text())["jobs"]
    assert [job["state"] for job in jobs] == ["finished", "finished"]
    models = []
    for number in ("0", "1"):
        folder = sweep / number
        history = pd.read_csv(folder / "history.csv")
        assert not history.duplicated(["fold", "epoch", "metric"]).any() and history["epoch"].max() == 1
        raw = pd.read_csv(folder / "checkpoints" / "fold-0" / "history.csv")
        assert len(raw) == len(history), "each epoch was told once"
        predictions = pd.read_parquet(folder / "predictions.parquet")
        assert predictions["clip"].is_unique and len(predictions) == 9
        assert np.isfinite(predictions.filter(like="p_")).all(axis=None)
        models.append(torch.load(folder / "checkpoints" / "fold-0" / "model.pt", weights_only=True))
    assert any(not torch.equal(value, models[1][name]) for name, value in models[0].items()), "seeds differ"
    assert "padding is" in (sweep / "0" / "run.log").read_text()


def test_a_killed_training_goes_on_with_other_devices(start_ser, kill_when, ser, tones, outputs, runs):
    folder = outputs / "run"
    keys = [*tones.overrides, "backbone=noise", "backbone.dim=8", "head=mlp", "trainer.batch_size=12"]
    keys += ["trainer.max_epochs=40", "trainer.early_stopping=null", f"hydra.run.dir={folder}"]
    process = start_ser("train", *keys, *TWO)
    history = folder / "checkpoints" / "fold-0" / "history.csv"
    kill_when(process, lambda: history.is_file() and history.read_text().count("train/loss") >= 3)
    said = ser("train", *keys)
    assert said.code == 0, said.err
    assert pd.read_csv(folder / "history.csv")["epoch"].tolist().count(39) == 2  # train/loss and train/lr
    (run,) = runs()
    assert run.data.tags["ser.state"] == "finished"
