"""Several corpora in one run: divided, trained on only, tested only."""

import json

import pandas as pd
import pytest
from sklearn.metrics import recall_score

from ser.cli import main


@pytest.fixture
def own_corpora(tmp_path, write_corpus):
    """Overrides for two corpora of one's own, named by files in a configuration folder."""
    conf = tmp_path / "myconf" / "dataset"
    conf.mkdir(parents=True)
    for name, speakers in (("mine", 4), ("yours", 3)):
        made = write_corpus(tmp_path / name, speakers=speakers, takes=2)
        keys = [item.partition("=")[2] for item in made.overrides if item.startswith("dataset.path=")]
        (conf / f"{name}.yaml").write_text(f"# {name}\ndefaults: [csv, _self_]\nname: {name}\npath: {keys[0]}\n")
    return ["--config-dir", str(conf.parent)]


def test_one_corpus_is_divided_and_another_scored_whole(own_corpora, outputs, capsys):
    folder = outputs / "run"
    arguments = [*own_corpora, "data.train=[mine]", "data.test=[mine,yours]", "backbone=noise", "head=ridge"]
    code = main(["train", *arguments, "split=loso", "head.tune=false", f"hydra.run.dir={folder}"])
    assert code == 0, capsys.readouterr().err
    scores = json.loads((folder / "metrics.json").read_text())
    table = pd.read_parquet(folder / "predictions.parquet")
    assert set(table["evaluation"]) == {"test/mine", "test/yours"} and set(table["dataset"]) == {"mine", "yours"}
    mine, yours = (table[table["evaluation"] == f"test/{name}"] for name in ("mine", "yours"))
    assert mine["clip"].is_unique and yours.groupby("clip")["fold"].nunique().eq(4).all()
    for name, part in (("mine", mine), ("yours", yours)):
        expected = recall_score(part["true"], part["predicted"], average="macro")
        assert scores[f"test/{name}/uar"] == pytest.approx(expected)
    assert scores["test/uar"] == pytest.approx((scores["test/mine/uar"] + scores["test/yours/uar"]) / 2)
    assert scores["test/uar_ci_low"] <= scores["test/uar"] <= scores["test/uar_ci_high"]
    split = pd.read_csv(folder / "split.csv")
    assert not set(split[split["part"] == "train"]["speaker"]) & {f"yours/{s}" for s in yours["speaker"].unique()}


def test_a_corpus_that_is_none_is_refused(outputs, capsys):
    assert main(["train", "data.train=[nowhere]", "data.test=[emodb]"]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert main(["train", "data.train=emodb"]) == 2
    assert "data.train=[emodb]" in capsys.readouterr().err


def test_a_sweep_over_corpora_names_its_runs_by_them(own_corpora, outputs):
    sweep = outputs / "sweep"
    fixed = ["backbone=noise", "head=ridge", "head.tune=false", "report=false", f"hydra.sweep.dir={sweep}"]
    code = main(["train", "-m", *own_corpora, "data.train=[mine],[yours]", "data.test=[mine,yours]", *fixed])
    assert code == 0
    record = json.loads((sweep / "sweep.json").read_text())
    assert record["varied"] == ["data.train"]
    assert [job["overrides"]["data.train"] for job in record["jobs"]] == ["[mine]", "[yours]"]
