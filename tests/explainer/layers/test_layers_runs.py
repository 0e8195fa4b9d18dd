"""``explainer=layers`` on finished runs: frozen, fine-tuned with checkpoints, several at once."""

from operator import attrgetter

import numpy as np
import pandas as pd
import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from ser.chosen import build_trunk
from ser.config import compose
from ser.errors import InputError
from ser.explainer.embeddings import read_embeddings
from ser.explainer.layers.accumulate import MEASURES
from ser.explainer.layers.networks import find_steps, list_networks
from ser.explainer.probing.classify import classify, count_hits, find_uar
from ser.explainer.probing.folds import divide, make_groups
from ser.explainer.probing.ridge import Solver
from ser.explainer.whole import RunExplainer

FROZEN = ("backbone=tiny_whisper", "head=linear", "pooling=mean_std")
KEPT = ("backbone=tiny_wav2vec2", "finetune=full", "head=linear", "trainer.keep_checkpoints={every_n_steps: 2}",
        "trainer.batch_size=16", "trainer.early_stopping=null")  # fmt: skip


def make(**changes):
    return instantiate(OmegaConf.merge(compose(["explainer=layers"], "explain").explainer, changes))


@pytest.fixture
def undrawn(monkeypatch):
    """Figures take longer than what they show; two tests draw them."""
    monkeypatch.setattr("ser.explainer.layers.layers.write_figures", lambda *_: [])


def test_it_explains_runs():
    assert isinstance(make(), RunExplainer)


def test_a_frozen_run(make_run, tmp_path):
    run = make_run(*FROZEN)
    metrics = make().examine(run, tmp_path)
    similarity = pd.read_parquet(tmp_path / "similarity.parquet")
    states = pd.read_parquet(tmp_path / "states.parquet")
    depth = len(states) - 1
    assert states["checkpoint"].tolist() == ["pretrained"] * depth + ["reference"] and states["dims"].iloc[-1] == 88
    assert set(similarity["measure"]) == set(MEASURES)
    assert len(similarity) == len(MEASURES) * len(states) * (len(states) + 1) // 2
    same = similarity[(similarity["layer"] == similarity["layer_b"])]
    np.testing.assert_allclose(same["value"], 1, atol=1e-4)
    assert (similarity["clips"] == len(run.tested)).all() and (similarity["batches"] == 1).all()
    debiased = similarity[(similarity["measure"] == "cka_debiased") & (similarity["value"] < 0.999)]
    assert len(debiased) > 3
    assert (debiased["low"] < debiased["value"]).all() and (debiased["value"] < debiased["high"]).all()
    assert metrics["layers/clips"] == len(run.tested)
    written = {path.name for path in (tmp_path / "figures").iterdir()}
    assert written == {f"{name}.{kind}" for name in ("probes", "layers", "reference") for kind in ("png", "svg")}


def test_the_probe_is_that_of_the_run_s_folds(make_run, tmp_path, undrawn):
    run = make_run(*FROZEN)
    metrics = make(reference="", layers=[1], statistics=["mean"]).examine(run, tmp_path)
    frame = run.corpus.manifest.frame.reset_index(drop=True)
    values = attrgetter("values")(read_embeddings(run, 1, ("mean",)))
    classes, speakers = (make_groups(frame[name].to_numpy()) for name in ("emotion", "speaker"))
    scored = [classify(Solver(values, one), classes, classes.max() + 1) for one in divide(run, frame)]
    counts = count_hits([(one.rows, one.scores) for one in scored], classes, speakers)
    probes = pd.read_csv(tmp_path / "probes.csv")
    row = probes.set_index("layer").loc[1]
    assert row["uar"] == metrics["layers/uar/layer_01"] == pytest.approx(find_uar(counts.joint)[0])
    assert row["low"] < row["uar"] < row["high"] and len(probes) == 1 and "over_reference" not in probes


def test_a_fine_tuned_run_at_all_its_checkpoints(make_run, tmp_path):
    run = make_run(*KEPT)
    steps = find_steps(run)
    assert len(steps) > 0 and not any(step % 2 for step in steps)
    metrics = make(layers=[0, -1]).examine(run, tmp_path)
    states = pd.read_parquet(tmp_path / "states.parquet")
    names = ["pretrained", *(f"step {step}" for step in steps), "final"]
    assert list(dict.fromkeys(states["checkpoint"])) == [*names, "reference"]
    similarity = pd.read_parquet(tmp_path / "similarity.parquet")
    own = similarity[(similarity["measure"] == "cka_debiased") & (similarity["layer"] == similarity["layer_b"])]
    with_start = own[own["checkpoint"] == "pretrained"].set_index(["checkpoint_b", "layer"])["value"]
    bottom, top = sorted(set(own["layer"]))
    assert with_start["final", bottom] == pytest.approx(1, abs=1e-3)  # the front end is frozen
    assert with_start["final", top] < 1 - 1e-4
    assert (similarity["clips"] == len(run.tested)).all() and (similarity["batches"] == len(run.folds)).all()
    probes = pd.read_parquet(tmp_path / "probes.parquet")
    assert len(probes) == 1 + 2 * len(names)
    assert f"layers/rsa/pretrained/layer_{int(top):02d}" in metrics
    assert {"checkpoints.png", "course.svg"} <= {path.name for path in (tmp_path / "figures").iterdir()}


def test_weights_of_a_step_are_those_of_the_step(make_run):
    import torch

    run = make_run(*KEPT)
    networks = {one.checkpoint: one for one in list_networks(run, "x", "all", None, "all")}
    step = find_steps(run)[-1]
    fold, frame = next(iter(run.folds)), run.corpus.manifest.frame.iloc[:4]
    found = np.stack(list(networks[f"step {step}"].read(frame, fold)))
    assert found.shape[:2] == (len(networks["final"].layers), 4)
    np.testing.assert_array_equal(found[-1], networks[f"step {step}"].embed(frame, fold, len(found) - 1))
    final = np.stack(list(networks["final"].read(frame, fold)))
    kept = torch.load(run.folds[fold] / "steps" / f"step-{step:06d}.ckpt", weights_only=True)
    model = torch.load(run.folds[fold] / "model.pt", weights_only=True)
    alike = all(torch.equal(weight, model[name]) for name, weight in kept.items())
    assert alike == np.allclose(found, final, atol=1e-6)
    other = list(run.folds)[1]
    assert not np.allclose(np.stack(list(networks["final"].read(frame, other)))[-1], final[-1])


def test_some_folds_and_checkpoints_alone(make_run, tmp_path, undrawn):
    run = make_run(*KEPT)
    fold = next(iter(run.folds))
    make(layers=[-1], folds=[fold], checkpoints=[]).examine(run, tmp_path)
    states = pd.read_parquet(tmp_path / "states.parquet")
    assert states["checkpoint"].tolist() == ["pretrained", "final", "reference"]
    held = (run.tested["fold"] == fold).sum()
    assert (pd.read_parquet(tmp_path / "similarity.parquet")["clips"] == held).all()
    assert (pd.read_parquet(tmp_path / "probes.parquet")["clips"] == held).all()
    with pytest.raises(InputError, match="no weights of step 3"):
        make(checkpoints=[3]).examine(run, tmp_path)
    with pytest.raises(InputError, match="no fold"):
        make(folds=[9]).examine(run, tmp_path)


def test_layers_of_several_runs_are_compared(make_run, tmp_path, undrawn):
    frozen, kept = make_run(*FROZEN), make_run(*KEPT)
    make(layers=[-1], checkpoints=[], runs=[kept.origin.key], batch=20).examine(frozen, tmp_path)
    states = pd.read_parquet(tmp_path / "states.parquet")
    assert states["run"].tolist() == ["tiny_whisper", "tiny_wav2vec2", "tiny_wav2vec2", "tiny_whisper"]
    similarity = pd.read_parquet(tmp_path / "similarity.parquet")
    assert (similarity["clips"] == len(frozen.tested)).all() and (similarity["batches"] > 3).all()
    between = similarity[(similarity["run"] == "tiny_whisper") & (similarity["run_b"] == "tiny_wav2vec2")]
    assert len(between) == 2 * len(MEASURES) and between["value"].between(-0.5, 1).all()
    assert set(pd.read_parquet(tmp_path / "probes.parquet")["run"]) == {"tiny_whisper", "tiny_wav2vec2"}


def test_a_learned_mixture_shows_its_weights(make_run, tmp_path, undrawn):
    run = make_run("backbone=tiny_whisper", "backbone.layer=mix", "head=linear")
    make(reference="").examine(run, tmp_path)
    probes = pd.read_parquet(tmp_path / "probes.parquet")
    assert probes["head_weight"].sum() == pytest.approx(1, abs=1e-5)


def test_what_cannot_be_compared_is_refused_before_training():
    for keys, reason in (
        (["backbone=egemaps"], "no layers"),
        (["backbone=glove"], "reads transcripts"),
    ):
        with pytest.raises(InputError, match=reason):
            make().check_trunk(build_trunk(compose(keys)), None)
    make().check_trunk(build_trunk(compose(["backbone=tiny_wav2vec2", "finetune=full"])), None)
    with pytest.raises(InstantiationException) as refused:
        make(batch=3)
    assert "explainer.batch" in str(refused.value.__cause__)
