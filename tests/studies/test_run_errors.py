"""A user's mistake: one screen with the remedy, exit code 2, before any long work, nothing in MLflow but what is."""

import pandas as pd
import pytest

QUICK = ["backbone=egemaps", "head=svm", "head.tune=false"]


@pytest.fixture
def refuse(ser, runs, outputs):
    """Run a command that must be refused; returns what it said."""

    def check(*arguments, code=2):
        said = ser("train", *arguments)
        assert said.code == code
        assert said.err.strip() and len(said.err.splitlines()) <= 60, said.err
        assert "Traceback" not in said.err + said.out
        assert "extracting features" not in said.err and not list(outputs.rglob("*.npy"))
        assert runs() == [] and runs("sweep") == []
        return said.err

    return check


def test_an_unknown_choice_of_a_group(refuse, tones):
    said = refuse(*tones.overrides, "backbone=egemap")
    assert "egemap" in said and "egemaps" in said and "mel_cnn" in said, "the choices there are"


@pytest.mark.parametrize(
    ("override", "named"),
    [("head.tun=false", "tun"), ("sed=1", "sed"), ("dataset.rot=x", "rot"), ("trainer.max_epoch=3", "max_epoch")],
)
def test_a_misspelt_key(override, named, refuse, tones):
    said = refuse(*tones.overrides, *QUICK, override)
    assert named in said and "remedy" in said


def test_an_override_that_cannot_be_read(refuse, tones):
    said = refuse(*tones.overrides, *QUICK, "dataset.emotions=[anger")
    assert "dataset.emotions" in said or "anger" in said


def test_a_missing_root(refuse, tmp_path):
    said = refuse("dataset=emodb", f"dataset.root={tmp_path / 'nowhere'}", *QUICK)
    assert f"{tmp_path / 'nowhere'}: no such folder" in said and "dataset.root=" in said and "SER_DATA" in said


def test_a_root_without_audio(refuse, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme.txt").write_text("no audio")
    assert "readme.txt" in refuse("dataset=emodb", f"dataset.root={tmp_path / 'empty'}", *QUICK)


@pytest.mark.parametrize("swept", [[], ["-m", "seed=1,2"]], ids=["one run", "sweep"])
@pytest.mark.parametrize("uri", ["sqlite:////proc/no/mlflow.db", "http://127.0.0.1:9", "plain/folder", "nonsense://x"])
def test_an_unreadable_tracking_uri(uri, swept, refuse, tones):
    said = refuse(*swept, *tones.overrides, *QUICK, f"tracking.uri={uri}")
    assert uri in said and "tracking.uri=" in said and "remedy" in said


def test_a_file_that_is_no_database(refuse, tones, tmp_path):
    (tmp_path / "notes.txt").write_text("this is not a database, only a text that is long enough\n" * 50)
    said = refuse(*tones.overrides, *QUICK, f"tracking.uri=sqlite:///{tmp_path / 'notes.txt'}")
    assert "notes.txt" in said and "remedy" in said


def test_one_emotion_only(refuse, tones):
    said = refuse(*tones.overrides, *QUICK, "dataset.emotions=[anger]")
    assert "one emotion only: anger" in said and "dataset.emotions" in said


def test_one_speaker_only(refuse, write_corpus, tmp_path):
    corpus = write_corpus(tmp_path / "one", speakers=1)
    for split in ("holdout", "kfold", "loso"):
        said = refuse(*corpus.overrides, *QUICK, f"split={split}")
        assert "one speaker" in said and "s00" in said and "remedy" in said


def test_an_empty_manifest(refuse, tones, tmp_path):
    path = tmp_path / "empty.csv"
    pd.read_csv(tones.table).head(0).to_csv(path, index=False)
    assert "empty" in refuse("dataset=csv", f"dataset.path={path}", *QUICK)
    path.write_text("")
    assert "empty.csv" in refuse("dataset=csv", f"dataset.path={path}", *QUICK)


def test_an_unknown_emotion(refuse, tones):
    said = refuse(*tones.overrides, *QUICK, "dataset.emotions=[anger,sadnes]")
    assert "'sadnes'" in said and "did you mean 'sadness'?" in said


def test_a_table_that_is_not_named(refuse):
    said = refuse("dataset=csv", *QUICK)
    assert "dataset.path" in said and "remedy" in said


def test_a_split_that_leaks(refuse, tones, tmp_path):
    frame = pd.read_csv(tones.table)
    clips = frame["path"].str.removesuffix(".wav")
    path = tmp_path / "folds.csv"
    pd.DataFrame({"clip": clips, "fold": [index % 2 for index in range(len(clips))]}).to_csv(path, index=False)
    said = refuse(*tones.overrides, *QUICK, "split=file", f"split.path={path}")
    assert "s00" in said and "train" in said and "test" in said and "split.allow_overlap=true" in said
    said = refuse(
        *tones.overrides, *QUICK, "split=fixed", "split.train_speakers=[s01,s02]", "split.test_speakers=[s02]"
    )
    assert "s02" in said


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["backbone=mel_cnn", "head=svm"], "head=linear"),
        (["backbone=noise", "head=knn", "class_weight=balanced"], "class_weight=none"),
        (["backbone=noise", "head=dummy", "class_weight=heavy"], "none or balanced"),
        (["backbone=noise", "head=dummy", "on_bad_audio=ignore"], "fail or skip"),
        (["backbone=noise", "head=dummy", "metrics.by=[mood]"], "mood"),
        (["backbone=noise", "head=dummy", "split=official", "dataset.columns.split=none"], "no such column"),
        (["backbone=noise", "head=linear", "trainer.max_epochs=0"], "max_epochs"),
        (["backbone=noise", "head=svm", "head.grid.D=[1]"], "head.grid"),
    ],
)
def test_choices_that_do_not_go_together(overrides, named, refuse, tones):
    assert named in refuse(*tones.overrides, *overrides)


def test_the_real_command_ends_with_2_and_no_traceback(start_ser, tones, outputs, runs):
    said = start_ser("train", *tones.overrides, *QUICK, "head.tun=false").said()
    assert (said.code == 2 and "head.tun" in said.err + said.out) or "tun" in said.err
    assert "Traceback" not in said.err and len(said.err.splitlines()) <= 40
    assert runs() == []
