"""A finished run that is trained for longer, and what runs keep of their steps."""

import json
import shutil

import pandas as pd
import pytest
import torch
from study_tools import TINY_CNN

MLP = ["backbone=noise", "backbone.dim=8", "head=mlp", "trainer.batch_size=12", "split=kfold", "split.folds=2"]
CNN = [*TINY_CNN, "trainer.batch_size=12", "split=holdout"]
KINDS = {
    "stored features": [*MLP, "optimizer=adam"],
    "without validation": [*MLP, "trainer.early_stopping=null", "optimizer=sgd"],
    "trained backbone": CNN,
    "plateau": [*MLP, "scheduler=reduce_on_plateau", "scheduler.patience=0"],
}


def read(path):
    return json.loads(path.read_text())


def assert_same_models(one, other):
    folds = sorted(path.name for path in (one / "checkpoints").iterdir())
    assert folds == sorted(path.name for path in (other / "checkpoints").iterdir())
    for fold in folds:
        first, second = (
            torch.load(folder / "checkpoints" / fold / "model.pt", weights_only=True) for folder in (one, other)
        )
        assert first.keys() == second.keys()
        for name, weight in first.items():
            torch.testing.assert_close(weight, second[name], atol=0, rtol=0, msg=f"{fold} {name}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["folder", "id", "key"])
def test_two_epochs_and_two_more_are_four(kind, name, ser, train, tones, runs, outputs):
    if name != "folder" and kind != "stored features":
        pytest.skip("one way of naming a run is enough")
    keys = [*tones.overrides, *KINDS[kind]]
    first, folder = train(*keys, "trainer.max_epochs=2", name="first")
    named = {"folder": folder, "id": first.run_id, "key": first.key}[name]
    before = sorted(path for path in folder.rglob("*") if path.is_file())
    said = ser("train", f"run={named}", "trainer.max_epochs=4", f"hydra.run.dir={outputs / 'longer'}")
    assert said.code == 0, said.err
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == before, "the run itself stays as it is"
    whole, at_once = train(*keys, "trainer.max_epochs=4", name="at once")
    assert_same_models(said.folder, at_once)
    tables = [pd.read_csv(each / "history.csv") for each in (said.folder, at_once)]
    pd.testing.assert_frame_equal(*tables)
    scores = [read(each / "metrics.json") for each in (said.folder, at_once)]
    assert {**scores[0], "seconds": 0} == {**scores[1], "seconds": 0}
    longer = read(said.folder / "run.json")
    assert len({longer["key"], first.key, whole.key}) == 3
    (tracked,) = [run for run in runs() if run.info.run_id == longer["run_id"]]
    assert tracked.data.tags["ser.extends"] == first.run_id
    assert tracked.data.params["trainer.max_epochs"] == "4"
    assert (
        ser("train", f"run={named}", "trainer.max_epochs=4").folder.joinpath("run.json").read_text()
        == (said.folder / "run.json").read_text()
    ), "it is not trained again"


def test_an_extension_can_be_extended_and_its_directory_may_be_gone(ser, train, tones, outputs):
    keys = [*tones.overrides, *KINDS["stored features"]]
    first, folder = train(*keys, "trainer.max_epochs=2", name="first")
    shutil.rmtree(folder)  # its artifacts are in MLflow
    second = ser("train", f"run={first.run_id}", "trainer.max_epochs=3", f"hydra.run.dir={outputs / 'second'}")
    assert second.code == 0, second.err
    third = ser("train", f"run={second.folder}", "trainer.max_epochs=5", f"hydra.run.dir={outputs / 'third'}")
    assert third.code == 0, third.err
    assert_same_models(third.folder, train(*keys, "trainer.max_epochs=5", name="at once")[1])


def test_more_patience_extends_a_run_that_had_stopped(ser, train, tones, outputs):
    keys = [*tones.overrides, *MLP, "trainer.max_epochs=40", "optimizer.lr=1e-9"]
    _, folder = train(*keys, "trainer.early_stopping.patience=2", name="first")
    assert pd.read_csv(folder / "history.csv")["epoch"].max() == 2
    said = ser("train", f"run={folder}", "trainer.early_stopping.patience=4", f"hydra.run.dir={outputs / 'longer'}")
    assert said.code == 0, said.err
    _, at_once = train(*keys, "trainer.early_stopping.patience=4", name="at once")
    tables = [pd.read_csv(each / "history.csv") for each in (said.folder, at_once)]
    pd.testing.assert_frame_equal(*tables)
    assert tables[0]["epoch"].max() == 4


@pytest.fixture
def finished(train, tones):
    return train(*tones.overrides, *MLP, "trainer.max_epochs=2", name="first")[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([], r"it had trainer.max_epochs=2"),
        (["trainer.max_epochs=2"], r"it had trainer.max_epochs=2"),
        (["trainer.max_epochs=1"], r"it had trainer.max_epochs=2"),
        (["trainer.max_epochs=4", "head.dropout=0.9"], r"head.dropout: a run that is extended goes on as it began"),
        (["trainer.max_epochs=4", "trainer.batch_size=3"], r"trainer.batch_size: a run that is extended"),
        (["trainer.max_epochs=4", "trainer.early_stopping=null"], r"trainer.early_stopping: a run that is extended"),
        (["trainer.max_epochs=4", "backbone=egemaps"], r"backbone: a run that is extended"),
    ],
)
def test_changes_that_would_make_it_another_run_are_refused(change, message, finished, ser, runs):
    import re

    said = ser("train", f"run={finished}", *change)
    assert said.code == 2 and re.search(message, said.err), said.err
    assert len(runs()) == 1


def test_where_and_how_it_runs_may_change(finished, ser, tones, outputs):
    moved = outputs / "moved"
    shutil.copytree(tones.folder, moved)
    keys = [f"+dataset.path={moved / 'clips.csv'}", "trainer.accelerator=cpu", "metrics.by=[session]", "report=false"]
    said = ser("train", f"run={finished}", "trainer.max_epochs=3", *keys)
    assert said.code == 0, said.err
    assert "test/session/session0/uar" in read(said.folder / "metrics.json")


def test_other_data_than_the_run_had_is_refused(ser, train, write_corpus, tmp_path):
    corpus = write_corpus(tmp_path / "c", speakers=4)
    _, folder = train(*corpus.overrides, *MLP, "trainer.max_epochs=1")
    clips = sorted((corpus.folder / "wav").iterdir())
    shutil.copy(clips[0], clips[1])
    said = ser("train", f"run={folder}", "trainer.max_epochs=2")
    assert said.code == 2 and "no longer what they were" in said.err


def test_a_head_that_is_not_trained_by_epochs_has_nothing_to_go_on_with(ser, train, tones):
    keys = ["backbone=noise", "backbone.dim=8", "head=logreg", "head.tune=false"]
    _, folder = train(*tones.overrides, *keys)
    said = ser("train", f"run={folder}", "trainer.max_epochs=99")
    assert said.code == 2 and "it has no training that could go on" in said.err


def test_a_run_that_is_none_is_refused(ser, finished, tmp_path):
    for name in ("0123456789abcdef", tmp_path):
        said = ser("train", f"run={name}", "trainer.max_epochs=4")
        assert said.code == 2 and f"run={name}: " in said.err and "language" not in said.err
    (finished / "run.json").write_text(json.dumps({**read(finished / "run.json"), "state": "running"}))
    said = ser("train", f"run={finished}", "trainer.max_epochs=4")
    assert said.code == 2 and "it did not finish" in said.err


def test_a_configuration_that_would_run_foreign_code_is_refused(finished, ser, tmp_path):
    path = finished / "config.yaml"
    mark = tmp_path / "mark"
    text = path.read_text().replace("_target_: ser.backbone.noise.Noise", "_target_: ser.launch.os.mkdir")
    path.write_text(text.replace("\n  dim: 8", f"\n  path: {mark}"))
    said = ser("train", f"run={finished}", "trainer.max_epochs=4")
    assert said.code == 2 and "it would run ser.launch.os.mkdir" in said.err
    assert not mark.exists()


def test_an_interrupted_extension_goes_on(finished, start_ser, kill_when, ser, train, tones, outputs):
    folder = outputs / "longer"
    long = ["trainer.max_epochs=60", "trainer.early_stopping.patience=100"]
    keys = [f"run={finished}", *long, f"hydra.run.dir={folder}"]
    process = start_ser("train", *keys)
    history = folder / "checkpoints" / "fold-1" / "history.csv"
    kill_when(process, lambda: history.is_file() and history.read_text().count("train/loss") >= 6)
    said = ser("train", *keys)
    assert said.code == 0, said.err
    assert_same_models(folder, train(*tones.overrides, *MLP, *long, name="at once")[1])


def test_steps_and_sizes_of_a_run_are_kept(train, tones, runs):
    keep = "trainer.keep_checkpoints={every_n_steps:3,max:2}"
    outcome, folder = train(*tones.overrides, *CNN, "trainer.max_epochs=3", keep)
    files = sorted(path.name for path in (folder / "checkpoints" / "fold-0" / "steps").iterdir())
    assert len(files) == 2 and all(name.startswith("step-0000") for name in files)
    fitted = read(folder / "checkpoints" / "fold-0" / "fitted.json")["parameters"]
    assert outcome.metrics["parameters/total"] == outcome.metrics["parameters/trainable"] == fitted["total"] > 1000
    (run,) = runs()
    assert run.data.metrics["parameters/total"] == fitted["total"]
    frozen, _ = train(*tones.overrides, *MLP, "trainer.max_epochs=1", name="frozen")
    assert frozen.metrics["parameters/total"] == frozen.metrics["parameters/trainable"] == 8 * 64 + 64 + 64 * 3 + 3
    none, _ = train(*tones.overrides, "backbone=noise", "head=logreg", "head.tune=false", name="logreg")
    assert "parameters/total" not in none.metrics
