"""A run that finished is not repeated, one that failed is, one that was killed goes on where it stopped."""

import json
import shutil
import time

import numpy as np
import pandas as pd
import pytest
from study_tools import TINY_CNN

QUICK = ["backbone=noise", "backbone.dim=8", "head=logreg", "head.tune=false"]


def read(path):
    return json.loads(path.read_text()) if path.is_file() else {}


def drop_time(scores):
    return {name: value for name, value in scores.items() if name != "seconds"}


@pytest.mark.parametrize("deleted", [False, True], ids=["folder there", "folder deleted"])
def test_a_second_call_is_skipped_with_the_same_results(deleted, train, tones, runs):
    first, folder = train(*tones.overrides, *QUICK, name="first")
    names = {path.name for path in folder.iterdir() if path.is_file()}
    kept = {name: (folder / name).read_bytes() for name in names}
    if deleted:
        shutil.rmtree(folder)
    second, copy = train(*tones.overrides, *QUICK, name="second")
    assert (first.state, second.state) == ("finished", "skipped")
    assert (second.run_id, second.key, second.metrics) == (first.run_id, first.key, first.metrics)
    assert {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()} == kept
    assert len(runs()) == 1


def test_what_cannot_change_a_result_does_not_repeat_it(train, tones, tmp_path):
    first, _ = train(*tones.overrides, *QUICK, name="first")
    moved = tmp_path / "moved"
    shutil.copytree(tones.folder, moved)
    keys = ["dataset=csv", f"dataset.path={moved / 'clips.csv'}", *QUICK]
    same, _ = train(*keys, "optimizer=sgd", "trainer.max_epochs=3", "metrics.by=[session]", name="second")
    assert same.state == "skipped" and same.run_id == first.run_id


@pytest.mark.parametrize(
    "change", ["seed=2", "head.estimator.C=2", "split.seed=5", "on_bad_audio=skip", "class_weight=balanced"]
)
def test_what_can_change_a_result_does(change, train, tones, runs):
    first, _ = train(*tones.overrides, *QUICK, name="first")
    second, _ = train(*tones.overrides, *QUICK, change, name="second")
    assert second.state == "finished" and second.key != first.key and len(runs()) == 2


def test_other_sound_under_the_same_name_is_another_run(train, write_corpus, tmp_path, runs):
    corpus = write_corpus(tmp_path / "c", speakers=4)
    first, folder = train(*corpus.overrides, *QUICK)
    clips = sorted((corpus.folder / "wav").iterdir())
    shutil.copy(clips[0], clips[1])
    second, again = train(*corpus.overrides, *QUICK)
    assert folder == again and second.state == "finished" and second.key != first.key
    assert set(pd.read_parquet(folder / "predictions.parquet")["key"]) == {second.key}
    assert len(runs()) == 2


def test_without_resume_it_runs_again(train, tones, runs):
    first, folder = train(*tones.overrides, *QUICK)
    model = folder / "checkpoints" / "fold-0" / "done.json"
    before = model.stat().st_mtime_ns
    second, _ = train(*tones.overrides, *QUICK, "resume=false")
    assert second.state == "finished" and second.run_id != first.run_id and second.key == first.key
    assert drop_time(second.metrics) == drop_time(first.metrics)
    assert model.stat().st_mtime_ns > before, "fitted again, not read back"
    assert len(runs()) == 2
    assert train(*tones.overrides, *QUICK, name="third")[0].state == "skipped"


def test_a_failed_run_is_repeated(train, tones, runs, monkeypatch):
    from sklearn.linear_model import LogisticRegression

    with monkeypatch.context() as patch:
        patch.setattr(LogisticRegression, "fit", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(*tones.overrides, *QUICK)
    (failed,) = runs()
    assert failed.data.tags["ser.state"] == "failed" and failed.info.status == "FAILED"
    outcome, folder = train(*tones.overrides, *QUICK)
    assert outcome.state == "finished" and outcome.key == failed.data.tags["ser.key"]
    states = sorted(run.data.tags["ser.state"] for run in runs())
    assert states.count("finished") == 1 and set(states) <= {"failed", "finished"}
    assert read(folder / "run.json") == {"key": outcome.key, "run_id": outcome.run_id, "state": "finished"}
    assert train(*tones.overrides, *QUICK, name="third")[0].run_id == outcome.run_id


MLP = ["backbone=noise", "backbone.dim=8", "head=mlp", "trainer.batch_size=12"]
LONG = {
    "mlp": [*MLP, "trainer.max_epochs=30", "trainer.early_stopping.patience=100"],
    "without validation": [*MLP, "trainer.max_epochs=30", "trainer.early_stopping=null"],
    "mel_cnn": [
        *[*TINY_CNN, "head=linear", "trainer.max_epochs=20", "trainer.early_stopping.patience=100"],
        *["optimizer=adam", "scheduler=cosine"],
    ],
}


@pytest.mark.parametrize(
    ("kind", "elsewhere"), [("mlp", True), ("without validation", False), ("mel_cnn", False)], ids=list(LONG)
)
def test_a_killed_training_goes_on_and_ends_as_if_nothing_had_been(
    kind, elsewhere, ser, start_ser, kill_when, train, tones, outputs, runs
):
    import torch

    keys = [*tones.overrides, *LONG[kind], "split=kfold", "split.folds=2"]
    killed, folder = outputs / "killed", outputs / ("other" if elsewhere else "killed")
    process = start_ser("train", *keys, f"hydra.run.dir={killed}")
    done = [killed / "checkpoints" / f"fold-{fold}" / "done.json" for fold in (0, 1)]
    history = done[1].with_name("history.csv")

    def in_the_middle():
        return done[0].is_file() and history.is_file() and history.read_text().count("train/loss") >= 5

    kill_when(process, in_the_middle)
    assert not done[1].exists() and done[1].with_name("last.ckpt").is_file()
    (left,) = runs()
    assert left.data.tags["ser.state"] == "running"
    written = done[0].stat().st_mtime_ns, done[0].with_name("model.pt").stat().st_mtime_ns
    epochs = history.read_text().count("train/loss")
    time.sleep(0.02)

    said = ser("train", *keys, f"hydra.run.dir={folder}")
    assert said.code == 0, said.err
    first = folder / "checkpoints" / "fold-0"
    assert (first.joinpath("done.json").stat().st_mtime_ns, first.joinpath("model.pt").stat().st_mtime_ns) == written
    raw = pd.read_csv(folder / "checkpoints" / "fold-1" / "history.csv")
    repeated = int(raw.duplicated(["epoch", "metric"]).sum() / raw["metric"].nunique())
    assert repeated <= 1, f"of {epochs} epochs at most the one that was not yet saved is trained again"
    whole = pd.read_csv(folder / "history.csv")
    number = int(next(key for key in keys if "max_epochs" in key).partition("=")[2])
    for _, rows in whole.groupby(["fold", "metric"]):
        assert rows["epoch"].tolist() == list(range(number))

    (run,) = runs()
    assert run.info.run_id == left.info.run_id and run.data.tags["ser.state"] == "finished"
    assert run.info.status == "FINISHED"

    outcome, whole_folder = train(*keys, "resume=false", name="uninterrupted")
    assert drop_time(read(folder / "metrics.json")) == drop_time(outcome.metrics)
    for fold in (0, 1):
        a, b = (
            torch.load(place / "checkpoints" / f"fold-{fold}" / "model.pt", weights_only=True)
            for place in (folder, whole_folder)
        )
        assert all(torch.equal(a[name], b[name]) for name in a) and a.keys() == b.keys()
    tables = [pd.read_csv(place / "history.csv") for place in (folder, whole_folder)]
    pd.testing.assert_frame_equal(*tables)
    columns = ["clip", "fold", "true", "predicted", "p_anger", "p_neutral", "p_sadness"]
    one, other = (pd.read_parquet(place / "predictions.parquet")[columns] for place in (folder, whole_folder))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


SLOW = """
import sys, time
from sklearn.linear_model import LogisticRegression
fit = LogisticRegression.fit
LogisticRegression.fit = lambda self, *a, **k: (time.sleep(0.3), fit(self, *a, **k))[1]
from ser.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_an_estimator_killed_between_folds_fits_only_the_rest(start_ser, kill_when, ser, train, tones, outputs, runs):
    keys = [*tones.overrides, *QUICK, "split=loso"]
    folder = outputs / "killed"
    process = start_ser("train", *keys, f"hydra.run.dir={folder}", code=SLOW)
    kill_when(process, (folder / "checkpoints" / "fold-1" / "done.json").is_file)
    kept = sorted((folder / "checkpoints").glob("*/done.json"))
    assert 2 <= len(kept) < 6
    before = {path: path.with_name("model.pkl").stat().st_mtime_ns for path in kept}
    assert ser("train", *keys, f"hydra.run.dir={folder}").code == 0
    assert {path: path.with_name("model.pkl").stat().st_mtime_ns for path in kept} == before
    assert len(list((folder / "checkpoints").glob("*/done.json"))) == 6
    (run,) = runs()
    assert run.data.tags["ser.state"] == "finished"
    outcome, _ = train(*keys, "resume=false", name="again")
    assert drop_time(read(folder / "metrics.json")) == drop_time(outcome.metrics)
    assert np.isfinite(outcome.metrics["test/uar_fold_std"])
