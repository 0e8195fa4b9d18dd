"""Explanations of planted clips in the stage: truth is measured, cues are scored, and what labels taught is checked."""

import json
import shutil

import pandas as pd
import pytest
from study_tools import TINY_CNN

from ser.config import compose
from ser.errors import InputError
from ser.explain import explain as run_explain

NAMED = {"cue_rank", "cue_sign", "cue_mae"}


def explain(outputs, run, *keys, folder):
    base = [f"run='{outputs / run}'", "explainer=saliency", f"paths.outputs={outputs}"]
    return run_explain(compose([*base, *keys], "explain"), outputs / folder), outputs / folder


def test_cues_that_explanations_name_are_scored_on_a_lens_with_a_shortcut(outputs):
    from ser.train import train

    corpus = ["dataset=planted_a4", "dataset.speakers=4", "dataset.utterances_per_speaker=6", "dataset.jobs=1"]
    train(compose([*corpus, *TINY_CNN, "head=linear", "split=official", "trainer.max_epochs=1"]), outputs / "run")
    few = ["explain_eval=planted", "explain_eval.suites=[localisation]", "explain_eval.clips=3", "cue_link.shifts=20"]
    _, folder = explain(outputs, "run", *few, "explain_eval.bootstrap=50", "explain.class=anger", folder="named")
    scores = pd.read_parquet(folder / "scores.parquet")
    assert not scores.duplicated(["dataset", "clip", "method", "metric"]).any()
    for method in ("saliency", "random"):
        own = scores[scores["method"] == method].groupby("metric")["clip"].nunique()
        assert set(own.index) >= NAMED | {f"{name}_chance" for name in NAMED}, method
    table = pd.read_csv(folder / "planted.csv").set_index(["metric", "method"])
    assert table.loc[("cue_mae", "saliency"), "ideal"] == 0 and table.loc[("used_auroc", "random"), "chance"] == 0.5
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {"scores/cue_sign", "scores/cue_sign_chance", "scores/used_auroc", "gate/passed"} <= set(metrics)
    assert "Against what was planted" in (folder / "explanation.html").read_text(encoding="utf-8")


def test_a_run_on_permuted_labels_is_held_against_the_explained_one(outputs, write_corpus):
    from ser.train import train

    corpus = write_corpus(outputs / "corpus", speakers=4, takes=2, seconds=0.5)
    keys = [*corpus.overrides, *TINY_CNN, "head=linear", "trainer.max_epochs=1", "trainer.early_stopping=null"]
    train(compose(keys), outputs / "true")
    assert train(compose([*keys, "data.shuffle_labels=1"]), outputs / "permuted").state == "finished"
    few = ["explain_eval=fast", "explain_eval.suites=[sanity]", "explain_eval.clips=3", "explain_eval.again=2"]
    few += ["cue_link=none", "report=false"]
    _, alone = explain(outputs, "true", *few, folder="alone")
    outcome, folder = explain(
        outputs, "true", *few, f"explain_eval.label_run='{outputs / 'permuted'}'", folder="beside"
    )
    assert outcome.state == "finished"  # other settings than without it
    known, found = (json.loads((one / "metrics.json").read_text()) for one in (alone, folder))
    assert "scores/random_labels" not in known and 0 <= found["scores/random_labels"] < 1
    assert found["scores/random_weights"] == known["scores/random_weights"]
    shutil.copytree(outputs / "permuted", outputs / "elsewhere")
    [tested] = (outputs / "elsewhere").rglob("test.parquet")  # as if other clips had been tested
    pd.read_parquet(tested).iloc[:1].to_parquet(tested)
    for run, says in (("true", "trained on true labels"), ("elsewhere", "may have learnt it")):
        with pytest.raises(InputError, match=says):
            explain(outputs, "true", *few, f"explain_eval.label_run='{outputs / run}'", folder=f"refused-{run}")
