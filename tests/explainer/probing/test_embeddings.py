"""Embeddings of a run are what its heads read: from the store, or from the network of a fold."""

import numpy as np
import pytest
import torch

from ser.errors import InputError
from ser.explainer.embeddings import count_layers, read_embeddings
from ser.gather import gather_clips

FROZEN = ("backbone=tiny_whisper", "head=linear", "pooling=mean_std")
TRAINED = ("backbone=tiny_wav2vec2", "finetune=full", "head=linear")


def test_frozen_ones_are_the_features_of_the_run(make_run):
    run = make_run(*FROZEN)
    found = read_embeddings(run)
    frame = run.corpus.manifest.frame
    np.testing.assert_array_equal(found.values, gather_clips(run.config, run.choices, run.corpus, frame).features)
    assert found.frame["clip"].tolist() == frame["clip"].tolist()
    assert found.names[0] == "mean_0" and found.names[-1] == f"std_{found.values.shape[1] // 2 - 1}"
    depth = count_layers(run)
    assert found.layer == depth - 1
    below = read_embeddings(run, 0, ("max",))
    assert below.layer == 0 and below.values.shape[1] * 2 == found.values.shape[1]
    assert read_embeddings(run, -depth, ("max",)).values == pytest.approx(below.values)


def test_of_a_named_fold_the_held_out_clips(make_run):
    run = make_run(*FROZEN)
    for fold, rows in run.tested.groupby("fold"):
        assert set(read_embeddings(run, fold=fold).frame["clip"]) == set(rows["clip"])
        assert len(read_embeddings(run, fold=fold, clips="all").frame) == len(run.corpus.manifest.frame)


def test_trained_ones_lead_to_what_the_fold_said(make_run):
    run = make_run(*TRAINED)
    with pytest.raises(InputError, match="3 networks"):
        read_embeddings(run)
    spaces = []
    for fold in run.folds:
        found, model = read_embeddings(run, fold=fold), run.load_model(fold)
        logits = model.head.network.layers(torch.from_numpy(found.values))
        said = run.tested.set_index("clip").loc[found.frame["clip"], [f"p_{name}" for name in model.emotions]]
        np.testing.assert_allclose(logits.softmax(-1).detach().numpy(), said.to_numpy(), atol=2e-5)
        spaces.append(read_embeddings(run, fold=fold, clips="all").values)
    assert not np.allclose(spaces[0], spaces[1])


def test_functionals_have_their_names(make_run):
    run = make_run("backbone=egemaps", "head=logreg", "head.tune=false")
    found = read_embeddings(run)
    assert found.layer is None and count_layers(run) == 0
    assert len(found.names) == 88 and "loudness_sma3_amean" in found.names


def test_what_there_is_not_is_said(make_run):
    run = make_run(*FROZEN)
    with pytest.raises(InputError, match="no such fold"):
        read_embeddings(run, fold="7")
    with pytest.raises(InputError, match="hidden states"):
        read_embeddings(run, 40)
    with pytest.raises(InputError, match="median"):
        read_embeddings(run, 0, ("median",))
