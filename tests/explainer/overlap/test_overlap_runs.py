"""``explainer=overlap`` on finished runs: frozen, fine-tuned, functionals, heads with layers, several seeds."""

import numpy as np
import pandas as pd
import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from ser.config import compose
from ser.errors import InputError
from ser.explainer.embeddings import read_embeddings
from ser.explainer.overlap.head import read_head
from ser.explainer.overlap.places import Points, halve
from ser.explainer.overlap.tables import name_models
from ser.explainer.whole import RunExplainer
from ser.gather import gather_clips

FROZEN = ("backbone=tiny_whisper", "head=logreg", "head.tune=false")
MLP = ("backbone=tiny_whisper", "head=mlp", "head.hidden=[6,4]")
TRAINED = ("backbone=tiny_wav2vec2", "finetune=full", "head=linear")
MEASURES = {"interval3pc", "bhattacharyya", "knn"}


def make(**changes):
    return instantiate(
        OmegaConf.merge(compose(["explainer=overlap", "explainer.permutations=3"], "explain").explainer, changes)
    )


def read(folder, name="course"):
    return pd.read_parquet(folder / f"{name}.parquet")


@pytest.fixture
def undrawn(monkeypatch):
    """Figures take longer than what they show; one test draws them."""
    monkeypatch.setattr("ser.explainer.overlap.overlap.write_figures", lambda *_: [])


def test_it_explains_runs():
    assert isinstance(make(), RunExplainer)


def test_a_frozen_run(make_run, tmp_path):
    run = make_run(*FROZEN)
    metrics = make().examine(run, tmp_path)
    course, cells = read(tmp_path), read(tmp_path, "overlap")
    layers = course.drop_duplicates("layer")["layer"].tolist()
    assert layers == [f"layer {number}" for number in range(len(layers))] and len(layers) > 2
    assert set(course["measure"]) == {*MEASURES, "purity"} and set(cells["measure"]) == MEASURES
    count = len(run.corpus.manifest.emotions)
    assert len(cells) == len(layers) * len(MEASURES) * count**2
    assert course[["value", "low", "high", "chance"]].notna().all().all()
    for _, own in cells[cells["measure"] != "knn"].groupby(["layer", "measure"]):
        matrix = own["value"].to_numpy().reshape(count, count)
        np.testing.assert_allclose(np.diag(matrix), 1)
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
        mean = course[(course["layer"] == own["layer"].iloc[0]) & (course["measure"] == own["measure"].iloc[0])]
        assert mean["value"].item() == pytest.approx(matrix[~np.eye(count, dtype=bool)].mean())
    assert (
        metrics["overlap/bhattacharyya/layer_00"]
        == course[(course["layer"] == "layer 0") & (course["measure"] == "bhattacharyya")]["value"].item()
    )
    written = {path.stem for path in (tmp_path / "figures").glob("*.svg")}
    assert written == {"course", *MEASURES, "pca_2d", "pca_3d"}


def test_the_projector_s_rows_are_the_clips(make_run, tmp_path, undrawn):
    run = make_run(*FROZEN)
    make(projector=["layer 1"]).examine(run, tmp_path)
    (folder,) = (tmp_path / "projector").iterdir()
    vectors, known = np.loadtxt(folder / "vectors.tsv"), pd.read_csv(folder / "metadata.tsv", sep="\t", dtype=str)
    found = read_embeddings(run, 1)
    place = {clip: row for row, clip in enumerate(found.frame["clip"])}
    expected = np.stack([found.values[place[clip]] for clip in known["clip"]])  # noqa: PD011 - not of pandas
    np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-6)
    assert set(known["clip"]) == set(run.tested["clip"])
    said = run.tested.set_index("clip").loc[known["clip"], "predicted"]
    assert known["predicted"].tolist() == said.tolist()


def test_spaces_are_made_of_other_speakers(make_run):
    for keys in (FROZEN, TRAINED):
        points = Points.read(make_run(*keys), True, 0)
        assert points.by_fold == (keys is TRAINED)
        held = np.concatenate([one.held for one in points.divisions])
        counts = np.bincount(held, minlength=len(points.frame))
        assert len(set(counts)) == 1 and counts[0] > 0  # every speaker is looked at as often
        for one in points.divisions:
            assert len(one.fit) and not set(points.speakers[one.fit]) & set(points.speakers[one.held])


def test_layers_of_a_head_end_in_what_the_run_said(make_run, tmp_path, undrawn):
    run = make_run(*MLP)
    frame = run.corpus.manifest.frame
    part = gather_clips(run.config, run.choices, run.corpus, frame)
    for fold, rows in run.tested.groupby("fold"):
        model = run.load_model(fold)
        found = read_head(model.head, part)
        assert {name: values.shape[1] for name, values in found.items() if name.startswith("head")} == {
            "head 1": 6,
            "head 2": 4,
        }
        np.testing.assert_allclose(
            found["embedding"], model.head.network.rescale(torch.from_numpy(part.features)).numpy(), atol=1e-5
        )
        logits = found["output"][frame.reset_index().set_index("clip").loc[rows["clip"], "index"]]
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        np.testing.assert_allclose(shares, rows[[f"p_{name}" for name in model.emotions]], atol=1e-5)
    make().examine(run, tmp_path)
    layers = read(tmp_path).drop_duplicates("layer")["layer"].tolist()
    assert layers[-3:] == ["head 1", "head 2", "output"] and layers[0] == "layer 0" and "embedding" not in layers
    assert len(list((tmp_path / "projector" / "output").iterdir())) == len(run.folds)


def test_what_a_mixture_yields_is_a_layer(make_run, tmp_path, undrawn):
    run = make_run("backbone=tiny_whisper", "backbone.layer=mix", "head=linear")
    make(statistics=["mean"]).examine(run, tmp_path)
    layers = read(tmp_path).drop_duplicates("layer")["layer"].tolist()
    assert layers[-2:] == ["embedding", "output"]
    make(head=False, layers=[0]).examine(run, tmp_path)
    assert set(read(tmp_path)["layer"]) == {"layer 0"}


def test_a_fine_tuned_run_is_looked_at_by_fold(make_run, tmp_path, undrawn):
    run = make_run(*TRAINED)
    make(layers=[-1]).examine(run, tmp_path)
    course = read(tmp_path)
    assert course.drop_duplicates("layer")["layer"].str.split().str[0].tolist() == ["layer", "output"]
    assert course["value"].between(0, 1).all()


def test_functionals_are_one_layer(make_run, tmp_path, undrawn):
    make().examine(make_run("backbone=egemaps", "head=logreg", "head.tune=false"), tmp_path)
    assert set(read(tmp_path)["layer"]) == {"functionals"}


def test_seeds_of_a_model_are_averaged(make_run, tmp_path, undrawn):
    one, other = make_run(*MLP), make_run(*MLP, "seed=2")
    make(runs=[other.origin.key], layers=[0]).examine(one, tmp_path)
    course, runs = read(tmp_path), read(tmp_path, "runs")
    assert set(course["run"]) == {one.origin.key, other.origin.key} and set(course["seed"]) == {1, 2}
    assert (runs["runs"] == 2).all() and len(runs) == len(course) // 2 and len(set(runs["model"])) == 1
    own = course[(course["layer"] == "output") & (course["measure"] == "knn")]["value"]
    row = runs[(runs["layer"] == "output") & (runs["measure"] == "knn")].iloc[0]
    assert row["value"] == pytest.approx(own.mean())
    assert row["high"] - row["low"] == pytest.approx(12.706 * abs(own.iloc[0] - own.iloc[1]), rel=1e-3)
    make(runs=[make_run(*FROZEN).origin.key], layers=[0]).examine(one, tmp_path)
    assert (read(tmp_path, "runs")["runs"] == 1).all()


def test_models_are_named_by_what_they_differ_in(make_run):
    runs = [make_run(*MLP), make_run(*MLP, "seed=2"), make_run(*MLP, "head.hidden=[3]"), make_run(*FROZEN)]
    first, second, third, fourth = name_models(runs)
    assert first == second == "tiny_whisper, frozen, mlp head.hidden=[6, 4]"
    assert third == "tiny_whisper, frozen, mlp head.hidden=[3]" and fourth == "tiny_whisper, frozen, logreg"


def test_of_a_text_model_the_head_is_shown(make_run, tmp_path, undrawn):
    run = make_run("backbone=tiny_text", "backbone.missing=mask", "head=linear")  # nothing is said in these clips
    make().examine(run, tmp_path)
    course = read(tmp_path)
    assert course.drop_duplicates("layer")["layer"].tolist() == ["embedding", "output"]
    assert course.set_index(["layer", "measure"])["value"]["output", "bhattacharyya"] == pytest.approx(1)


def test_halves_of_one_speaker():
    frame = pd.DataFrame({"dataset": "x", "clip": list("abcd"), "speaker": list("1122")})
    rows = halve(frame, frame.iloc[:2], np.array([0, 0, 1, 1]), 0)
    assert [(one.fit.tolist(), one.held.tolist()) for one in rows] == [([2, 3], [0, 1])]
    with pytest.raises(InputError, match="one speaker"):
        halve(frame.iloc[:2], frame.iloc[:2], np.array([0, 0]), 0)


def test_too_few_clips_are_refused(make_run, tmp_path, undrawn):
    with pytest.raises(InputError, match="nowhere do two emotions have 500"):
        make(least=500).examine(make_run(*FROZEN), tmp_path)


def test_settings_are_checked():
    with pytest.raises(InstantiationException) as refused:
        make(dims=2)
    assert "explainer.dims" in str(refused.value.__cause__)
