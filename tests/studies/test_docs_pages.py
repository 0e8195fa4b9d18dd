"""Pages that tell how to add something: a test writes their files, gives their commands, looks at what comes of it."""

import json
import sys

import pandas as pd
import pytest
import yaml
from page_tools import ROOT, list_blocks, list_commands
from study_tools import PITCH, RATE, TINY_CNN, make_tone

DOCS = ROOT / "docs"


@pytest.fixture
def follow(ser, tmp_path, monkeypatch):
    """Write the files of a page into a folder of its own and give its commands there; each with some keys besides.

    The keys make it small: which corpus, how many clips. ``x`` is what a reader fills in.
    """
    folder = tmp_path / "reader"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [item for item in sys.path if item])
    for name in ("mycorpus", "spectrum", "bands", "contrast"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def write(name):
        blocks = list_blocks(DOCS / name)
        for block in blocks:
            if block.title:
                (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.title).write_text(block.text)
        return [words for block in blocks for words in list_commands(block)]

    def run(commands, stage, keys, filled="x"):
        results = []
        for words in commands:
            assert words[0] == "ser"
            mine = [str(item).replace("=x", f"={filled}") for item in words[1:]]
            said = ser(*mine, *(keys if words[1] == stage else ()))
            assert said.code == 0, (words, said.err)
            results.append(said)
        return results

    return folder, write, run


def test_a_parser_for_a_corpus(follow):
    import soundfile

    folder, write, run = follow
    (folder / "recordings").mkdir()
    for speaker in range(6):
        for code, emotion in (("ang", "anger"), ("neu", "neutral"), ("sad", "sadness")):
            wave = make_tone(PITCH[emotion], [speaker, ord(code[0])], 0.4)
            for take in range(2):
                soundfile.write(folder / "recordings" / f"s{speaker}_{code}_{take}.wav", wave * (1 - 0.1 * take), RATE)
    listed, checked, trained = run(write("add-a-corpus.md"), "train", [])
    assert "Recordings of our lab: 12 speakers" in listed.out
    assert json.loads((checked.folder / "check.json").read_text())["clips"] == 36
    predictions = pd.read_parquet(trained.folder / "predictions.parquet")
    assert set(predictions["dataset"]) == {"mycorpus"} and set(predictions["true"]) == {"anger", "neutral", "sadness"}


def test_a_backbone(follow, tones):
    _, write, run = follow
    quick = ["trainer.max_epochs=10", "trainer.batch_size=8", "optimizer.lr=0.01"]  # of 36 clips: 50 steps
    keys = [*tones.overrides, *quick, "report=false", "statistics=none"]
    spectrum, sweep, pooled, attended = run(write("add-a-backbone.md"), "train", keys)
    for said, target in ((spectrum, "spectrum.AverageSpectrum"), (pooled, "bands.Bands"), (attended, "bands.Bands")):
        assert yaml.safe_load((said.folder / "config.yaml").read_text())["backbone"]["_target_"] == target
        predictions = pd.read_parquet(said.folder / "predictions.parquet")
        hits = predictions["true"] == predictions["predicted"]
        assert len(hits) == 9 and hits.mean() > 0.6, "emotions differ in pitch, which both must hear; chance is a third"
    jobs = json.loads((sweep.folder / "sweep.json").read_text())["jobs"]
    assert [job["state"] for job in jobs] == ["finished"] * 4


def test_frames_of_the_page_depend_on_neither_batch_nor_padding(follow):
    import torch

    folder, write, _ = follow
    write("add-a-backbone.md")
    sys.path.append(str(folder))
    from bands import Bands

    network = Bands().build()
    clips = [torch.as_tensor(make_tone(200.0, [seed], seconds)) for seed, seconds in ((1, 0.3), (2, 0.5), (3, 0.01))]
    padded = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True)
    (states,), counts = network(padded, torch.tensor([len(clip) for clip in clips]))
    for clip, state, count in zip(clips, states, counts, strict=True):
        (alone,), (frames,) = network(clip[None], torch.tensor([len(clip)]))
        assert count == frames == alone.shape[1]
        torch.testing.assert_close(state[:count], alone[0])


def test_an_explainer(follow, tones, train):
    _, run_folder = train(*tones.overrides, *TINY_CNN, "head=linear", "trainer.max_epochs=1", name="explained")
    _, write, run = follow
    keys = ["explain.n_per_class=1", "explain_eval=none", "cue_link=none", "report=false"]
    one, several = run(write("add-an-explainer.md"), "explain", keys, filled=run_folder)
    records = json.loads((one.folder / "explanation.json").read_text())
    assert len(records) == 3 and all(record["valid"] for record in records)
    jobs = json.loads((several.folder / "sweep.json").read_text())["jobs"]
    assert [job["overrides"]["explainer"] for job in jobs] == ["contrast", "integrated_gradients", "random"]
    assert all(job["state"] in ("finished", "skipped") for job in jobs)


def test_ones_own_table(follow, tones):
    folder, write, run = follow
    clips = pd.read_csv(tones.table).rename(columns={"path": "file", "speaker": "actor", "gender": "sex"})
    clips["expressed"] = clips.pop("emotion").replace({"anger": "W"})
    (folder / "wav").symlink_to(tones.folder / "wav")
    clips.to_csv(folder / "clips.csv", index=False)
    commands = write("your-own-corpus.md")
    keys = ["dataset.values.emotion.W=anger", "backbone=noise", "head=ridge", "head.tune=false"]
    (said,) = run([commands[0]], "train", keys)
    assert json.loads((said.folder / "dataset.json").read_text())["emotions"] == dict.fromkeys(
        ("anger", "neutral", "sadness"), 18
    )
    checked, again = run(commands[1:], "train", keys[1:])
    assert "54 clips" in checked.out and again.folder != said.folder


def test_choices_of_ones_own(follow, tones):
    folder, write, run = follow
    commands = write("own-choices.md")
    shown = [words for words in commands if words[1] == "show"]
    run(shown, "train", [])
    assert (folder / "conf" / "head" / "wide.yaml").is_file() and (
        folder / "conf" / "trainer" / "default.yaml"
    ).is_file()
    trials = [words for words in commands if "debug=fast" in words]
    (said,) = run(trials, "train", [*tones.overrides, *TINY_CNN[1:], "head=huge"])
    notes = json.loads((said.folder / "notes.json").read_text())
    assert any(note.startswith("debug=fast") for note in notes)
