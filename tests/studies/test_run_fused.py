"""Runs that hear and read: every rule of fusion, frozen and trained; what they keep, what a modality alone is."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ser.chosen import Choices
from ser.config import compose
from ser.errors import InputError
from ser.explain import check_choices
from ser.finished import FinishedRun
from ser.gather import gather_clips
from ser.head.fused_trunk import FusedTrunk

WORDS = {"anger": "go away now", "neutral": "the train leaves", "sadness": "she is gone"}
QUICK = ["split=fixed", "split.test_speakers=['s05']", "trainer.max_epochs=2", "trainer.batch_size=16"]
FROZEN = [
    "backbone=fusion",
    "backbone@backbone.audio=sequences",
    "backbone.audio.parts=[mfcc]",
    "backbone.audio.mfcc=4",
    "backbone.audio.mels=8",
    "backbone.audio.fft=512",
]
TRAINED = [
    "backbone=fusion",
    "backbone@backbone.audio=tiny_wav2vec2",
    "finetune@backbone.finetune.audio=full",
    "backbone@backbone.text=tiny_text",
]
LOGREG = ["head=logreg", "head.tune=false"]


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """GloVe's format: every word of the texts."""
    path = tmp_path_factory.mktemp("vectors") / "tiny.txt"
    draw = np.random.default_rng(0)
    known = sorted({word for text in WORDS.values() for word in text.split()})
    path.write_text("".join(f"{word} {' '.join(f'{x:.4f}' for x in draw.normal(size=5))}\n" for word in known))
    return f"backbone.text.source={path}"


@pytest.fixture
def write_texts(tones, tmp_path):
    """Transcripts of the clips: every emotion says what the next one does, or what a function says."""

    def write(say=None, name="texts.csv"):
        clips = pd.read_csv(tones.table)
        table = pd.DataFrame({"clip": clips["path"].str.removesuffix(".wav")})
        draw = np.random.default_rng(0)
        texts = [list(WORDS.values())[draw.integers(3)] for _ in range(len(clips))]
        table["text"] = [say(*each) for each in zip(clips["speaker"], clips["emotion"], strict=True)] if say else texts
        table.to_csv(tmp_path / name, index=False)
        return f"dataset.texts={tmp_path / name}"

    return write


def read(folder, name="metrics.json"):
    return json.loads((folder / name).read_text())


def ask_again(folder, keys):
    """A finished run, a model of it, sound and text of the tested clips, and what was written of these."""
    finished = FinishedRun.open(str(folder), compose(keys))
    model = finished.load_model(next(iter(finished.folds)))
    prepare = finished.corpus.preparation.prepare
    pairs = [(prepare(row["path"], model.rate).waveform, row["text"]) for row in finished.tested.to_dict("records")]
    written = finished.tested[[f"p_{emotion}" for emotion in model.emotions]].to_numpy()
    return finished, model, pairs, written


@pytest.mark.parametrize(
    "choices",
    [
        ["fusion=concat", "fusion.dropout.text=0.2", "fusion.hidden.audio=[6]", "head=mlp"],
        ["fusion=gated", "fusion.units=4", "pooling=gru", "head=kumar_dense", "head.hidden=[4]"],
        ["fusion=cross_attention", "fusion.size=4", "fusion.heads=2", "fusion.dropout.audio=0.2", "head=linear"],
        ["fusion=late", "fusion.weight=validation", "pooling@backbone.pooling.text=lstm", "head=linear"],
        LOGREG,
    ],
    ids=["concat", "gated", "cross_attention", "late", "logreg"],
)
def test_a_finished_run_on_frozen_branches_says_the_same_again(choices, tones, write_texts, vectors, train):
    keys = [*tones.overrides, write_texts(), *FROZEN, vectors, *QUICK, *choices]
    outcome, folder = train(*keys)
    assert outcome.state == "finished" and 0 <= read(folder)["test/uar"] <= 1 and read(folder)["text/oov"] == 0
    finished, model, pairs, written = ask_again(folder, keys)
    assert isinstance(finished.trunk, FusedTrunk) and not finished.trunk.trains
    np.testing.assert_allclose(model.predict(pairs).probabilities, written, atol=1e-5)
    part = gather_clips(finished.config, finished.choices, finished.corpus, finished.tested)
    logits = model.fused.fuse(*model.fused.encode_part(part))
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(exponentials / exponentials.sum(1, keepdims=True), written, atol=1e-5)
    for clips, given in (([pairs[0][0]], "sound"), ([pairs[0][1]], "transcripts"), ([pairs[0][::-1]], "something")):
        with pytest.raises(InputError, match=f"reads sound and transcript, and was given {given}"):
            model.predict(clips)
    assert {"source", "hash", "audio", "text"} <= set(read(folder, "backbone.json"))
    again, _ = train(*keys, name="again")
    assert (again.state, again.key) == ("skipped", outcome.key)


@pytest.mark.parametrize("rule", ["cross_attention", "late"])
def test_branches_are_trained_together_and_kept(rule, tones, write_texts, train):
    keys = [*tones.overrides, write_texts(), *TRAINED, f"fusion={rule}", *QUICK, "trainer.max_epochs=1"]
    _, folder = train(*keys)
    finished, model, pairs, written = ask_again(folder, keys)
    assert finished.trunk.trains and finished.trunk.trains_on_sound
    np.testing.assert_allclose(model.predict(pairs).probabilities, written, atol=1e-5)
    alone = model.predict(pairs[:1]).probabilities
    np.testing.assert_allclose(alone, written[:1], atol=1e-5)
    shape = read(folder / "checkpoints" / "fold-0", "model.json")
    assert shape["vocabulary"] == sorted({word for text in WORDS.values() for word in text.split()})
    counts = read(folder)
    assert counts["parameters/total"] > counts["parameters/trainable"] > 20_000  # all but wav2vec2's front end


def test_one_branch_is_trained_above_what_is_stored_of_the_other(tones, write_texts, train):
    texts = write_texts(lambda speaker, emotion: WORDS[emotion])
    keys = [*tones.overrides, texts, *FROZEN, "backbone@backbone.text=words", *QUICK, "head=mlp", "optimizer.lr=0.02"]
    _, folder = train(*keys, "trainer.max_epochs=12")
    assert read(folder)["test/uar"] == 1.0
    _, model, pairs, written = ask_again(folder, keys)
    np.testing.assert_allclose(model.predict(pairs).probabilities, written, atol=1e-5)


def test_a_modality_alone_is_the_run_of_its_backbone(tones, write_texts, vectors, train):
    keys = [*tones.overrides, *FROZEN, vectors, *QUICK, "head=linear"]
    texts = write_texts(lambda speaker, emotion: WORDS[emotion])
    _, audio = train(*keys, "fusion.modalities=audio", name="audio")  # and no transcript is missed
    _, text = train(*keys, texts, "fusion.modalities=text", name="text")
    _, both = train(*keys, texts, name="both")
    own = ["backbone=sequences", *(key.replace("backbone.audio.", "backbone.") for key in FROZEN[2:])]
    _, plain = train(*tones.overrides, *own, *QUICK, "head=linear", name="plain")
    counts = [int(read(folder)["parameters/total"]) for folder in (audio, text, both)]
    assert counts == [4 * 3 + 3, 5 * 3 + 3, 9 * 3 + 3]
    columns = ["p_anger", "p_neutral", "p_sadness"]
    one, two = (pd.read_parquet(folder / "predictions.parquet")[columns] for folder in (audio, plain))
    pd.testing.assert_frame_equal(one, two)
    assert "text/oov" not in read(audio) and "text/oov" in read(both)


def test_missing_texts_are_named_or_masked(tones, write_texts, vectors, train):
    texts = write_texts(lambda speaker, emotion: "" if (speaker, emotion) == ("s01", "anger") else WORDS[emotion])
    keys = [*tones.overrides, *FROZEN, vectors, *QUICK, *LOGREG]
    with pytest.raises(InputError, match=r"(?s)3 of 54 clips have no transcript.*backbone.text.missing=mask"):
        train(*keys, texts)
    with pytest.raises(InputError, match=r"(?s)54 of 54 clips have no transcript"):
        train(*keys)
    assert train(*keys, texts, "backbone.text.missing=mask")[0].state == "finished"


def test_other_texts_or_other_weights_are_another_run(tones, write_texts, vectors, train, tmp_path):
    keys = [*tones.overrides, *FROZEN, *QUICK, *LOGREG]
    first, _ = train(*keys, vectors, write_texts(), name="one")
    source = tmp_path / "elsewhere" / "tiny.txt"
    source.parent.mkdir()
    source.write_text(Path(vectors.partition("=")[2]).read_text())
    again, _ = train(*keys, f"backbone.text.source={source}", write_texts(name="moved.csv"), name="two")
    assert (again.state, again.key) == ("skipped", first.key)
    source.write_text(source.read_text().replace("1", "2"))
    weights, _ = train(*keys, f"backbone.text.source={source}", write_texts(), name="three")
    texts, _ = train(*keys, vectors, write_texts(lambda speaker, emotion: "gone"), name="four")
    assert len({first.key, weights.key, texts.key}) == 3


@pytest.mark.parametrize("branches", [FROZEN, TRAINED], ids=["frozen", "trained"])
def test_augmented_sound_says_the_same(branches, tones, write_texts, vectors, train):
    texts = write_texts(lambda speaker, emotion: WORDS[emotion])
    keys = [*branches, *([vectors] if branches is FROZEN else []), "augmentation=union", "head=linear", *QUICK]
    _, folder = train(*tones.overrides, texts, *keys, "trainer.max_epochs=1")
    assert 0 <= read(folder)["test/uar"] <= 1


def test_what_explains_sound_alone_is_refused(tones, vectors, outputs):
    keys = [*tones.overrides, *FROZEN, vectors, *QUICK, "head=linear"]
    for explainer in ("saliency", "occlusion", "segments", "probing", "linear_shap", "counterfactual"):
        config = compose([*keys, f"explainer={explainer}"])
        with pytest.raises(InputError, match=rf"(?s)explainer={explainer}: .*transcripts as well.*modalities=audio"):
            check_choices(config, Choices.build(config))
    alone = compose([*keys, "explainer=occlusion", "fusion.modalities=audio"])
    check_choices(alone, Choices.build(alone))


def test_modalities_are_swept(ser, tones, write_texts, vectors, outputs):
    keys = [*tones.overrides, write_texts(), *FROZEN, vectors, *QUICK, *LOGREG, "report=false", "statistics=none"]
    said = ser("train", "-m", *keys, "fusion.modalities=audio,text,both")
    assert said.code == 0, said.err
    rows = [line.split() for line in said.out.splitlines()]
    assert [row[0] for row in rows if row[-1] == "finished"] == ["audio", "text", "both"]
