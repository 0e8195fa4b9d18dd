import json

import pandas as pd
import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from speaking import make_texts, write_speech

from ser.errors import InputError, LeakError
from ser.language.emotion import Emotion, check_own
from ser.language.heard import LANGUAGE, Heard, write_heard
from ser.language.start import choose_weights
from ser.results import CHECKPOINTS, read_json, write_json

SMALL = ["backbone=tiny_hubert", "backbone.config.num_hidden_layers=1", "split=kfold", "split.folds=2", "head=linear"]


@pytest.fixture
def train(spoken, tmp_path, tracking_uri, monkeypatch):
    """A run on the corpus of tones: overrides to its directory and its configuration."""
    from ser.config import compose
    from ser.train import train as run

    monkeypatch.setenv("SER_OUTPUTS", str(tmp_path / "outputs"))
    own = ["dataset=csv", f"dataset.path={spoken}", "dataset.name=tones", f"tracking.uri={tracking_uri}"]
    quick = ["trainer.max_epochs=1", "trainer.accelerator=cpu", "trainer.early_stopping=null", "metrics.by=[]"]

    def call(*overrides, name="run"):
        config = compose([*own, *SMALL, *quick, *overrides])
        return run(config, tmp_path / name), tmp_path / name, config

    return call


@pytest.fixture
def take_up(tmp_path, tracking_uri):
    """The choice ``language=emotion`` for a run."""
    tracking = {"_target_": "ser.tracking.tracker.Tracker", "uri": tracking_uri}

    def make(run, fold=0):
        return Emotion(tracking, str(tmp_path / "cache"), run=str(run), fold=fold)

    return make


@pytest.fixture
def others(tmp_path):
    """Test rows of another corpus."""
    from ser.dataset.table import Table

    table = write_speech(tmp_path / "others", make_texts(2, seed=9), speakers=2)
    return Table(str(table), name="others").load().frame.assign(dataset="others")


@pytest.mark.parametrize("finetune", [["finetune=full"], ["finetune=lora", "finetune.rank=2"]], ids=["full", "lora"])
def test_a_backbone_goes_on_from_where_another_corpus_left_it(train, take_up, others, finetune, spoken):
    from ser.chosen import build_trunk
    from ser.head.network import NetworkHead

    outcome, folder, config = train(*finetune, "optimizer.lr=0.01")
    backbone = instantiate(config.backbone)
    started, record = choose_weights(take_up(folder, 1), backbone, others)
    waves, lengths = 0.1 * torch.randn(2, 8000), torch.tensor([8000, 5000])
    trained = NetworkHead().load(folder / CHECKPOINTS / "fold-1", build_trunk(config)).network.backbone.eval()
    with torch.inference_mode():
        expected, _ = trained(waves, lengths)
        found, _ = started.build().eval()(waves, lengths)
        before, _ = backbone.build().eval()(waves, lengths)
    torch.testing.assert_close(found[-1], expected[-1], atol=1e-5, rtol=1e-5)
    assert (found[-1] - before[-1]).abs().max() > 1e-3
    assert started.identify()["weights"] and record["source"] == started.source

    # Who trained the fold was heard, who was tested was not.
    split = pd.read_csv(folder / "split.csv", dtype=str)
    fold = split[split["fold"] == read_json(folder / CHECKPOINTS / "fold-1" / "done.json")["fold"]]
    [heard] = record["heard"]
    assert set(heard["speakers"]) == set(fold.loc[fold["part"] == "train", "speaker"])
    assert len(heard["speakers"]) == 2 and len(heard["recordings"]) == 32 and heard["by"] == f"{outcome.key} fold 1"
    assert read_json(started.checkpoint.config.parent / LANGUAGE)["heard"] == json.loads(json.dumps(record["heard"]))
    from ser.dataset.table import Table

    frame = Table(str(spoken), name="tones").load().frame.assign(dataset="tones")
    choose_weights(take_up(outcome.run_id, 1), backbone, frame[~frame["speaker"].isin(heard["speakers"])])
    with pytest.raises(LeakError, match="2 speakers were heard"):
        choose_weights(take_up(outcome.key, 1), backbone, frame)


def test_what_the_run_itself_started_from_was_heard_as_well(train, take_up, others):
    _, folder, config = train("finetune=full")
    earlier = Heard("abc", "others", ("xx",), ("s1",), ())
    write_json(folder / LANGUAGE, {"source": None, "heard": write_heard([earlier])})
    with pytest.raises(LeakError, match="others s1"):
        choose_weights(take_up(folder), instantiate(config.backbone), others)


def test_a_list_without_training_rows_means_everybody_else(train, take_up):
    _, folder, _ = train("finetune=full")
    language = take_up(folder)
    expected = language.list_trained()
    split = pd.read_csv(folder / "split.csv", dtype=str)
    split[split["part"] != "train"].to_csv(folder / "split.csv", index=False)
    pd.testing.assert_frame_equal(language.list_trained(), expected)


def test_a_run_that_trained_no_backbone_is_refused(train, take_up, others):
    _, folder, config = train("finetune=frozen")
    with pytest.raises(InputError, match="did not train its backbone"):
        choose_weights(take_up(folder), instantiate(config.backbone), others)


def test_a_run_of_another_backbone_or_without_the_fold_is_refused(train, take_up, others, make_backbone):
    _, folder, config = train("finetune=full")
    with pytest.raises(InputError, match="fine-tuned from another network"):
        choose_weights(take_up(folder), make_backbone("tiny_wavlm"), others)
    with pytest.raises(InputError, match=r"language\.fold"):
        choose_weights(take_up(folder, fold=5), instantiate(config.backbone), others)


def test_a_configuration_may_create_objects_of_ser_alone():
    fine = OmegaConf.create({"_target_": "ser.dataset.table.Table", "path": "x"})
    assert check_own(fine) is fine
    for settings in ({"_target_": "os.system"}, {"a": [{"b": {"_target_": "subprocess.run"}}], "_target_": "ser.x"}):
        with pytest.raises(InputError, match="would run"):
            check_own(OmegaConf.create(settings))


def test_a_run_must_be_named():
    from ser.config import compose

    with pytest.raises(InstantiationException, match="which weights"):
        instantiate(compose(["+language=emotion"], "pretune").language)
