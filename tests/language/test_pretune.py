import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import torch
from speaking import make_texts, write_speech

from ser.errors import InputError, LeakError
from ser.language.heard import LANGUAGE
from ser.language.learn import Learner
from ser.language.transcripts import load_manifests, read_transcripts
from ser.pretune import Plan, pretune
from ser.results import read_json


def read_weights(model):
    from safetensors.torch import load_file

    return load_file(model / "model.safetensors")


def test_a_language_is_learned_once(compose_stage, tmp_path):
    config = compose_stage("trainer.max_epochs=12", "speakers=[s0,s1,s2]", "validation_speakers=[s2]")
    outcome = pretune(config, tmp_path / "first")
    assert outcome.state == "finished" and outcome.model == tmp_path / "first" / "model"
    # Empty texts have a rate of 1; what is read are letters of a voice that did not train.
    assert outcome.metrics["val/cer"] < 0.5 and outcome.metrics["clips/train"] == 32
    assert outcome.metrics["characters"] == 5 and outcome.metrics["clips/left_out"] == 0

    read = pd.read_csv(tmp_path / "first" / "transcripts.csv")
    assert set(read["speaker"]) == {"s2"} and len(read) == 16 and read["known"].all()
    notes = read_json(tmp_path / "first" / "notes.json")
    assert any("16 of 16 validating clips have the text of a training clip" in note for note in notes)
    record = read_json(outcome.model / LANGUAGE)
    assert record["key"] == outcome.key and record["run_id"] == outcome.run_id and record["languages"] == ["xx"]
    assert record["cer"] == outcome.metrics["val/cer"] and record["origin"]["seed"] == 0 and record["source"] is None
    [heard] = record["heard"]
    assert heard["speakers"] == ["s0", "s1", "s2"] and heard["corpus"] == "tones" and len(heard["recordings"]) == 48
    assert not (tmp_path / "first" / "checkpoints").exists()

    run = Plan.make(config).tracker.find(outcome.key)
    assert run.data.tags["ser.kind"] == "pretune" and run.data.metrics["val/cer"] == outcome.metrics["val/cer"]
    assert run.data.params["backbone"] == "tiny_wav2vec2_layer_norm" and run.data.params["optimizer.lr"] == "0.005"

    again = pretune(config, tmp_path / "second")
    assert (again.state, again.model, again.metrics) == ("skipped", outcome.model, outcome.metrics)
    assert read_json(tmp_path / "second" / "run.json")["run_id"] == outcome.run_id

    # Where its directory is gone, the weights are those of MLflow; where these are gone too, it is trained anew.
    weights = read_weights(outcome.model)
    shutil.rmtree(tmp_path / "first")
    fetched = pretune(config, tmp_path / "third")
    assert fetched.state == "skipped" and fetched.model != outcome.model
    torch.testing.assert_close(read_weights(fetched.model), weights)
    shutil.rmtree(tmp_path / "outputs" / "artifacts")
    shutil.rmtree(tmp_path / "outputs" / "cache" / "runs")
    assert pretune(config, tmp_path / "third").state == "finished"
    torch.testing.assert_close(read_weights(tmp_path / "third" / "model"), weights, atol=0, rtol=0)


def test_a_killed_run_goes_on(compose_stage, tmp_path, monkeypatch):
    config = compose_stage("trainer.max_epochs=4")
    whole = pretune(config, tmp_path / "whole")
    whole_weights = read_weights(whole.model)
    other = compose_stage("trainer.max_epochs=4", "tracking.experiment=another")
    write = Learner.write_epoch

    def die(self, metrics, epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        write(self, metrics, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "write_epoch", die)
        with pytest.raises(KeyboardInterrupt):
            pretune(other, None)
    folder = tmp_path / "outputs" / "language" / whole.key
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    began = []
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "write_epoch", lambda self, *told: (began.append(told[1]), write(self, *told)))
        outcome = pretune(other, None)
    assert began == [2, 3] and outcome.key == whole.key and outcome.state == "finished"
    torch.testing.assert_close(read_weights(outcome.model), whole_weights, atol=0, rtol=0)
    history, expected = (pd.read_csv(each / "history.csv") for each in (folder, tmp_path / "whole"))
    pd.testing.assert_frame_equal(history, expected)


def test_the_key_is_of_contents(compose_stage, spoken, tmp_path):
    key = Plan.make(compose_stage()).key
    shutil.copytree(spoken.parent, tmp_path / "copy")
    same = (
        [f"dataset.path={tmp_path / 'copy' / 'clips.csv'}"],
        ["backbone.layer=0"],
        ["on_bad_audio=skip", "seed=1"][1:],
    )
    for overrides in same:
        assert Plan.make(compose_stage(*overrides)).key == key
    for override in ("seed=2", "backbone.seed=1", "speakers=[s0,s1,s2]", "validation_seed=1", "trainer.max_epochs=7"):
        assert Plan.make(compose_stage(override)).key != key, override
    table = pd.read_csv(tmp_path / "copy" / "clips.csv")
    table.assign(text=table["text"].str.upper() + "!").to_csv(tmp_path / "copy" / "loud.csv", index=False)
    assert Plan.make(compose_stage(f"dataset.path={tmp_path / 'copy' / 'loud.csv'}")).key == key
    table.assign(text=table["text"].str.replace("a", "b")).to_csv(tmp_path / "copy" / "other.csv", index=False)
    assert Plan.make(compose_stage(f"dataset.path={tmp_path / 'copy' / 'other.csv'}")).key != key


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["seed=1", "~backbone"], "which backbone is to learn"),
        (["backbone=egemaps"], "Functionals has no weights"),
        (["backbone=tiny_whisper"], "Whisper has no weights"),
        (["finetune=frozen"], "leaves nothing to be learned"),
        (["speakers=[s1]"], "nobody is left to train, or to validate"),
        (["validation_speakers=[s0,s1,s2,s3]"], "nobody is left to train"),
        (["speakers=[s1,s9]"], "no speaker 's9'"),
        (["speakers=[s1,s2]", "validation_speakers=[s3]"], "s3 are not among speakers"),
        (["split=loso"], "4 folds"),
        (["split=holdout", "speakers=[s1]"], "expected: one of the two"),
        (["trainer.early_stopping=null", "validation_speakers=[s3]"], "nothing is chosen by them"),
        (["trainer.early_stopping.monitor=val/uar"], "val/cer or val/wer or val/loss"),
        (["trainer.early_stopping.mode=max"], "mode=min"),
        (["trainer.mixup=0.2"], "have no text"),
        (["audio/duration=chunk"], "belongs to its whole clip"),
    ],
)
def test_mistakes_are_found_before_training(compose_stage, overrides, said, monkeypatch):
    backbone = [] if "backbone" in overrides[0] else ["backbone=tiny_hubert"]
    config = compose_stage(*overrides, quick=backbone)
    monkeypatch.setattr(Learner, "fit", lambda self: pytest.fail("trained"))
    with pytest.raises(InputError) as refused:
        pretune(config, None)
    assert said in str(refused.value)


def test_clips_without_texts_are_left_out_and_texts_too_long_counted(compose_stage, spoken, tmp_path):
    table = pd.read_csv(spoken)
    table["path"] = [str(spoken.parent / path) for path in table["path"]]
    table.loc[table.index[table["speaker"] == "s0"][:2], "text"] = [None, "..."]
    table.loc[table.index[table["speaker"] == "s1"][0], "text"] = "ab" * 200
    table.to_csv(tmp_path / "mended.csv", index=False)
    own = f"dataset.path={tmp_path / 'mended.csv'}", "validation_speakers=[s3]", "trainer.max_epochs=1"
    outcome = pretune(compose_stage(*own), tmp_path / "run")
    assert outcome.metrics["clips/train"] == 46 and outcome.metrics["clips/left_out"] == 1
    notes = "\n".join(read_json(tmp_path / "run" / "notes.json"))
    assert "2 clips without a transcript" in notes and "1 of 46 training clips have more characters" in notes
    assert "no better than reading nothing" in notes


def test_a_corpus_without_texts_is_refused(compose_stage, spoken, tmp_path):
    pd.read_csv(spoken).drop(columns="text").to_csv(spoken.parent / "mute.csv", index=False)
    with pytest.raises(InputError, match="none of its 64 clips has a transcript"):
        pretune(compose_stage(f"dataset.path={spoken.parent / 'mute.csv'}"), None)


def test_texts_that_never_fit_are_refused(compose_stage, spoken, tmp_path):
    table = pd.read_csv(spoken)
    table["path"] = [str(spoken.parent / path) for path in table["path"]]
    table.assign(text="ab" * 200).to_csv(tmp_path / "long.csv", index=False)
    with pytest.raises(InputError, match="every training text has more characters"):
        pretune(compose_stage(f"dataset.path={tmp_path / 'long.csv'}", "trainer.max_epochs=2"), None)


def test_new_texts_are_scored_apart_and_without_validation_nothing_is(compose_stage, spoken, tmp_path):
    table = pd.read_csv(spoken)
    table["path"] = [str(spoken.parent / path) for path in table["path"]]
    first = table["text"].unique()[0]
    kept = table[(table["speaker"] == "s3") | (table["text"] != first)]
    kept.to_csv(tmp_path / "new.csv", index=False)
    own = f"dataset.path={tmp_path / 'new.csv'}", "trainer.max_epochs=1"
    outcome = pretune(compose_stage(*own, "validation_speakers=[s3]"), tmp_path / "run")
    count = (table["text"] == first).sum() / 4
    assert outcome.metrics["val/known_texts"] == pytest.approx(1 - count / 16)
    assert "val/cer_new_texts" in outcome.metrics
    everyone = pretune(compose_stage(*own, "trainer.early_stopping=null"), tmp_path / "all")
    assert not [name for name in everyone.metrics if name.startswith("val/")]
    assert everyone.metrics["clips/validation"] == 0 and not (tmp_path / "all" / "transcripts.csv").exists()
    assert read_json(everyone.model / LANGUAGE)["cer"] is None


def test_the_training_part_of_a_split(compose_stage):
    config = compose_stage("split=fixed", "split.test_speakers=[s3]", "split.validation_speakers=[s1]")
    plan = Plan.make(config)
    parts = plan.transcripts.frame.groupby("part")["speaker"].unique()
    assert {part: sorted(speakers) for part, speakers in parts.items()} == {"train": ["s0", "s2"], "validation": ["s1"]}
    assert plan.heard[0].speakers == ("s0", "s1", "s2")


def test_several_corpora(compose_stage, tmp_path):
    from omegaconf import open_dict

    second = write_speech(tmp_path / "second", make_texts(3, seed=5), speakers=2)
    config = compose_stage("speakers=[a/s0,a/s1,b/s1]", "validation_speakers=[b/s1]")
    with open_dict(config):
        config.data.corpora = {"a": config.dataset.copy(), "b": {**config.dataset, "path": str(second)}}
    assert len(load_manifests(config)) == 4 * 16 + 2 * 3
    plan = Plan.make(config)
    assert plan.transcripts.frame["part"].value_counts().to_dict() == {"train": 32, "validation": 3}
    assert [(each.corpus, each.speakers) for each in plan.heard] == [("a", ("s0", "s1")), ("b", ("s1",))]


def test_carving_keeps_speakers_apart(compose_stage):
    from hydra.utils import instantiate

    config = compose_stage()
    found = read_transcripts(config, instantiate(config.audio), 16000, validates=True)
    train, validation = (set(found.take(part).speakers) for part in ("train", "validation"))
    assert len(validation) == 1 and not train & validation and len(train) == 3
    assert found.known.all()


def test_the_command(spoken, tmp_path, tracking_uri):
    own = ["dataset=csv", f"dataset.path={spoken}", f"tracking.uri={tracking_uri}", f"paths.outputs={tmp_path}"]

    def call(*arguments):
        command = [sys.executable, "-m", "ser", "pretune", *own, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = call("backbone=tiny_hubert", "trainer.max_epochs=1", f"hydra.run.dir={tmp_path / 'here'}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "here")
    assert json.loads((tmp_path / "here" / "model" / LANGUAGE).read_text())["key"]
    wrong = call()
    assert wrong.returncode == 2 and "which backbone" in wrong.stderr and "Traceback" not in wrong.stderr


def test_the_guard_is_a_leak_error():
    assert issubclass(LeakError, InputError)
