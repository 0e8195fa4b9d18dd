"""Searches: on validation data only, killed and started again, with trials that fail; one parent."""

import json
from collections import Counter

import pytest

SMALL = [
    *["backbone=noise", "backbone.dim=8", "head=mlp"],
    *["trainer.max_epochs=2", "trainer.batch_size=12"],
]
SEARCH = [
    *["hparams_search=optuna", "hparams_search.n_trials=6", "+hparams_search.sampler.n_startup_trials=2"],
    "hparams_search.space.head.dropout={low:0.0,high:0.6}",
    "hparams_search.space.optimizer.lr={low:1e-4,high:0.1,log:true}",
    "hparams_search.space.optimizer=[adamw,sgd]",
]
#: Every fold takes its time, as real ones do.
SLOW = """
import sys, time
import ser.train
run_fold = ser.train.run_fold
ser.train.run_fold = lambda *a: (time.sleep(1.0), run_fold(*a))[1]
from ser.cli import main
sys.exit(main(sys.argv[1:]))
"""


def read(path):
    return json.loads(path.read_text()) if path.is_file() else {}


def test_a_killed_search_goes_on(start_ser, kill_when, ser, runs, tones, outputs):
    folder = outputs / "search"
    command = ["train", "-m", *tones.overrides, *SMALL, *SEARCH, "hparams_search.n_jobs=2", "report=false"]
    here = f"hydra.sweep.dir={folder}"
    # Jobs of other processes are killed with them, wherever they are: one of two has ended, or none.
    process = start_ser(*command, here, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", code=SLOW)
    kill_when(process, lambda: (folder / "1/job.json").is_file() and (folder / "2/run.json").is_file())
    killed = read(folder / "search.json")
    assert [trial["state"] for trial in killed["trials"]] == ["finished", "finished", "running", "running"]
    before = {run.info.run_id: run for run in runs()}
    done = {key for key, run in before.items() if run.data.tags["ser.state"] == "finished"}
    assert {trial["run_id"] for trial in killed["trials"][:2]} <= done and len(done) < 4
    ended = {number: (folder / f"{number}/job.json").stat().st_mtime_ns for number in (0, 1)}

    said = ser(*command, here)
    assert said.code == 0, said.err
    record = read(folder / "search.json")
    trials = record["trials"]
    assert [trial["trial"] for trial in trials] == list(range(6))
    assert {trial["state"] for trial in trials} == {"finished"} and trials[:2] == killed["trials"][:2]
    assert [trial["overrides"] for trial in trials[:4]] == [trial["overrides"] for trial in killed["trials"]]
    assert {number: (folder / f"{number}/job.json").stat().st_mtime_ns for number in (0, 1)} == ended, "not run again"
    after = {run.info.run_id: run for run in runs()}
    assert set(before) <= set(after) and len(after) == 6, "what was killed goes on as the run it was"
    assert all(after[key].info.end_time == before[key].info.end_time for key in done)

    best = max(trials, key=lambda trial: trial["value"])
    assert record["best"] == best and best["value"] == read(folder / best["run_dir"] / "metrics.json")["val/uar"]
    assert f"best by val/uar: trial {best['trial']} with {best['value']:.3f}; test/uar" in said.out
    (parent,) = runs("sweep")
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in after.values()} == {parent.info.run_id}
    assert parent.data.tags["ser.best_run_id"] == best["run_id"]
    assert parent.data.tags["ser.best_overrides"] == " ".join(f"{k}={v}" for k, v in best["overrides"].items())
    assert parent.data.metrics["best/val/uar"] == best["value"] and 0 <= parent.data.metrics["best/test/uar"] <= 1
    names = {run.info.run_name for run in after.values()}
    assert names == {" ".join(f"{k}={v}" for k, v in trial["overrides"].items()) for trial in trials}

    # A search that nothing interrupts proposes the same, so it finds everything done.
    again = ser(*command)
    assert again.code == 0 and again.folder != folder
    assert [t["overrides"] for t in read(again.folder / "search.json")["trials"]] == [t["overrides"] for t in trials]
    assert Counter(job["state"] for job in read(again.folder / "sweep.json")["jobs"]) == {"skipped": 6}
    assert len(runs()) == 6 and len(runs("sweep")) == 1


def test_a_trial_that_fails_does_not_end_the_search(ser, runs, tones, outputs):
    folder = outputs / "search"
    command = [
        *["train", "-m", *tones.overrides, *SMALL, "hparams_search=optuna", f"hydra.sweep.dir={folder}"],
        *["hparams_search.space.optimizer.lr=[0.01,-1.0]", "hparams_search.space.seed={low:1,high:99}"],
    ]
    said = ser(*command, "hparams_search.n_trials=5")
    assert said.code == 1, said.err
    trials = read(folder / "search.json")["trials"]
    states = {trial["overrides"]["optimizer.lr"]: trial["state"] for trial in trials}
    assert states == {"0.01": "finished", "-1.0": "failed"} and len(trials) == 5
    failed = [trial for trial in trials if trial["state"] == "failed"]
    assert all("learning rate" in trial["reason"] and trial["value"] is None for trial in failed)
    assert f"{len(failed)} of 5 jobs did not finish" in said.err and "repeats" not in said.err
    assert "best by val/uar" in said.out and said.out.count("failed: ValueError") == len(failed)
    assert Counter(run.data.tags["ser.state"] for run in runs()) == Counter(trial["state"] for trial in trials)
    page = (folder / "report.html").read_text()
    assert "optimizer.lr" in page

    further = ser(*command, "hparams_search.n_trials=7", "report=false")
    assert further.code == 2 and "another search was begun there" in further.err, "report=false is another command"
    further = ser(*command, "hparams_search.n_trials=7")
    assert further.code == 1 and read(folder / "search.json")["trials"][:5] == trials
    assert len(read(folder / "sweep.json")["jobs"]) == 7 and len(runs()) == 7
    assert len(runs("sweep")) == 1, "a search that goes further keeps its parent"
    assert ser("train", "-m", *tones.overrides, *SMALL, "seed=1,2", f"hydra.sweep.dir={folder}").code == 2


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["head=svm", "head.tune=false"], ["head=svm has no validation part", "head=mlp", "head.tune=true"]),
        (["trainer.early_stopping=null"], ["head=mlp, trainer.early_stopping=null has no validation part"]),
        (["hparams_search.space.head=[mlp,ridge]"], ["head=ridge has no validation part"]),
        (["hparams_search.monitor=test/uar"], ["only validation scores may choose"]),
        (["hparams_search.direction=up"], ["hparams_search.direction=up", "maximize or minimize"]),
        (["hparams_search.n_trials=0"], ["n_trials=0", "positive"]),
        (["hparams_search.space.head.droput=[0.1,0.2]"], ["droput"]),
        (["hparams_search.space.head.dropout={low:1}"], ["hparams_search.space.head.dropout", "low < high"]),
        (["hparams_search.space.split.seed=[1,2]"], ["could not be compared"]),
        (["seed=1,2"], ["seed=1,2", "hparams_search.space.seed=[1,2]"]),
        (["hparams_search.sampler._target_=optuna.samplers.NoSuch"], ["NoSuch"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_search_that_cannot_be_is_refused_before_any_training(keys, words, ser, runs, tones):
    named = {key.partition("=")[0] for key in keys}
    small = [key for key in SMALL if key.partition("=")[0] not in named]
    said = ser(
        *["train", "-m", *tones.overrides, *small, "hparams_search=optuna", "report=false"],
        *["hparams_search.space.optimizer.lr={low:1e-4,high:0.1,log:true}", *keys],
    )
    assert said.code == 2 and "Traceback" not in said.err, said.err
    assert all(word in said.err for word in words), said.err
    assert runs() == [] and runs("sweep") == []


def test_a_search_is_a_sweep(ser, tones, monkeypatch):
    said = ser("train", *tones.overrides, *SMALL, *SEARCH)
    assert said.code == 2 and "ser train -m" in said.err
    space = "hparams_search.space.seed=[1,2]"
    said = ser("train", "-m", *tones.overrides, *SMALL, space)
    assert said.code == 2 and "pass hparams_search=optuna" in said.err
    said = ser("train", "-m", *tones.overrides, *SMALL, "hparams_search=optuna")
    assert said.code == 2 and "nothing to search" in said.err
    monkeypatch.setattr("ser.hparams_search.settings.find_spec", lambda _: None)
    said = ser("train", "-m", *tones.overrides, *SMALL, *SEARCH)
    assert said.code == 2 and "pip install 'ser[optuna]'" in said.err


def test_no_search_leaves_keys_of_runs_alone(train, tones, tmp_path):
    from ser.config import compose

    plain = compose([*tones.overrides, *SMALL])
    assert not plain.get("hparams_search")
    first, _ = train(*tones.overrides, *SMALL, name="first")
    second, _ = train(*tones.overrides, *SMALL, "hparams_search=optuna", name="second")
    assert second.state == "skipped" and second.key == first.key


def test_dimensions_are_searched_on_concordance(ser, runs, outputs, tmp_path, write_corpus):
    import numpy as np
    import pandas as pd

    spoken = write_corpus(tmp_path / "rated")
    table = pd.read_csv(spoken.table)
    table["arousal"] = np.random.default_rng(1).uniform(1, 5, len(table))
    table.to_csv(spoken.table, index=False)
    said = ser(
        *["train", "-m", *spoken.overrides, *SMALL, "dataset.target=[arousal]", "hparams_search=optuna"],
        *["hparams_search.n_trials=2", "hparams_search.space.head.dropout={low:0.0,high:0.6}", "report=false"],
    )
    assert said.code == 0, said.err
    assert read(said.folder / "search.json")["monitor"] == "val/ccc" and "; test/ccc" in said.out
