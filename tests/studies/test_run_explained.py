"""Every explainer explains every kind of model, or says why not; explanations are runs, scored and swept."""

import json

import numpy as np
import pandas as pd
import pytest
from study_tools import TINY_CNN

from ser.commands.list import list_choices, list_groups
from ser.config import compose
from ser.errors import InputError

EXPLAINERS = sorted(set(list_choices(list_groups()["explainer"])) - {"none"})
MODELS = {
    "cnn": [*TINY_CNN, "head=linear"],
    "waveform": ["backbone=tiny_wav2vec2", "head=linear"],
    "spectrogram transformer": ["backbone=tiny_whisper", "head=linear"],
    "frozen cnn": ["backbone=tiny_byol", "head=linear", "pooling=mean_plus_max"],
    "callable": ["backbone=egemaps", "head=logreg", "head.tune=false"],
    "fused": [
        "backbone=fusion", "backbone@backbone.audio=egemaps", "backbone@backbone.text=words",
        "backbone.text.missing=mask", "head=linear",
    ],
}  # fmt: skip
NEED_GRADIENTS = ("saliency", "smoothgrad", "input_x_grad", "integrated_gradients", "gradcam", "lrp", "crp")
#: What explains models that hear and read; nothing else does.
FUSED = ("modality", "overlap")
#: What explains a run as a whole.
WHOLE = ("probing", "importance", "probing_published", "layers", "overlap", "modality")
#: What cannot be explained.
REFUSED = {
    "attention_rollout": {"cnn", "frozen cnn", "callable"},
    "linear_shap": {"cnn"},
    "probing_published": {"cnn"},
    "layers": {"callable"},
    "modality": set(MODELS) - {"fused"},  # they get sound alone
    **{name: {"callable"} for name in NEED_GRADIENTS},
}
SMALL = {
    "integrated_gradients": ["explainer.gate=1000"],
    "overlap": ["explainer.least=2"],
    **{name: ["explainer.masks=24"] for name in ("segments", "lime", "rise", "banzhaf")},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory, write_corpus, schema):
    """Folder of a trained run of each kind, with the database that knows them."""
    import os
    import shutil

    from ser.train import train

    root = tmp_path_factory.mktemp("explained")
    shutil.copy(schema, root / "mlflow.db")
    before = os.environ.get("SER_OUTPUTS")
    os.environ["SER_OUTPUTS"] = str(root)
    corpus = write_corpus(root / "corpus", speakers=4, takes=2, seconds=0.5)
    for name, keys in MODELS.items():
        train(compose([*corpus.overrides, *keys, "trainer.max_epochs=1"]), root / name)
    yield root
    if before is None:
        del os.environ["SER_OUTPUTS"]
    else:
        os.environ["SER_OUTPUTS"] = before


def explain(root, model, explainer, *keys, folder=None):
    from ser.explain import explain as run

    base = [f"run='{root / model}'", f"explainer={explainer}", f"paths.outputs={root}", "explain.n_per_class=1"]
    target = root / (folder or f"{model}-{explainer}")
    return run(compose(["report=false", *base, *keys], "explain"), target), target


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("explainer", EXPLAINERS)
def test_every_explainer_explains_every_model_or_says_why_not(models, model, explainer):
    if explainer == "counterfactual":
        pytest.importorskip("pyworld", reason="needs the extra: pip install 'ser[world]'")
    keys = ["explain_eval=none", "cue_link=none", *SMALL.get(explainer, [])]
    if model in REFUSED.get(explainer, ()) or (model == "fused" and explainer not in FUSED):
        with pytest.raises(InputError, match="explainer"):
            explain(models, model, explainer, *keys)
        return
    outcome, folder = explain(models, model, explainer, *keys)
    assert outcome.state == "finished"
    if explainer in WHOLE:
        assert len(json.loads((folder / "metrics.json").read_text())) > 1 and list(folder.glob("*.csv"))
        return
    if explainer == "linear_shap":
        assert len(pd.read_parquet(folder / "dimensions.parquet")) > 3
        return
    if explainer == "counterfactual":
        assert {"target", "cue", "slope", "low", "high"} <= set(pd.read_csv(folder / "counterfactual.csv"))
        return
    records = json.loads((folder / "explanation.json").read_text())
    assert len(records) == 3
    with np.load(folder / "attributions.npz") as arrays:
        for record in records:
            values, times = arrays[f"{record['clip']}|values"], arrays[f"{record['clip']}|times"]
            assert values.shape[-1] == len(times) == len(record["times"])
            assert np.isfinite(values).all() and (values.any() or not record["valid"])
            assert times[0] > -0.1 and times[-1] < 0.7


def test_an_explanation_is_a_run_below_the_one_it_explains(models):
    from mlflow import MlflowClient

    outcome, folder = explain(
        models,
        "cnn",
        "saliency",
        "explain_eval=fast",
        "explain_eval.clips=3",
        "explain_eval.again=1",
        "explain_eval.smallest_drop=1e-6",
        folder="run",
    )
    run = MlflowClient(f"sqlite:///{models}/mlflow.db").get_run(outcome.run_id)
    explained = json.loads((models / "cnn" / "run.json").read_text())["run_id"]
    assert run.data.tags["mlflow.parentRunId"] == run.data.tags["ser.explains"] == explained
    assert run.data.params["explainer"] == "saliency"
    assert "scores/insertion_deletion" in run.data.metrics
    scores = pd.read_parquet(folder / "scores.parquet")
    assert {"saliency", "random", "energy", "vad", "best"} <= set(scores["method"])
    again, copy = explain(
        models,
        "cnn",
        "saliency",
        "explain_eval=fast",
        "explain_eval.clips=3",
        "explain_eval.again=1",
        "explain_eval.smallest_drop=1e-6",
        folder="again",
    )
    assert again.state == "skipped" and again.run_id == outcome.run_id
    assert (copy / "evaluation.csv").read_bytes() == (folder / "evaluation.csv").read_bytes()


def test_a_null_explainer_may_be_chosen_and_counts_once(models):
    keys = ["explain_eval=fast", "explain_eval.clips=3", "explain_eval.again=1", "report=true"]
    _, folder = explain(models, "cnn", "random", *keys, folder="null")
    scores = pd.read_parquet(folder / "scores.parquet")
    assert not scores.duplicated(["dataset", "clip", "method", "metric"]).any()
    assert (folder / "explanation.html").stat().st_size > 10_000


def test_clips_that_were_not_tested_are_refused(models):
    with pytest.raises(InputError, match="nobody not among"):
        explain(models, "cnn", "random", "explain.clips=[nobody]", "explain.n_per_class=null")
    with pytest.raises(InputError, match="does not know joy"):
        explain(models, "cnn", "random", "explain.class=joy", folder="joy")
    with pytest.raises(InputError, match="run="):
        explain(models, "nothing", "random")


def test_words_of_a_table_are_segments(models):
    from ser.train import train

    table = pd.read_csv(models / "corpus" / "clips.csv")
    with_words = table.assign(said=['[["one", 0.1, 0.2], ["two", 0.2, 0.35]]'] * len(table))
    with_words.to_csv(models / "corpus" / "words.csv", index=False)
    corpus = ["dataset=csv", f"dataset.path={models / 'corpus' / 'words.csv'}", "dataset.columns.words=said"]
    train(compose([*corpus, *MODELS["callable"]]), models / "words")
    keys = ["explainer/unit=word", "explain_eval=none", "cue_link=none"]
    _, folder = explain(models, "words", "segments_loo", *keys)
    with np.load(folder / "attributions.npz") as arrays:
        clip = json.loads((folder / "explanation.json").read_text())[0]["clip"]
        values, times = arrays[f"{clip}|values"], arrays[f"{clip}|times"]
    changes = times[1:][np.abs(np.diff(values)) > 1e-9]
    np.testing.assert_allclose(changes, [0.105, 0.205, 0.355], atol=0.006)
    with pytest.raises(InputError, match="column words of the manifest"):
        explain(models, "callable", "segments_loo", *keys, folder="wordless")
    assert not (models / "wordless").exists()


@pytest.mark.parametrize("model", ["waveform", "frozen cnn", "spectrogram transformer"])
def test_what_explains_a_frozen_network_is_not_refused_before_it_trains(model, outputs):
    from ser.chosen import Choices
    from ser.explain import check_choices

    config = compose([*MODELS[model], "explainer=saliency"])
    check_choices(config, Choices.build(config))


def test_training_explains_at_once_and_refuses_before_it_trains(models, write_corpus):
    from ser.train import train

    corpus = ["dataset=csv", f"dataset.path={models / 'corpus' / 'clips.csv'}"]
    keys = [*corpus, *MODELS["callable"], "explain_eval=none", "cue_link=none", "explain.n_per_class=1"]
    outcome = train(compose([*keys, "explainer=segments_loo"]), models / "at-once")
    assert (models / "at-once" / "explanation" / "explanation.json").is_file()
    assert outcome.state == "skipped"  # the same run as without an explainer
    with pytest.raises(InputError, match="it needs gradients"):
        train(compose([*keys, "explainer=saliency", "seed=7"]), models / "refused")
    assert not (models / "refused" / "metrics.json").exists()
