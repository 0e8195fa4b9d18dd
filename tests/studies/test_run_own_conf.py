"""A folder ``conf`` where a command is given joins in, wins, and may name classes beside it."""

import json
import sys

import pytest
import yaml

MODULE = '''
"""Loudness alone."""
import numpy as np


class Level:
    frames = False
    rate = 16000

    def identify(self):
        return {"extractor": "level"}

    def compute(self, waveform):
        return np.float32([np.log(np.square(waveform).mean() + 1e-9), np.abs(waveform).max()])
'''
YAML = "# The level of a clip\n_target_: level_of_clips.Level\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a backbone of its own, and a module that it names."""
    folder = tmp_path / "here"
    (folder / "conf" / "backbone").mkdir(parents=True)
    (folder / "conf" / "backbone" / "level.yaml").write_text(YAML)
    (folder / "level_of_clips.py").write_text(MODULE)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [item for item in sys.path if item])
    monkeypatch.delitem(sys.modules, "level_of_clips", raising=False)
    return folder


def test_a_run_and_its_explanation(here, ser, tones):
    said = ser("train", *tones.overrides, "backbone=level", "head=logreg", "head.tune=false", "split=holdout")
    assert said.code == 0, said.err
    config = yaml.safe_load((said.folder / "config.yaml").read_text())
    assert config["choices"]["backbone"] == "level" and config["backbone"]["_target_"] == "level_of_clips.Level"
    keys = ["explain_eval=none", "cue_link=none", "explain.n_per_class=1", "report=false"]
    said = ser("explain", f"run={said.folder}", "explainer=occlusion", *keys)
    assert said.code == 0, said.err
    assert len(json.loads((said.folder / "explanation.json").read_text())) == 3


def test_what_only_a_run_names_is_not_trusted(here, ser, tones, tmp_path, monkeypatch):
    said = ser("train", *tones.overrides, "backbone=level", "head=logreg", "head.tune=false")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    said = ser("explain", f"run={said.folder}", "explainer=occlusion")
    assert said.code == 2 and "it would run level_of_clips.Level" in said.err
    assert "conf/" in said.err


def test_a_sweep_has_it_and_later_edits_do_not_reach_it(here, ser, tones):
    (here / "conf" / "head").mkdir()
    mine = here / "conf" / "head" / "mine.yaml"
    mine.write_text("# Mine\ndefaults: [dummy]\n")
    keys = ["-m", *tones.overrides, "backbone=noise,level", "head=mine", "report=false", "statistics=none"]
    said = ser("train", *keys)
    assert said.code == 0, said.err
    jobs = json.loads((said.folder / "sweep.json").read_text())["jobs"]
    assert [job["state"] for job in jobs] == ["finished", "finished"]
    mine.write_text("# Mine\ndefaults: [dummy_stratified]\n")
    said = ser("train", *keys)
    jobs = json.loads((said.folder / "sweep.json").read_text())["jobs"]
    assert [job["state"] for job in jobs] == ["finished", "finished"], "the new head is another run"


def test_without_one_nothing_joins_in(ser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = ser("train", "--info", "searchpath")
    assert "conf where you are" not in said.out and "main" in said.out
    (tmp_path / "conf").mkdir()
    said = ser("train", "--info", "searchpath")
    lines = said.out.splitlines()
    own, main = (next(i for i, line in enumerate(lines) if word in line) for word in ("conf where you are", "| main"))
    assert own < main


def test_the_configuration_of_a_command_can_be_seen_without_running_it(ser, runs, outputs):
    said = ser("train", "head=mlp", "head.dropout=0.5", "--cfg", "job")
    assert said.code == 0 and yaml.safe_load(said.out)["head"]["dropout"] == 0.5
    assert runs() == [] and not (outputs / "runs").exists()
