"""Trials run as runs do, and are never taken for results."""

import json

import pandas as pd
import pytest
from study_tools import TINY_CNN


@pytest.fixture
def quick(tones):
    return [*tones.overrides, *TINY_CNN, "head=linear", "split=kfold", "split.folds=3"]


def test_a_trial_is_another_run_with_a_tag_and_a_note(ser, train, runs, tones):
    keys = [*tones.overrides, "backbone=noise", "head=ridge", "head.tune=false"]
    whole, _ = train(*keys)
    said = ser("train", *keys, "debug=fast", "debug.speakers=4")
    assert said.code == 0, said.err
    assert "its scores mean nothing" in said.err
    trial = next(run for run in runs() if run.info.run_id != whole.run_id)
    assert trial.data.tags["ser.debug"] == trial.data.params["debug"] == "fast"
    assert trial.data.tags["ser.key"] != whole.key and trial.info.run_name.endswith("(debug=fast)")
    experiments = {run.info.experiment_id for run in runs()}
    assert len(experiments) == 2, "trials are apart from results"
    notes = json.loads((said.folder / "notes.json").read_text())
    assert any(note.startswith("debug=fast: a trial on 12 of 54 clips") for note in notes)
    split = pd.read_csv(said.folder / "split.csv", dtype=str)
    assert len(set(split["fold"])) == 1 and len(set(split["clip"])) == 12
    again, _ = train(*keys, name="again")
    assert again.state == "skipped" and again.run_id == whole.run_id


def test_a_trial_of_everything_is_still_none_of_the_results(train, tones):
    """The same clips, folds and model as the whole run."""
    keys = [*tones.overrides, "backbone=noise", "head=ridge", "head.tune=false", "split=holdout", "split.fold=0"]
    whole, _ = train(*keys)
    trial, _ = train(*keys, "debug=fast", "debug.clips=null", "debug.speakers=null", name="trial")
    assert trial.state == "finished" and trial.key != whole.key
    assert trial.metrics["test/uar"] == whole.metrics["test/uar"]


def test_overfit_stops_where_the_loss_is_small(train, quick, caplog):
    _, folder = train(*quick, "debug=overfit", "trainer.overfit=0.5", "optimizer.lr=0.03")
    history = pd.read_csv(folder / "history.csv")
    loss = history[history["metric"] == "train/loss"]["value"]
    assert loss.iloc[-1] <= 0.5 < loss.iloc[:-1].min() and len(loss) < 300
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert not any("training loss" in message for message in warned)


def test_overfit_warns_where_it_stays(train, quick, caplog):
    train(*quick, "debug=overfit", "trainer.max_epochs=2", "optimizer.lr=1e-6")
    assert "and no further in 2 epochs" in caplog.text and "optimizer.lr" in caplog.text


def test_profile_leaves_lightnings_table(train, quick):
    _, folder = train(*quick, "debug=profile", "trainer.max_epochs=1")
    (profile,) = folder.rglob("fit-profile.txt")
    assert "optimizer_step" in profile.read_text() and profile.parent.name == "fold-0"


def test_an_unknown_profiler_is_refused(ser, quick, runs):
    said = ser("train", *quick, "debug=profile", "trainer.profiler=deep")
    assert said.code == 2 and "simple, advanced" in said.err and runs() == []
