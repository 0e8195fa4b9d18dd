"""A finished run taken up again says of a clip what it said when it was tested, from the sound alone."""

import numpy as np
import pytest
import torch
from study_tools import TINY_CNN

from ser.config import compose
from ser.explainer.subject import make_subject
from ser.finished import FinishedRun

MODELS = {
    "trained on spectrograms": [*TINY_CNN, "head=mlp", "head.hidden=[4]"],
    "trained on waveforms": ["backbone=tiny_wav2vec2", "finetune=full", "head=linear", "pooling=mean_std"],
    "stored vectors": ["backbone=tiny_byol", "head=linear", "pooling=mean_plus_max"],
    "a mix of stored layers": ["backbone=tiny_whisper", "head=linear", "backbone.layer=mix"],
    "stored frames": ["backbone=tiny_wavlm", "head=linear", "pooling=attention", "backbone.layer=1"],
    "stored frames of all layers": ["backbone=tiny_hubert", "head=linear", "pooling=attention", "backbone.layer=mix"],
    "an estimator on vectors": ["backbone=tiny_cvt", "head=logreg", "head.tune=false", "pooling=mean_std"],
    "functionals": ["backbone=egemaps", "head=svm", "head.tune=false"],
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_says_from_sound_what_it_said_when_tested(kind, write_corpus, outputs):
    from ser.train import train

    corpus = write_corpus(outputs / "corpus", speakers=4, takes=2)
    config = compose([*corpus.overrides, *MODELS[kind], "split=kfold", "split.folds=2", "trainer.max_epochs=1"])
    outcome = train(config, outputs / "run")
    finished = FinishedRun.open(str(outputs / "run"), compose([], "explain"))
    assert finished.origin.run_id == outcome.run_id
    assert set(finished.folds) == set(finished.tested["fold"]) and len(finished.folds) == 2
    for fold, rows in finished.tested.groupby("fold"):
        model = finished.load_model(fold)
        waves = [finished.corpus.preparation.read(path, model.rate) for path in rows["path"]]
        said = rows[[f"p_{emotion}" for emotion in model.emotions]].to_numpy()
        np.testing.assert_allclose(model.predict(waves).probabilities, said, atol=2e-5)
        subject = make_subject(model)
        for wave, one in zip(waves[:2], said, strict=False):
            logits = subject.score(subject.encode(torch.from_numpy(wave)[None]))
            np.testing.assert_allclose(logits.softmax(-1)[0].numpy(), one, atol=2e-5)


def test_a_run_of_an_earlier_version_is_taken_up_with_what_was_added_since(write_corpus, outputs):
    from omegaconf import OmegaConf

    from ser.errors import InputError
    from ser.train import train

    corpus = write_corpus(outputs / "corpus", speakers=4, takes=1)
    train(compose([*corpus.overrides, "head=dummy", "backbone=noise", "metrics.by=[]"]), outputs / "run")
    path = outputs / "run" / "config.yaml"
    whole = OmegaConf.load(path)
    older = whole.copy()
    for name in ("language", "augmentation"):
        older.pop(name)
    for name, key in (("data", "shuffle_labels"), ("dataset", "variant"), ("dataset", "texts")):
        older[name].pop(key)
    OmegaConf.save(older, path)
    finished = FinishedRun.open(str(outputs / "run"), compose([], "explain"))
    assert finished.config.dataset == whole.dataset and finished.config.metrics.by == []
    assert finished.config.data.shuffle_labels is None and len(finished.tested)
    assert type(finished.choices.language).__name__ == "NoLanguage" and finished.choices.augmentation is None
    finished.load_model(next(iter(finished.folds)))
    older.pop("pooling")
    OmegaConf.save(older, path)
    with pytest.raises(InputError, match="its configuration has no pooling"):
        FinishedRun.open(str(outputs / "run"), compose([], "explain"))
