"""Finished runs judge recordings: as they did when they were tested, wherever these lie, and without the corpus."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from study_tools import TINY_CNN

import ser as package
from ser.errors import InputError
from ser.prediction.options import read_options
from ser.prediction.predictor import Predictor

WORDS = {"anger": "go away now", "neutral": "the train leaves", "sadness": "she is gone"}
TWO_FOLDS = ["split=kfold", "split.folds=2", "trainer.max_epochs=1"]
ESTIMATOR = ["backbone=noise", "backbone.dim=4", "head=logreg", "head.tune=false"]
BOTH = ["backbone=fusion", "backbone@backbone.audio=tiny_byol", "backbone@backbone.text=words"]
KINDS = {
    "an estimator on functionals": ["backbone=egemaps", "head=svm", "head.tune=false"],
    "a network on stored frames": ["backbone=tiny_wavlm", "head=linear", "pooling=attention", "backbone.layer=1"],
    "a fine-tuned network": ["backbone=tiny_whisper", "finetune=full", "head=linear"],
    "adapters": ["backbone=tiny_wav2vec2", "finetune=lora", "head=linear"],
    "a CNN on spectrograms": [*TINY_CNN, "head=mlp", "head.hidden=[4]"],
    "a CNN on clips of one length": [*TINY_CNN, "head=linear", "audio/duration=fixed", "audio.duration.seconds=0.33"],
    "windows of trimmed clips": [
        *("backbone=tiny_byol", "head=logreg", "head.tune=false", "audio/trim=energy", "audio/loudness=lufs"),
        *("audio/duration=chunk", "audio.duration.seconds=0.2", "audio.duration.hop=0.1"),
    ],
    "words": ["backbone=words", "head=linear"],
    "sound and words": [*BOTH, "head=linear"],
}


@pytest.fixture
def spoken(write_corpus, tmp_path):
    """A corpus with transcripts: its overrides and the table of texts."""
    corpus = write_corpus(tmp_path / "corpus", speakers=4, takes=1)
    clips = pd.read_csv(corpus.table)
    texts = pd.DataFrame({"clip": clips["path"].str.removesuffix(".wav"), "text": clips["emotion"].map(WORDS)})
    texts.to_csv(tmp_path / "texts.csv", index=False)
    return corpus, tmp_path / "texts.csv"


def read_said(folder):
    """Predictions of the test part with the path of each clip."""
    table = pd.read_parquet(folder / "predictions.parquet")
    return table, [column for column in table if column.startswith("p_")]


def list_texts(table, texts):
    told = pd.read_csv(texts).set_index("clip")["text"]
    return [told[clip] for clip in table["clip"]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_and_its_export_say_of_test_clips_what_the_run_said(kind, spoken, train, outputs):
    from ser.export import export

    corpus, texts = spoken
    reads = "words" in kind
    _, folder = train(*corpus.overrides, *TWO_FOLDS, *([f"dataset.texts={texts}"] if reads else []), *KINDS[kind])
    table, columns = read_said(folder)
    exported = export(read_options("export", [f"run={folder}", f"out={outputs / 'export'}"])).folder
    moved = outputs / "sound"
    shutil.move(corpus.folder, moved)  # neither needs the corpus where it was
    files = [moved / f"{clip}.wav" for clip in table["clip"]]
    told = list_texts(table, texts) if reads else None
    for place in (folder, exported):
        each = {fold: Predictor.load(place, fold).predict(files, told) for fold in sorted(set(table["fold"]))}
        for fold, found in each.items():
            own = (table["fold"] == fold).to_numpy()
            np.testing.assert_allclose(found.loc[own, columns], table.loc[own, columns], atol=2e-5)
            assert found.loc[own, "predicted"].tolist() == table.loc[own, "predicted"].tolist()
        mean = np.mean([found[columns] for found in each.values()], axis=0)
        model = package.load(place)
        np.testing.assert_allclose(model.predict(files, told)[columns], mean, atol=1e-6)
    one = model(files[0], told[0] if told else None)
    np.testing.assert_allclose(list(one.probabilities.values()), mean[0], atol=2e-5)
    assert one.emotion == max(one.probabilities, key=one.probabilities.get) and one.windows == ()


@pytest.fixture
def run(tones, train):
    """A small run of two folds with validation."""
    return train(*tones.overrides, *TWO_FOLDS, *TINY_CNN, "head=linear")[1]


def test_the_command_writes_what_it_can_and_names_what_it_cannot(tones, run, ser, outputs):
    folder = outputs / "mixed"
    shutil.copytree(tones.folder / "wav", folder)
    (folder / "broken.wav").write_text("no sound")
    soundfile.write(folder / "silent.wav", np.zeros(8000), 16000)
    soundfile.write(folder / "stereo.flac", np.random.default_rng(0).normal(0, 0.1, (22050, 2)), 44100)
    said = ser("predict", f"run={run}", f"audio={folder}", f"out={outputs / 'said.jsonl'}")
    assert said.code == 1 and said.folder == outputs / "said.jsonl"
    assert "could not be used: 2" in said.err and "broken.wav: cannot be decoded" in said.err
    assert "silent.wav: silent" in said.err
    assert "mean of the models of 2 folds" in said.out and "× real time" in said.out and "and 35 more rows" in said.out
    rows = [json.loads(line) for line in (outputs / "said.jsonl").read_text().splitlines()]
    assert len(rows) == len(list(folder.iterdir())) - 2
    row = next(row for row in rows if row["file"].endswith("stereo.flac"))
    assert row["start"] is None and row["predicted"] == max(
        ("anger", "neutral", "sadness"), key=lambda e: row[f"p_{e}"]
    )
    clean = ser("predict", f"run={run}", f"audio={folder}/s00*.wav", "fold=1", "hydra=x")
    assert clean.code == 2 and "no such option" in clean.err
    clean = ser("predict", f"run={run}", f"audio={folder}/s00*.wav", "fold=1")
    table = pd.read_csv(clean.folder)
    assert clean.code == 0 and len(table) == 9 and clean.folder.parent == outputs / "predictions"
    assert "mean of" not in clean.out


def test_long_recordings_are_judged_in_windows(run, outputs, ser):
    draw = np.random.default_rng(0)
    sound = draw.normal(0, 0.1, 16000 * 4)
    sound[16000 * 2 :] = 0
    soundfile.write(outputs / "long.wav", sound, 16000)
    said = ser("predict", f"run={run}", f"audio={outputs / 'long.wav'}", "window=1", "hop=0.5", "format=parquet",
               f"out={outputs / 'said'}")  # fmt: skip
    table = pd.read_parquet(outputs / "said")
    assert said.code == 0 and "3 of 7 windows have no row: nothing to hear in them" in said.out
    assert "(2 s of sound)" in said.out  # of which the windows share half
    assert table["start"].tolist() == [0, 0.5, 1, 1.5] and (table["end"] - table["start"] == 1).all()
    model = package.load(run)
    part = soundfile.read(outputs / "long.wav", dtype="float32")[0][8000:24000]
    alone = model(part)
    np.testing.assert_allclose(table.filter(like="p_").iloc[1], list(alone.probabilities.values()), atol=1e-6)
    longer = model(draw.normal(0, 0.1, 16000 * 31).astype(np.float32))
    assert (longer.windows[0].start, longer.windows[-1].end, len(longer.windows)) == (0, 31, 12)
    means = np.mean([list(each.probabilities.values()) for each in longer.windows], axis=0)
    np.testing.assert_allclose(list(longer.probabilities.values()), means)


def test_calibration_divides_the_logits_of_each_model(tones, run, ser, outputs):
    from ser.export import export
    from ser.prediction.calibrate import fit_temperature, temper

    files = [tones.folder / "wav" / "s00-anger-0.wav"]
    validated = pd.read_parquet(run / "validation.parquet")
    plain = [Predictor.load(run, fold).predict(files).filter(like="p_").to_numpy()[0] for fold in ("0", "1")]
    temperature = fit_temperature(validated).value
    expected = temper(np.array(plain), temperature).mean(axis=0)
    exported = export(read_options("export", [f"run={run}", f"out={outputs / 'export'}"])).folder
    for place in (run, exported):
        found = package.load(place, calibrated=True).predict(files).filter(like="p_").to_numpy()[0]
        np.testing.assert_allclose(found, expected, atol=1e-6)
        one = package.load(place, fold="1", calibrated=True)
        own = fit_temperature(validated[validated["fold"] == list(one_fold(run))[1]]).value
        assert one.temperature.value == pytest.approx(own)
    said = ser("predict", f"run={run}", f"audio={files[0]}", "calibrated=true")
    assert f"temperature {temperature:.2f} fitted on {len(validated)} validation clips" in said.out


def one_fold(run):
    return dict.fromkeys(pd.read_parquet(run / "predictions.parquet")["fold"].sort_values())


def test_runs_are_fused_where_they_predict_the_same(tones, run, train, ser, outputs):
    _, other = train(*tones.overrides, *TWO_FOLDS, *ESTIMATOR, name="other")
    files = sorted((tones.folder / "wav").glob("s01*.wav"))
    each = np.array([package.load(one).predict(files).filter(like="p_").to_numpy() for one in (run, other)])
    logs = np.exp(np.log(each).mean(axis=0))
    for rule, expected in (("log_probabilities", logs / logs.sum(1, keepdims=True)), ("probabilities", each.mean(0))):
        said = ser("predict", f"runs=[{run},{other}]", f"audio={tones.folder}/wav/s01*.wav", f"fuse={rule}")
        np.testing.assert_allclose(pd.read_csv(said.folder).filter(like="p_"), expected, atol=1e-6)
    _, third = train(*tones.overrides, "dataset.emotions=[anger,sadness]", *TWO_FOLDS, *ESTIMATOR, name="third")
    said = ser("predict", f"runs=[{run},{third}]", f"audio={files[0]}")
    assert said.code == 2 and "what they predict differs" in said.err and ": anger, sadness" in said.err
    refused = ser("predict", f"run={other}", f"audio={files[0]}", "calibrated=true")
    assert refused.code == 2 and "no validation predictions" in refused.err


def test_numbers_have_columns_of_their_own(tones, train, ser, outputs):
    rated = pd.read_csv(tones.table)
    rated = rated.assign(arousal=rated["emotion"].map({"anger": 3.0, "neutral": 2.0, "sadness": 1.0}))
    rated["arousal"] += np.arange(len(rated)) % 3 / 10
    rated["path"] = [str(tones.folder / path) for path in rated["path"]]
    rated.to_csv(outputs / "rated.csv", index=False)
    keys = ["dataset=csv", f"dataset.path={outputs / 'rated.csv'}", "dataset.target=[arousal]"]
    _, folder = train(*keys, *TWO_FOLDS, "backbone=noise", "backbone.dim=4", "head=ridge_regression", "head.tune=false")
    said = ser("predict", f"run={folder}", f"audio={tones.folder}/wav")
    table, kept = pd.read_csv(said.folder), pd.read_parquet(folder / "predictions.parquet")
    assert said.code == 0 and list(table) == ["file", "start", "end", "pred_arousal"]
    one = Predictor.load(folder, "0")
    rows = kept[kept["fold"] == kept["fold"].iloc[0]]
    found = one.predict([tones.folder / f"{clip}.wav" for clip in rows["clip"].str.extract(r"(wav/.*)$")[0]])
    np.testing.assert_allclose(found["pred_arousal"], rows["pred_arousal"], atol=1e-5)
    single = one(tones.folder / "wav" / "s00-anger-0.wav")
    assert single.emotion is None and set(single.values) == {"arousal"}
    for key, words in (("calibrated=true", "predicts numbers"), ("explain=true", "predicts numbers")):
        refused = ser("predict", f"run={folder}", f"audio={tones.folder}/wav", "fold=0", key)
        assert refused.code == 2 and (words in refused.err or "no validation" in refused.err), refused


def test_models_that_read_are_told_what_is_said_or_say_so(spoken, train, ser, outputs):
    corpus, texts = spoken
    _, folder = train(*corpus.overrides, *TWO_FOLDS, f"dataset.texts={texts}", "backbone=words", "head=linear")
    said = ser("predict", f"run={folder}", f"audio={corpus.folder}")
    assert (
        said.code == 2 and "texts: words" in said.err and "texts=<table" in said.err and "s00-anger-0.wav" in said.err
    )
    short = outputs / "short.csv"
    pd.read_csv(texts).assign(clip=lambda table: table["clip"].str.removeprefix("wav/")).to_csv(short, index=False)
    said = ser("predict", f"run={folder}", f"audio={corpus.folder}", f"texts={short}")
    without = ser("predict", f"run={folder}", f"texts={short}")  # it hears nothing, so no sound is needed
    heard, read = (pd.read_csv(each.folder).filter(like="p_") for each in (said, without))
    np.testing.assert_allclose(heard, read)
    assert ser("predict", f"run={folder}", f"texts={short}", "window=1").code == 2


def test_cues_are_told_of_one_model(tones, run, ser, outputs):
    keys = [f"run={run}", f"audio={tones.folder}/wav/s00-anger*.wav", "explain=true", "explainer=saliency"]
    refused = ser("predict", *keys)
    assert refused.code == 2 and "2 models decide together" in refused.err and "fold=" in refused.err
    said = ser("predict", *keys, "fold=0", f"out={outputs / 'said.csv'}")
    table, cues = pd.read_csv(outputs / "said.csv"), pd.read_csv(outputs / "said.cues.csv")
    assert said.code == 0 and len(table) == 3 and table["cues"].str.contains(r"SD, p \d").all()
    assert set(cues["file"]) == set(table["file"]) and {"value", "share", "rest", "shift", "p_shift"} <= set(cues)
    assert cues["share"].between(0.005, 1).all()
    alone = ser("predict", keys[0], f"audio={table['file'][1]}", *keys[2:], "fold=0", f"out={outputs / 'one.csv'}")
    assert alone.code == 0 and pd.read_csv(outputs / "one.csv")["cues"][0] == table["cues"][1]


def test_what_cannot_be_is_refused_before_anything_is_heard(run, ser, outputs):
    for arguments, words in (
        ([f"run={run}"], "audio: what is to be judged"),
        (["audio=x.wav"], "run, runs: which models"),
        ([f"run={run}", f"runs=[{run}]", "audio=x.wav"], "run, runs: which models"),
        (["run=nowhere", "audio=x.wav"], "run=nowhere: no such run"),
        ([f"run={run}", "audio=x.wav", "fold=7"], "fold=7: the run has no such fold"),
        ([f"run={run}", "audio=x.wav", "format=xml"], "format=xml"),
        ([f"run={run}", "audio=x.wav", "fuse=vote"], "fuse=vote"),
        ([f"run={run}", "audio=x.wav", "window=long"], "window=long"),
    ):
        said = ser("predict", *arguments)
        assert said.code == 2 and words in said.err, arguments
    with pytest.raises(InputError, match="no such file"):
        package.load(run)("gone.wav")
    with pytest.raises(InputError, match="one channel"):
        package.load(run)(np.zeros((16000, 2)))


def test_help_names_every_option(ser):
    for command, words in (("predict", ("runs=null", "calibrated=false")), ("export", ("export.format=[]",))):
        said = ser(command, "--help")
        assert (
            said.code == 0 and said.out.startswith(f"usage: ser {command}") and all(word in said.out for word in words)
        )
