"""What happens to audio on the way into a run: windows, durations, variants, augmented copies."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from omegaconf import OmegaConf

from ser.errors import InputError

FAST = ["backbone=egemaps", "head=logreg", "head.tune=false", "split=loso"]


def read_scores(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_windows_of_a_clip_vote_and_there_is_one_prediction_for_it(tones, train):
    keys = ["audio/duration=chunk", "audio.duration.seconds=0.15", "audio.duration.hop=0.1"]
    _, folder = train(*tones.overrides, *FAST, *keys)
    table, clips = pd.read_parquet(folder / "predictions.parquet"), pd.read_csv(tones.table)
    assert sorted(table["clip"]) == sorted(path.removesuffix(".wav") for path in clips["path"])
    split = pd.read_csv(folder / "split.csv")
    assert split["clip"].str.contains("#").all() and split["clip"].nunique() > 2 * len(clips)
    chances = table.filter(like="p_")
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-9)
    assert (chances.idxmax(axis=1).str.removeprefix("p_") == table["predicted"]).all()
    assert read_scores(folder)["test/n_clips"] == len(clips)


def test_clips_of_another_duration_are_left_out_and_counted(tones, train):
    _, folder = train(*tones.overrides, *FAST, "audio/duration=range", "audio.duration.shortest=0.31")
    scores = read_scores(folder)
    assert scores["audio/excluded"] == 18 and scores["audio/skipped"] == 0 and scores["test/n_clips"] == 36
    assert any(
        "18 clips were left out by audio.duration" in note for note in json.loads((folder / "notes.json").read_text())
    )


@pytest.fixture
def shifted(tones, tmp_path):
    """The same clips with other audio: noise, so that it can be told from the original."""
    folder = tmp_path / "variant"
    for number, path in enumerate(sorted((tones.folder / "wav").glob("*.wav"))):
        wave = 0.1 * np.random.default_rng(number).standard_normal(4800)
        (folder / "wav").mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / "wav" / path.name, wave.astype(np.float32), 16000)
    return folder


def test_a_variant_is_used_where_it_is_asked_for(tones, shifted, train):
    keys = [*tones.overrides, *FAST, f"dataset.variant.root={shifted}", "dataset.variant.name=hiss"]
    scores = {}
    for use in ("both", "train", "test"):
        outcome, folder = train(*keys, f"dataset.variant.use={use}", name=use)
        table = pd.read_parquet(folder / "predictions.parquet")
        assert set(table["variant"]) == {"original" if use == "train" else "hiss"}
        scores[use] = outcome.metrics["test/uar"]
    original, _ = train(*tones.overrides, *FAST, name="original")
    assert original.metrics["test/uar"] > 0.8 and max(scores.values()) < 0.7
    assert (
        len({original.key, *(train(*keys, f"dataset.variant.use={use}", name=f"again-{use}")[0].key for use in scores)})
        == 4
    )


def test_a_variant_without_every_clip_is_refused(tones, shifted, train):
    next(iter((shifted / "wav").glob("*.wav"))).unlink()
    with pytest.raises(InputError, match=r"(?s)no audio for 1 of 54 clips.*remedy"):
        train(*tones.overrides, *FAST, f"dataset.variant.root={shifted}")
    with pytest.raises(InputError, match=r"dataset.variant.use=never"):
        train(*tones.overrides, *FAST, f"dataset.variant.root={shifted}", "dataset.variant.use=never")


def test_a_variant_may_be_named_by_a_table(tones, shifted, train, tmp_path):
    clips = [path.removesuffix(".wav") for path in pd.read_csv(tones.table)["path"]]
    for place, clip in enumerate(clips):
        shutil.move(shifted / f"{clip}.wav", shifted / f"{place}.wav")
    table = tmp_path / "map.csv"
    pd.DataFrame({"clip": clips, "path": [f"{place}.wav" for place in range(len(clips))]}).to_csv(table, index=False)
    keys = [f"dataset.variant.root={shifted}", f"dataset.variant.map={table}"]
    assert train(*tones.overrides, *FAST, *keys)[0].metrics["test/uar"] < 0.7


def test_augmentation_of_a_frozen_backbone_adds_training_clips_and_leaves_the_others(
    tones, train, outputs, monkeypatch
):
    from ser import fold as fold_module

    seen = []

    def spy(recipe, part, validation, workspace):
        seen.append(part)
        return fit(recipe, part, validation, workspace)

    fit = fold_module.fit_model
    monkeypatch.setattr(fold_module, "fit_model", spy)
    fixed = [*tones.overrides, *FAST, "split=holdout", "split.test_share=0.34"]
    plain, first = train(*fixed, name="plain")
    noisy, second = train(*fixed, "augmentation=white_noise", "augmentation.copies=2", name="noisy")
    assert len(seen[1]) == 3 * len(seen[0])
    np.testing.assert_array_equal(seen[1].features[: len(seen[0])], seen[0].features)
    copies = seen[1].features[len(seen[0]) :].reshape(2, len(seen[0]), -1)
    assert (
        np.isfinite(copies).all()
        and not np.allclose(copies[0], copies[1])
        and not np.allclose(copies[0], seen[0].features)
    )
    assert plain.key != noisy.key
    again, _ = train(*fixed, "augmentation=white_noise", "augmentation.copies=2", "resume=false", name="again")
    np.testing.assert_array_equal(seen[2].features, seen[1].features)
    assert again.metrics["test/uar"] == noisy.metrics["test/uar"]
    tables = [pd.read_parquet(folder / "predictions.parquet") for folder in (first, second)]
    assert tables[0]["clip"].tolist() == tables[1]["clip"].tolist()


def test_a_union_adds_a_copy_for_each_member(tones, train, monkeypatch):
    from ser import fold as fold_module

    seen, fit = [], fold_module.fit_model

    def spy(recipe, part, *rest):
        seen.append(len(part))
        return fit(recipe, part, *rest)

    monkeypatch.setattr(fold_module, "fit_model", spy)
    fixed = [*tones.overrides, *FAST, "split=holdout"]
    train(*fixed, name="plain")
    train(*fixed, "augmentation=union", name="union")
    assert seen[1] == 7 * seen[0]


def test_augmentation_of_a_trained_backbone_changes_what_it_learns_and_resumes_alike(tones, train):
    cnn = ["backbone=mel_cnn", "backbone.width=2", "backbone.mels=16", "backbone.fft=512", "head=linear"]
    fixed = [*tones.overrides, *cnn, "trainer.max_epochs=2", "split=holdout"]
    losses = {}
    variants = {
        "plain": [],
        "noise": ["augmentation=white_noise"],
        "union": ["augmentation=union"],
        "mixup": ["trainer.mixup=0.3"],
        "masks": ["backbone/spec_augment=default"],
    }
    for name, keys in variants.items():
        _, folder = train(*fixed, *keys, name=name)
        history = pd.read_csv(folder / "history.csv")
        losses[name] = history[history["metric"] == "train/loss"]["value"].tolist()
    assert len({tuple(values) for values in losses.values()}) == len(variants)
    _, again = train(*fixed, "augmentation=white_noise", "resume=false", name="again")
    history = pd.read_csv(again / "history.csv")
    assert history[history["metric"] == "train/loss"]["value"].tolist() == losses["noise"]


def test_zeros_at_the_end_of_a_fixed_duration_do_not_change_what_a_network_says(tones, train):
    cnn = ["backbone=mel_cnn", "backbone.width=2", "backbone.mels=16", "backbone.fft=512", "head=linear"]
    fixed = [*tones.overrides, *cnn, "trainer.max_epochs=1", "split=holdout", "trainer.batch_size=64"]
    _, plain = train(*fixed, name="plain")
    _, padded = train(
        *fixed, "audio/duration=fixed", "audio.duration.seconds=1.0", "audio.duration.pad=end", name="padded"
    )
    chances = [pd.read_parquet(folder / "predictions.parquet").filter(like="p_") for folder in (plain, padded)]
    np.testing.assert_allclose(*chances, atol=1e-4)


def test_dimensions_are_predicted_and_scored(tones, train, tmp_path):
    table = pd.read_csv(tones.table)
    table["arousal"] = table["emotion"].map({"anger": 3.0, "neutral": 2.0, "sadness": 1.0}) + table.index % 3 / 10
    table["path"] = [str(tones.folder / path) for path in table["path"]]
    table.to_csv(tmp_path / "rated.csv", index=False)
    keys = ["dataset=csv", f"dataset.path={tmp_path / 'rated.csv'}", "dataset.target=[arousal]", "split=loso"]
    _, folder = train(*keys, "head=ridge_regression", "head.tune=false", name="ridge")
    predicted = pd.read_parquet(folder / "predictions.parquet")
    assert {"true_arousal", "pred_arousal"} <= set(predicted) and not any(name.startswith("p_") for name in predicted)
    scores = read_scores(folder)
    assert scores["test/ccc/arousal"] > 0.7 and scores["test/pcc/arousal"] >= scores["test/ccc/arousal"]
    assert scores["test/mae/arousal"] == pytest.approx(
        (predicted["true_arousal"] - predicted["pred_arousal"]).abs().mean()
    )
    network = ["head=linear", "trainer.max_epochs=3", "split=holdout"]
    train(*keys, *network, "trainer.mixup=0.3", name="mixed")
    _, folder = train(*keys, *network, name="network")
    assert "val/ccc/arousal" in read_scores(folder)
    config = OmegaConf.load(folder / "config.yaml")
    assert config.loss._target_ == "ser.head.losses.CCCLoss" and config.choices.loss == "ccc"
    assert config.trainer.early_stopping.monitor == "val/ccc"
    explicit = ["loss=ccc", "trainer.early_stopping.monitor=val/ccc", "class_weight=none"]
    assert train(*keys, *network, *explicit, name="same")[0].state == "skipped"
    for wrong, remedy in (("loss=cross_entropy", "loss=ccc"), ("trainer.early_stopping.monitor=val/uar", "val/ccc")):
        with pytest.raises(InputError, match=remedy):
            train(*keys, *network, wrong, name="refused")
    with pytest.raises(InputError, match=r"(?s)dataset.target.*valence"):
        train(*keys, "dataset.target=[valence]", "head=ridge_regression", name="missing")
