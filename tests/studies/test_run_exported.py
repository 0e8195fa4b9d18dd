"""Exports: what is in the folder, what the card says, the same numbers as a graph; the model in MLflow."""

import importlib
import json
import shutil

import mlflow
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from omegaconf import OmegaConf
from study_tools import TINY_CNN

import ser as package
from ser.config import compose
from ser.deployment.command import find_command
from ser.errors import InputError
from ser.export import export
from ser.prediction.opened import OpenedRun
from ser.prediction.options import read_options

TWO_FOLDS = ["split=kfold", "split.folds=2", "trainer.max_epochs=1"]
ESTIMATOR = ["backbone=noise", "backbone.dim=4", "head=logreg", "head.tune=false"]


def write(run, out, *more):
    return export(read_options("export", [f"run={run}", f"out={out}", *more]))


@pytest.fixture
def run(tones, train):
    return train(*tones.overrides, *TWO_FOLDS, *TINY_CNN, "head=linear", "dataset.merge={sadness: neutral}")[1]


def test_the_folder_holds_no_code_no_paths_and_what_the_card_says(tones, run, ser, outputs):
    said = ser("export", f"run={run}", f"out={outputs / 'export'}")
    folder = outputs / "export"
    assert said.code == 0 and said.folder == folder and "next: ser predict" in said.out
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    kept = ("done.json", "model.json", "model.safetensors")
    folds = {f"checkpoints/fold-{fold}/{name}" for fold in (0, 1) for name in kept}
    assert names == {"MODEL_CARD.md", "config.yaml", "export.json", "run.json", *folds}
    assert str(tones.folder) not in (folder / "config.yaml").read_text() + (folder / "export.json").read_text()
    card = (folder / "MODEL_CARD.md").read_text()
    metrics = json.loads((run / "metrics.json").read_text())
    low, high = (metrics[f"test/uar_ci_{end}"] for end in ("low", "high"))
    assert f"| UAR | {metrics['test/uar']:.3f} | {low:.3f} to {high:.3f} |" in card
    told = ["anger, neutral", "54 (", "not known to ser", "| test | 27 |", "calibrated=true", "mean cannot be scored"]
    assert [words for words in [*told, "ser train ", "dataset.merge"] if words not in card] == []
    again = ser("export", f"run={run}", f"out={folder}")
    assert again.code == 0  # an export is written anew
    (outputs / "full").mkdir()
    (outputs / "full" / "thesis.txt").write_text("precious")
    refused = ser("export", f"run={run}", f"out={outputs / 'full'}")
    assert refused.code == 2 and "there is something else" in refused.err
    assert (outputs / "full" / "thesis.txt").is_file()


def test_one_fold_alone(run, outputs):
    folder = write(run, outputs / "export", "fold=1").folder
    assert len(package.load(folder).models) == 1
    with pytest.raises(InputError, match="fold=9"):
        write(run, outputs / "other", "fold=9")


def test_the_command_of_a_card_makes_the_run_again(run):
    config = OmegaConf.load(run / "config.yaml")
    command = find_command(config)
    overrides = [word.strip("'") for word in command.split(" ")[2:] if "=" in word and "…" not in word]
    assert "split.folds=2" in overrides and "trainer.max_epochs=1" in overrides and "backbone.width=2" in overrides
    made = compose([*overrides, "dataset.merge={sadness: neutral}"][: len(overrides) + 1])
    assert made.backbone.width == 2 and made.split.folds == 2 and dict(made.dataset.merge) == {"sadness": "neutral"}


GRAPHS = {
    "folds of a CNN on spectrograms": [*TWO_FOLDS, *TINY_CNN, "head=linear"],
    "a mix of layers of one frozen network": [*TWO_FOLDS, "backbone=tiny_whisper", "head=linear", "backbone.layer=mix"],
    "convolutions over time": ["trainer.max_epochs=1", "backbone=tiny_byol", "head=linear"],
    "groups normalised over time": ["trainer.max_epochs=1", "backbone=tiny_wav2vec2", "finetune=full", "head=linear"],
}


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_graph_of_torch_says_the_same_at_any_length(kind, tones, train, outputs):
    _, folder = train(*tones.overrides, *GRAPHS[kind])
    made = write(folder, outputs / "export", "export.format=torch")
    assert made.graphs["torch"] < 1e-5
    graph = torch.export.load(outputs / "export" / "model.pt2").module()
    model = package.load(outputs / "export")
    for path in sorted((tones.folder / "wav").glob("s00*.wav"))[:3]:
        sound, _ = soundfile.read(path, dtype="float32")
        found = graph(torch.from_numpy(sound)[None])[0].numpy()
        np.testing.assert_allclose(found, list(model(path).probabilities.values()), atol=1e-5)
    assert "model.pt2" in (outputs / "export" / "MODEL_CARD.md").read_text()


def test_onnx_says_the_same_or_names_the_package(run, outputs):
    lacking = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
    if lacking:
        with pytest.raises(InputError, match=rf"(?s){lacking[0]}.*pip install 'ser\[onnx\]'"):
            write(run, outputs / "export", "export.format=[onnx]")
        assert not (outputs / "export").exists()
        return
    assert write(run, outputs / "export", "export.format=[onnx]").graphs["onnx"] < 1e-4


def test_what_is_no_network_has_no_graph(tones, train, run, outputs):
    _, folder = train(*tones.overrides, *TWO_FOLDS, *ESTIMATOR, name="other")
    with pytest.raises(InputError, match="not one network from waveform to output"):
        write(folder, outputs / "export", "export.format=torch")
    with pytest.raises(InputError, match=r"tflite\?"):
        write(run, outputs / "export", "export.format=[tflite]")


def test_the_model_of_a_run_is_one_of_mlflow(tones, train, outputs, monkeypatch):
    keys = [*tones.overrides, *TWO_FOLDS, *TINY_CNN, "head=linear", "tracking.log_model=auto"]
    outcome, folder = train(*keys)
    uri = f"sqlite:///{outputs / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        model = mlflow.pyfunc.load_model(f"runs:/{outcome.run_id}/model")
    finally:
        mlflow.set_tracking_uri(before)
    assert model.metadata.metadata["rate"] == 16000 and model.metadata.run_id == outcome.run_id
    assert model.metadata.signature.inputs.input_names() == ["audio"]
    paths = sorted((tones.folder / "wav").glob("s00*.wav"))
    waves = [soundfile.read(path)[0].tolist() for path in paths]
    found = model.predict(pd.DataFrame({"audio": waves}))
    expected = package.load(folder).predict(paths)
    assert list(found) == ["predicted", "p_anger", "p_neutral", "p_sadness"]
    np.testing.assert_allclose(found.filter(like="p_"), expected.filter(like="p_"), atol=1e-6)
    assert len(model.predict(model.input_example)) == 1
    with pytest.raises(mlflow.exceptions.MlflowException, match="audio of row 1: silent"):
        model.predict(pd.DataFrame({"audio": [waves[0], [0.0] * 8000]}))


def test_models_that_read_have_texts_for_input(spoken_texts, tones, train, outputs):
    from ser.deployment.folder import write_folder
    from ser.deployment.logged import write_model

    keys = [*tones.overrides, f"dataset.texts={spoken_texts}", *TWO_FOLDS, "backbone=words", "head=linear"]
    _, folder = train(*keys)
    opened = OpenedRun.open(folder)
    write_folder(opened, list(opened.folds), outputs / "export")
    model = mlflow.pyfunc.load_model(str(write_model(outputs / "export", outputs / "model")))
    found = model.predict(pd.DataFrame({"text": ["go away now", "unheard words"]}))
    expected = package.load(folder).predict(["a", "b"], ["go away now", "unheard words"])
    np.testing.assert_allclose(found.filter(like="p_"), expected.filter(like="p_"), atol=1e-6)


@pytest.fixture
def spoken_texts(tones, tmp_path):
    clips = pd.read_csv(tones.table)
    texts = clips["emotion"].map({"anger": "go away now", "neutral": "the train leaves", "sadness": "she is gone"})
    table = pd.DataFrame({"clip": clips["path"].str.removesuffix(".wav"), "text": texts})
    table.to_csv(tmp_path / "texts.csv", index=False)
    return tmp_path / "texts.csv"


def test_a_model_that_cannot_be_logged_costs_the_run_nothing(tones, train, outputs, caplog, monkeypatch):
    def fail(*_):
        raise InputError("no space")

    monkeypatch.setattr("ser.deployment.logged.write_folder", fail)
    outcome, folder = train(*tones.overrides, *TWO_FOLDS, *ESTIMATOR, "tracking.log_model=true")
    assert outcome.state == "finished" and (folder / "metrics.json").is_file()
    assert "was not logged in MLflow" in caplog.text and "no space" in caplog.text


def test_pretrained_weights_come_along_or_stay_where_they_are(tones, train, outputs, tmp_path):
    from ser.deployment.folder import write_folder

    source = make_checkpoint(tmp_path / "checkpoint")
    keys = ["backbone=tiny_wavlm", "head=linear", f"backbone.source={source}", "backbone.config={}"]
    _, folder = train(*tones.overrides, *TWO_FOLDS, *keys)
    opened = OpenedRun.open(folder)
    write_folder(opened, list(opened.folds), outputs / "light", parameters=10)
    write_folder(opened, list(opened.folds), outputs / "whole")
    assert not (outputs / "light" / "backbone").exists()
    path = tones.folder / "wav" / "s00-anger-0.wav"
    expected = package.load(folder)(path).probabilities
    assert package.load(outputs / "light")(path).probabilities == pytest.approx(expected, abs=1e-6)
    shutil.move(source, tmp_path / "elsewhere")
    assert package.load(outputs / "whole")(path).probabilities == pytest.approx(expected, abs=1e-6)
    with pytest.raises(InputError, match="no such folder"):
        package.load(outputs / "light")
    make_checkpoint(source, seed=1)
    for place in (folder, outputs / "light"):
        with pytest.raises(InputError, match="other weights than the run had"):
            package.load(place)


def make_checkpoint(folder, seed=0):
    """A tiny WavLM as transformers keeps it."""
    from ser.language.folder import save_encoder

    config = compose(["backbone=tiny_wavlm", f"backbone.seed={seed}"])
    from hydra.utils import instantiate

    save_encoder(instantiate(config.backbone).build(), {}, folder)
    return folder


def test_no_other_value_says_whether_models_are_logged():
    from ser.tracking.tracker import Tracker

    uri = "sqlite:///x.db"
    asked = [(value, parent) for value in ("auto", True, False) for parent in ("", "sweep")]
    logged = [Tracker(uri, log_model=value).logs_model(parent) for value, parent in asked]
    assert logged == [True, False, True, True, False, False]
    with pytest.raises(InputError, match=r"tracking\.log_model=maybe"):
        Tracker(uri, log_model="maybe")
