"""The explainer on a finished run that hears and reads: what it writes, and whom it refuses."""

import shutil

import numpy as np
import pandas as pd
import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from ser.chosen import build_trunk
from ser.config import compose
from ser.errors import InputError
from ser.explainer.modality.table import tabulate
from ser.explainer.whole import RunExplainer
from ser.finished import FinishedRun

CORPUS = ["dataset=planted_c", "dataset.rule=xor", "dataset.speakers=4", "dataset.utterances_per_speaker=8"]
BRANCHES = [
    "backbone=fusion",
    "backbone@backbone.audio=mel_cnn_small",
    "backbone.audio.width=2",
    "backbone.audio.mels=16",
    "backbone@backbone.text=words",
    "backbone.text.dim=4",
]
SPLIT = ["split=official", "trainer.max_epochs=1", "trainer.accelerator=cpu", "head=linear", "dataset.jobs=1"]
SMALL = {"owen": 2, "owen_draws": 2, "draws": 3, "masks": 8, "parts": 3, "bootstrap": 50}


def make(**changes):
    config = compose(["explainer=modality"], "explain").explainer
    return instantiate(OmegaConf.merge(config, changes))


@pytest.fixture(scope="module")
def root(tmp_path_factory, created_together):
    folder = tmp_path_factory.mktemp("modality")
    shutil.copy(created_together[0], folder / "mlflow.db")
    return folder


@pytest.fixture(scope="module")
def run(root):
    from ser.train import train

    paths = [f"paths.outputs={root}"]
    outcome = train(compose([*CORPUS, *BRANCHES, *SPLIT, *paths]), root / "run")
    return FinishedRun.open(outcome.key, compose(paths, "explain"))


def test_it_writes_tables_and_a_figure(run, tmp_path):
    explainer = make(**SMALL)
    assert isinstance(explainer, RunExplainer)
    metrics = explainer.examine(run, tmp_path)
    clips = pd.read_parquet(tmp_path / "modality_clips.parquet")
    assert len(clips) == len(run.tested) and metrics["modality/clips"] == len(clips)
    assert (clips["text"] + clips["audio"]).to_numpy() == pytest.approx(clips["total"].to_numpy())
    assert metrics["modality/efficiency_gap"] < 1e-9
    parts = pd.read_parquet(tmp_path / "owen.parquet")
    sums = parts.groupby(["clip", "modality"])["value"].sum()
    for (clip, modality), value in sums.items():
        assert value == pytest.approx(clips.set_index("clip")[modality][clip])
    assert parts["clip"].nunique() == 2 and (parts.groupby(["clip", "modality"]).size() <= 3).all()
    scores = pd.read_csv(tmp_path / "modality_scores.csv")
    accuracy = scores[(scores["score"] == "accuracy") & (scores["emotion"] == "all")]["value"].item()
    assert accuracy == pytest.approx((run.tested["true"] == run.tested["predicted"]).mean())
    for suffix in (".png", ".svg"):
        assert (tmp_path / "figures" / f"modality{suffix}").stat().st_size > 5000
    assert {"gate/accuracy", "gate/ideal", "planted/clips"} <= set(metrics)
    assert not {name for name, value in metrics.items() if not np.isfinite(value)}


def test_a_table_holds_what_the_model_says_of_the_clips(run, tmp_path):
    make(**SMALL | {"owen": 0}).examine(run, tmp_path)
    clips = pd.read_parquet(tmp_path / "modality_clips.parquet").set_index("clip")
    said = run.tested.set_index("clip")
    probability = np.array([said.loc[clip, f"p_{said.loc[clip, 'predicted']}"] for clip in clips.index])
    assert clips["worth_both"].to_numpy() == pytest.approx(np.log(probability / (1 - probability)), abs=1e-4)
    assert pd.read_parquet(tmp_path / "owen.parquet").empty


def test_the_same_clip_in_other_company_is_the_same(run):
    model = run.load_model(next(iter(run.folds))).fused
    waves = [
        np.random.default_rng(number).normal(0, 0.1, 8000 + 800 * number).astype(np.float32) for number in range(3)
    ]
    audio, text = model.encode_audio(waves), model.encode_texts(["kamiso", "camiso tu", "nichts"])
    table = tabulate(lambda one, other: model.fuse(audio.take(one), text.take(other)), 3)
    alone = model.fuse(model.encode_audio(waves[2:]), model.encode_texts(["camiso tu"]))
    assert table.shape == (3, 3, 2) and table[2, 1] == pytest.approx(alone[0], abs=1e-5)


def test_models_of_one_modality_are_refused_with_a_reason():
    for keys, reads in (
        (["backbone=egemaps"], "sound"),
        (["backbone=words", "finetune=full"], "transcripts"),
        ([*BRANCHES, "fusion.modalities=audio"], "sound"),
        ([*BRANCHES, "fusion.modalities=text"], "transcripts"),
    ):
        config = compose([*CORPUS, *keys])
        with pytest.raises(InputError, match=f"gets {reads} alone.*share 1"):
            make().check_trunk(build_trunk(config), None)
    make().check_trunk(build_trunk(compose([*CORPUS, *BRANCHES])), None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("target", "anger"),
        ("worth", "logit"),
        ("draws", 0),
        ("owen_draws", 20),
        ("band", 0.5),
        ("seconds", 0),
        ("clips", 1),
        ("masks", 1),
    ],
)
def test_settings_are_checked(key, value):
    with pytest.raises(InstantiationException, match=f"explainer.*{key}"):
        make(**{key: value})


def test_real_folds_have_no_truth_and_are_put_together(root, tmp_path):
    from ser.train import train

    corpus = ["dataset=planted", "dataset.speakers=3", "dataset.utterances_per_speaker=6", "dataset.jobs=1"]
    keys = ["split=loso", "trainer.max_epochs=1", "trainer.accelerator=cpu", "head=linear", "fusion=gated"]
    paths = [f"paths.outputs={root}"]
    outcome = train(compose([*corpus, *BRANCHES, *keys, "fusion.units=4", *paths]), root / "loso")
    run = FinishedRun.open(outcome.key, compose(paths, "explain"))
    metrics = make(**SMALL, worth="probability", target="true").examine(run, tmp_path)
    clips = pd.read_parquet(tmp_path / "modality_clips.parquet")
    assert (
        len(clips) == 18 and set(clips["fold"]) == {"s00", "s01", "s02"} and (clips["emotion"] == clips["true"]).all()
    )
    probability = [
        row[f"p_{row['true']}"] for row in run.tested.set_index("clip").loc[clips["clip"]].to_dict("records")
    ]
    assert clips["worth_both"].to_numpy() == pytest.approx(np.array(probability), abs=1e-5)
    assert not any(name.startswith(("planted/mod", "planted/point")) for name in metrics)
    assert not (tmp_path / "planted.csv").exists() and clips["wide_audio"].any()
    parts = pd.read_parquet(tmp_path / "owen.parquet")
    assert parts["start"].notna().all() and parts["words"].notna().all()  # the generator knows when words are said
