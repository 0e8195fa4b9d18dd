"""What was asked, of what data, and what stands against the answer: questions, design, data, threats from files."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
import yaml
from report_tools import read_page

from ser.report import write_report
from ser.report.collect import read_sweep
from ser.report.divisions import Division
from ser.report.page import ask_question
from ser.report.sections.threats import list_threats

CLIPS = {f"{speaker}{place}": speaker for speaker in "abcd" for place in range(4)}


def divide(test="a", validation="b", fold="1", moved=()):
    """A fold by speaker; the clips in ``moved`` train all the same."""
    parts = dict.fromkeys("abcd", "train") | dict.fromkeys(validation, "validation") | dict.fromkeys(test, "test")
    rows = [
        (clip, fold, parts[speaker], speaker, "anger" if clip[1] < "3" else "fear") for clip, speaker in CLIPS.items()
    ]
    rows += [(clip, fold, "train", CLIPS[clip], "anger") for clip in moved]
    return pd.DataFrame(rows, columns=["clip", "fold", "part", "speaker", "emotion"])


def change(path, **values):
    """Other values in a file of a run."""
    read, write = (json.loads, json.dumps) if path.suffix == ".json" else (yaml.safe_load, yaml.safe_dump)
    path.write_text(write(read(path.read_text()) | values))


@pytest.fixture
def make(tmp_path, build):
    """A sweep over heads and seeds, each run with its division."""

    def write(divisions=None, varied=("head", "seed"), **info):
        jobs = []
        for job, rows in enumerate(divisions or [divide()]):
            build("run", tmp_path / str(job), build("predictions", job, 0.7, clips=8))
            rows.to_csv(tmp_path / str(job) / "split.csv", index=False)
            jobs.append(build("job", job, {"head": "svm" if job % 2 else "linear", "seed": str(job // 2)}))
        return build("sweep", tmp_path, jobs, varied, **info)

    return write


def tell(folder):
    return " ".join(text for text, _ in list_threats(read_sweep(folder)))


@pytest.mark.parametrize(
    ("varied", "question"),
    [
        (("backbone", "head", "seed"), "What do backbone and head change?"),
        (("head", "seed"), "What does head change?"),
        (("seed", "split.fold"), "How much does egemaps · svm depend on seed and split.fold?"),
        ((), "How well does egemaps · svm do on planted?"),
    ],
)
def test_the_question_is_derived_from_what_varied(make, varied, question):
    assert ask_question(read_sweep(make(varied=varied))) == question


def test_the_question_can_be_given(make):
    folder = make()
    change(folder / "0" / "config.yaml", question="Is <anger> easy?")
    page, _ = read_page(write_report(folder))
    assert "<h1>Is &lt;anger&gt; easy?</h1>" in page


def test_a_search_asks_for_the_best(make):
    assert ask_question(read_sweep(make(varied=("head",), search="val/uar"))) == "Which head do best?"


def test_the_design_counts_combinations_folds_and_speakers(make):
    two = pd.concat([divide(), divide("d", "a", "2")])
    folder = make([two, two, two])
    config = {"early_stopping": {"monitor": "val/uar", "mode": "max", "patience": 3}, "max_epochs": 9}
    change(folder / "0" / "config.yaml", trainer=config)
    pd.DataFrame({"fold": [0], "epoch": [0], "metric": ["val/uar"], "value": [0.5]}).to_csv(
        folder / "0" / "history.csv", index=False
    )
    page, reader = read_page(write_report(folder))
    assert reader.rows["design"][1:] == [
        ["head", "compared", "2", "linear, svm"],
        ["seed", "repeated", "2", "0, 1"],
    ]
    assert "2 head × 2 seed: 3 of 4 combinations." in page
    assert (
        "whole speakers; 2 folds, in each: 8 training clips of 2 speakers, 4 validation clips of 1 speaker, "
        "4 test clips of 1 speaker"
    ) in page
    assert (
        "linear: the epoch with the highest val/uar of the fold; training ended 3 epochs after it, or after 9" in page
    )


def test_training_rows_that_are_left_out_are_inferred():
    whole = pd.concat([divide(), divide("d", "a", "2")])
    short = Division(whole[whole["part"] != "train"])
    # c is tested nowhere, so the shorter list does not know it: the writer leaves rows out only where all are listed
    sizes = short.sizes.set_index(["fold", "part"])
    assert sizes.loc[("1", "train"), "clips"] == 4 and sizes.loc[("1", "train"), "speakers"] == 1
    assert short.count_shared("speaker") == (0, 0)
    torn = whole[(whole["part"] != "train") & (whole["clip"] != "a0")]
    torn = pd.concat([torn, whole[(whole["fold"] == "2") & (whole["clip"] == "a0")].assign(fold="3", part="test")])
    assert Division(torn).count_shared("speaker") == (1, 3)


def test_leaks_are_found_in_the_lists_of_the_runs(make):
    assert "Checked: no speaker and no clip is in two parts of a fold" in tell(make())
    leaking = tell(make([divide(), divide(moved=["a0"])]))
    assert "Leak: in 1 run, up to 1 speaker are in two parts of a fold (in 1 fold)" in leaking
    assert "Leak: in 1 run, up to 1 clip are in two parts" in leaking and "Checked" not in leaking


def test_copies_under_other_names_are_found(make):
    folder = make()
    assert "Not checked: copies of clips under other names, in 1 run." in tell(folder)
    change(folder / "0" / "dataset.json", same_sound=[["c1", "d1"]])
    assert "Checked: no test clip has exactly the waveform" in tell(folder)
    change(folder / "0" / "dataset.json", same_sound=[["c1", "d1"], ["a0", "d2"]])
    assert "Copies: in 1 run, up to 1 test clip sound exactly like" in tell(folder)


def test_uneven_classes_few_speakers_trials_and_permitted_overlap_are_said(make):
    folder = make()
    found = tell(folder)
    assert "Uneven emotions: anger has 12 clips, fear 4." in found and "Few test speakers (6)" in found
    assert "trial" not in found and "allow_overlap" not in found and "permuted" not in found
    change(
        folder / "0" / "config.yaml",
        debug={"mode": "fast"},
        split={"allow_overlap": True},
        data={"shuffle_labels": 1},
    )
    change(folder / "0" / "environment.json", git_revision="abc-dirty")
    found = tell(folder)
    assert "1 run with debug=fast" in found and "1 run had split.allow_overlap=true" in found
    assert "1 run learnt permuted labels" in found and "git_revision ends in -dirty" in found


def test_emotions_that_a_speaker_does_not_show_are_counted(make):
    rows = divide()
    assert "1 of 8 cells of speaker × emotion have no clip (fear)" in tell(make([rows[rows["clip"] != "c3"]]))


def test_each_corpus_has_its_licence_source_and_sizes(make):
    folder = make()
    corpora = [
        {"name": name, "clips": clips, "speakers": 3, "hours": 0.5, "emotions": {"anger": clips}, "language": "de"}
        for name, clips in (("small", 9), ("large", 1234))
    ]
    corpora[0] |= {"title": "A <small> corpus", "licence": "CC BY 4.0", "citation": "Who, 2020", "url": "https://x.y"}
    change(folder / "0" / "dataset.json", corpora=corpora, notes=["small: 2 clips of fear were left out"], skipped=2)
    (folder / "0" / "notes.json").write_text(json.dumps(["small: 2 clips of fear were left out", "fold 1: no fear"]))
    change(folder / "0" / "config.yaml", data={"train": ["small"], "test": ["small", "large"]})
    page, reader = read_page(write_report(folder))
    assert reader.rows["data"] == [
        ["corpus", "used for", "language", "clips", "speakers", "hours", "anger"],
        ["large", "test", "de", "1,234", "3", "0.50", "1,234"],
        ["small", "training and test", "de", "9", "3", "0.50", "9"],
    ]
    assert "<dt>Licence</dt><dd>CC BY 4.0</dd>" in page and "<dt>From</dt><dd>https://x.y</dd>" in page
    assert "<dt>Licence</dt><dd>not known to ser: ask whoever made it</dd>" in page and "A &lt;small&gt; corpus" in page
    assert page.count("2 clips of fear were left out") == 1 and "2 clips whose audio could not be used" in page
    assert not re.search(r'(?:src|href)="https?:', page)


def test_weights_hardware_and_seeds_are_named(make):
    folder = make()
    (folder / "0" / "backbone.json").write_text(
        json.dumps({"source": "some/weights", "hash": "a1b2", "parameters": 12345})
    )
    change(folder / "0" / "environment.json", hardware="8 x a processor")
    change(folder / "0" / "config.yaml", seed=7)
    page, _ = read_page(write_report(folder))
    assert "some/weights (a1b2, 12,345 parameters)" in page and "8 x a processor" in page and "<dd>7</dd>" in page
