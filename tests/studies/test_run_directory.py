"""What a run leaves: its directory, its MLflow run, and a table from which every number can be computed again."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from sklearn import metrics as reference

FILES = {
    "config.yaml",
    "metrics.json",
    "predictions.parquet",
    "validation.parquet",
    "confusion.csv",
    "speakers.csv",
    "history.csv",
    "split.csv",
    "split_balance.csv",
    "dataset.json",
    "notes.json",
    "environment.json",
    "run.json",
    "run.log",
}
FIRST = ["run_id", "key", "evaluation", "dataset", "clip", "speaker", "gender", "sentence", "fold", "true", "predicted"]
EMOTIONS = ["anger", "neutral", "sadness"]
LINEAR = ["backbone=noise", "head=linear", "trainer.max_epochs=2", "split=kfold", "split.folds=2"]


@pytest.fixture
def run(ser, tones):
    """The directory of a run of the command."""
    said = ser("train", *tones.overrides, *LINEAR, "dataset.name=tones")
    assert said.code == 0, said.err
    return said.folder


def read(path):
    return json.loads(path.read_text())


def test_the_directory_holds_everything(run, tones):
    assert {path.name for path in run.iterdir()} == FILES | {"checkpoints"}
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["fold-0", "fold-1"]
    text = (run / "config.yaml").read_text()
    config = yaml.safe_load(text)
    assert "${" not in text
    assert (
        config["choices"]["head"] == "linear" and config["head"]["seed"] == 1 and config["class_weight"] == "balanced"
    )
    environment = read(run / "environment.json")
    assert environment["packages"]["numpy"] == np.__version__
    assert {"ser", "python", "platform", "git_revision", "data_fingerprint"} <= set(environment)
    dataset = read(run / "dataset.json")
    assert (dataset["name"], dataset["clips"], dataset["speakers"], dataset["skipped"]) == ("tones", 54, 6, 0)
    assert dataset["emotions"] == dict.fromkeys(EMOTIONS, 18)
    assert isinstance(read(run / "notes.json"), list)
    assert "test UAR" in (run / "run.log").read_text()


def test_metrics_have_the_designed_names(run):
    names = set(read(run / "metrics.json"))
    for part in ("test", "val"):
        expected = {"uar", "uar_ci_low", "uar_ci_high", "wa", "f1_macro", *(f"recall/{e}" for e in EMOTIONS)}
        assert {f"{part}/{name}" for name in expected} <= names
    assert {"test/uar_fold_mean", "test/uar_fold_std", "audio/skipped", "test/gender/female/uar"} <= names


def test_metrics_can_be_computed_again_from_the_predictions(run):
    scores = read(run / "metrics.json")
    table = pd.read_parquet(run / "predictions.parquet")
    assert list(table.columns) == [*FIRST, *(f"p_{emotion}" for emotion in EMOTIONS)]
    assert table["clip"].is_unique and len(table) == 54
    assert set(table["evaluation"]) == {"test"} and set(table["dataset"]) == {"tones"}
    assert set(table["key"]) == {read(run / "run.json")["key"]}
    assert set(table["run_id"]) == {read(run / "run.json")["run_id"]}
    probabilities = table[[f"p_{emotion}" for emotion in EMOTIONS]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-9)
    assert (np.array(EMOTIONS)[probabilities.argmax(1)] == table["predicted"]).all()

    true, predicted = table["true"].astype(object), table["predicted"].astype(object)
    assert scores["test/uar"] == pytest.approx(reference.balanced_accuracy_score(true, predicted))
    assert scores["test/wa"] == pytest.approx(reference.accuracy_score(true, predicted))
    assert scores["test/f1_macro"] == pytest.approx(reference.f1_score(true, predicted, average="macro"))
    recall = reference.recall_score(true, predicted, average=None, labels=EMOTIONS)
    assert [scores[f"test/recall/{emotion}"] for emotion in EMOTIONS] == pytest.approx(recall.tolist())
    confusion = pd.read_csv(run / "confusion.csv", index_col=0)
    np.testing.assert_array_equal(confusion, reference.confusion_matrix(true, predicted, labels=EMOTIONS))
    folds = [reference.balanced_accuracy_score(t["true"], t["predicted"]) for _, t in table.groupby("fold")]
    assert scores["test/uar_fold_mean"] == pytest.approx(np.mean(folds))
    assert scores["test/uar_fold_std"] == pytest.approx(np.std(folds, ddof=1))
    women = table[table["gender"] == "female"]
    assert scores["test/gender/female/wa"] == pytest.approx((women["true"] == women["predicted"]).mean())
    assert scores["test/uar_ci_low"] <= scores["test/uar"] <= scores["test/uar_ci_high"]


def test_the_split_is_written_and_can_be_read_back(run, train, tones):
    split = pd.read_csv(run / "split.csv", dtype=str)
    assert list(split.columns) == ["clip", "fold", "part", "speaker", "emotion"]
    for _, fold in split.groupby("fold"):
        speakers = fold.groupby("part")["speaker"].unique()
        assert len(set().union(*map(set, speakers))) == sum(map(len, speakers)) == 6
    table = pd.read_parquet(run / "predictions.parquet")
    tested = split[split["part"] == "test"].set_index("clip")["fold"]
    assert tested.loc[table["clip"]].tolist() == table["fold"].tolist()

    again, folder = train(*tones.overrides, *LINEAR[:3], "split=file", f"split.path={run / 'split.csv'}")
    assert again.state == "finished"
    assert pd.read_csv(folder / "split.csv", dtype=str).equals(split)
    scores = read(run / "metrics.json")
    assert {k: v for k, v in again.metrics.items() if k != "seconds"} == pytest.approx(
        {k: v for k, v in scores.items() if k != "seconds"}, nan_ok=True
    )


def test_mlflow_has_all_of_it(run, runs, outputs):
    (found,) = runs()
    tags, params = found.data.tags, found.data.params
    assert found.info.status == "FINISHED" and tags["ser.state"] == "finished"
    assert tags["ser.key"] == read(run / "run.json")["key"] and len(tags["ser.key"]) == 16
    assert tags["ser.git_revision"] == str(read(run / "environment.json")["git_revision"])
    assert tags["ser.data_fingerprint"] == read(run / "environment.json")["data_fingerprint"]
    chosen = {"dataset": "csv", "backbone": "noise", "head": "linear", "split": "kfold", "optimizer": "adamw"}
    assert {name: params[name] for name in chosen} == chosen
    assert params["split.folds"] == "2" and params["trainer.max_epochs"] == "2" and params["seed"] == "1"
    scores = read(run / "metrics.json")
    known = {name: value for name, value in scores.items() if value is not None}
    assert {name: found.data.metrics[name] for name in known} == pytest.approx(known)

    uri = f"sqlite:///{outputs / 'mlflow.db'}"
    client = MlflowClient(uri, uri)
    assert [m.step for m in client.get_metric_history(found.info.run_id, "fold-1/train/loss")] == [0, 1]

    def list_artifacts(path=None):
        for item in client.list_artifacts(found.info.run_id, path):
            yield from list_artifacts(item.path) if item.is_dir else [item.path]

    here = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert set(list_artifacts()) == here


def test_artifacts_are_the_files_of_a_finished_run(run, runs, outputs, tmp_path):
    (found,) = runs()
    uri = f"sqlite:///{outputs / 'mlflow.db'}"
    target = tmp_path / "down"
    target.mkdir()
    for name in ("metrics.json", "run.json", "predictions.parquet"):
        MlflowClient(uri, uri).download_artifacts(found.info.run_id, name, str(target))
        assert (target / name).read_bytes() == (run / name).read_bytes()
    assert read(target / "run.json")["state"] == "finished"


def test_three_lines_of_python(outputs, tones):
    from ser.config import compose
    from ser.train import Outcome, train

    outcome = train(compose([*tones.overrides, "backbone=noise", "head=dummy"]), outputs / "mine")
    assert isinstance(outcome, Outcome)
    assert outcome.state == "finished" and outcome.metrics["test/uar"] == pytest.approx(1 / 3)
    assert outcome.metrics == read(outputs / "mine" / "metrics.json")


@pytest.mark.parametrize("head", [["head=svm", "head.tune=false"], ["head=linear", "trainer.max_epochs=2"]])
def test_a_fold_that_lacks_a_class(head, write_corpus, tmp_path, train, outputs):
    from hydra.utils import instantiate

    from ser.chosen import build_trunk
    from ser.config import compose

    lone = {"surprise": ["s00"]}
    corpus = write_corpus(tmp_path / "c", speakers=5, emotions=("surprise", *EMOTIONS), takes=2, only=lone)
    overrides = [*corpus.overrides, "backbone=noise", "backbone.dim=6", "split=loso", *head]
    outcome, folder = train(*overrides)
    table = pd.read_parquet(folder / "predictions.parquet")
    without = table["fold"] == "s00"
    assert table.loc[without, "p_surprise"].isna().all()
    assert table.loc[without, [f"p_{e}" for e in EMOTIONS]].notna().all(axis=None)
    np.testing.assert_allclose(table.loc[without, [f"p_{e}" for e in EMOTIONS]].sum(axis=1), 1, atol=1e-9)
    if "head=svm" in head:  # with a validation part, surprise may lie there
        assert table.loc[~without, "p_surprise"].notna().all()
    assert set(table.loc[without, "predicted"]) <= set(EMOTIONS)

    assert outcome.metrics["test/recall/surprise"] == 0
    recalls = [outcome.metrics[f"test/recall/{e}"] for e in (*EMOTIONS, "surprise")]
    assert outcome.metrics["test/uar"] == pytest.approx(np.mean(recalls))
    folds = [reference.balanced_accuracy_score(t["true"], t["predicted"]) for _, t in table.groupby("fold")]
    assert outcome.metrics["test/uar_fold_mean"] == pytest.approx(np.mean(folds))
    notes = read(folder / "notes.json")
    assert any("s00" in note and "surprise" in note and "train" in note for note in notes), notes

    config = compose(overrides)
    head = instantiate(config.head, class_weight=config.class_weight)
    loaded = head.load(folder / "checkpoints" / "fold-0", build_trunk(config))
    assert loaded.emotions == tuple(EMOTIONS)
    assert read(folder / "checkpoints" / "fold-0" / "fitted.json")["emotions"] == EMOTIONS


def test_the_reloaded_model_says_what_the_run_wrote(train, tones, outputs):
    from ser.chosen import Choices
    from ser.config import compose
    from ser.corpus import read_corpora
    from ser.gather import gather_clips

    overrides = [*tones.overrides, "backbone=egemaps", "head=svm", "head.tune=false", "split=kfold", "split.folds=2"]
    outcome, folder = train(*overrides)
    assert outcome.metrics["test/uar"] > 0.9, "three pitches an octave apart"
    config = compose(overrides)
    choices = Choices.build(config)
    corpus = read_corpora(config, choices.preparation, choices.trunk.backbone.rate)
    part = gather_clips(config, choices, corpus, corpus.manifest.frame)
    table = pd.read_parquet(folder / "predictions.parquet").set_index("clip")
    for index, (_, rows) in enumerate(table.groupby("fold")):
        model = choices.head.load(folder / "checkpoints" / f"fold-{index}", choices.trunk)
        tested = part.take(np.flatnonzero(part.frame["clip"].isin(rows.index)))
        said = model.predict(tested)
        rows = rows.loc[tested.frame["clip"]]
        assert said.predicted.tolist() == rows["predicted"].tolist()
        np.testing.assert_array_equal(said.probabilities, rows[[f"p_{e}" for e in said.emotions]])


def damage(corpus):
    """Ruin three clips in three ways; their names."""
    import soundfile

    folder = corpus.folder / "wav"
    names = ["s00-anger-0", "s02-neutral-1", "s03-sadness-2"]
    (folder / f"{names[0]}.wav").write_bytes(b"RIFF, but no more than that")
    soundfile.write(folder / f"{names[1]}.wav", np.zeros(4000), 16000)
    (folder / f"{names[2]}.wav").unlink()
    return names


def test_bad_audio_is_skipped_counted_and_named(write_corpus, tmp_path, train):
    corpus = write_corpus(tmp_path / "c", speakers=4)
    names = damage(corpus)
    outcome, folder = train(*corpus.overrides, "backbone=noise", "head=dummy", "on_bad_audio=skip")
    assert outcome.metrics["audio/skipped"] == 3
    assert read(folder / "dataset.json")["skipped"] == 3 and read(folder / "dataset.json")["clips"] == 33
    notes = "\n".join(read(folder / "notes.json"))
    for name, reason in zip(names, ("cannot be decoded", "silent", "no such file"), strict=True):
        assert any(name in line and reason in line for line in notes.splitlines()), notes
    assert not set(pd.read_csv(folder / "split.csv")["clip"].map(lambda clip: clip.rpartition("/")[2])) & set(names)


def test_bad_audio_fails_with_all_names(write_corpus, tmp_path, ser, runs):
    corpus = write_corpus(tmp_path / "c", speakers=4)
    names = damage(corpus)
    said = ser("train", *corpus.overrides, "backbone=noise", "head=dummy")
    assert said.code == 2
    assert all(name in said.err for name in names) and "on_bad_audio=skip" in said.err
    assert runs() == []


def test_the_scikit_learn_path_imports_no_heavy_library(start_ser, tones):
    code = (
        "import sys; from ser.cli import main; code = main(sys.argv[1:]); "
        "print(sorted({'torch', 'pytorch_lightning', 'lightning', 'matplotlib', 'torchaudio'} & set(sys.modules))); "
        "sys.exit(code)"
    )
    overrides = ["backbone=egemaps", "head=svm", "head.tune=false"]
    said = start_ser("train", *tones.overrides, *overrides, code=code).said()
    assert said.code == 0, said.err
    assert said.out.strip().splitlines()[-1] == "[]"


def test_the_lines_of_python_in_the_readme_run(outputs, tones, monkeypatch, capsys):
    import re
    from pathlib import Path

    (code,) = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[2] / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(outputs)
    small = "".join(f'"{override}", ' for override in tones.overrides)
    exec(code.replace("compose([", f"compose([{small}"), {})
    assert 0 <= float(capsys.readouterr().out.strip().splitlines()[-1]) <= 1
    assert (outputs / "outputs" / "my-run" / "metrics.json").is_file()
