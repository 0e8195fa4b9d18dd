"""The published studies: every command composes at every scale, and a study ends with its page."""

import csv
import json
import re

import pytest
from omegaconf import OmegaConf
from study_commands import compose_first, list_commands
from study_tools import TINY_CNN

from ser.errors import InputError
from ser.published.judge import UNTESTED
from ser.published.read import PUBLISHED, read_publication
from ser.study import find_study, list_studies, read_study

NAMES = [path.parent.name for path in list_studies()]
SCALES = [(name, scale) for name in NAMES for scale in read_study(find_study(name)).scales]
PUBLISHED_NAMES = [name for name in NAMES if (find_study(name).parent / PUBLISHED).is_file()]


def read_beside(name):
    path = find_study(name)
    study = read_study(path)
    return study, read_publication(path.parent / PUBLISHED, [step.name for step in study.steps], study.scales)


def test_there_are_the_four_systems_and_planted_cues():
    assert set(NAMES) >= {"beyond-saliency2025", "dixit2024", "i3-2024", "i3-embeddings", "kumar2021", "planted"}
    assert set(PUBLISHED_NAMES) >= set(NAMES) - {"planted"}
    assert all((find_study(name).parent / "README.md").is_file() for name in NAMES)


@pytest.mark.parametrize(("name", "scale"), SCALES)
def test_every_command_composes(name, scale):
    for step, command in list_commands(read_study(find_study(name)), scale):
        config = compose_first(command)
        if command[0] == "train":
            assert OmegaConf.to_container(config, resolve=True, throw_on_missing=True), step
        assert config.choices.get("explainer", "none") or step


@pytest.mark.parametrize("name", PUBLISHED_NAMES)
def test_what_was_published_is_sound(name):
    _, publication = read_beside(name)
    asked = {condition.number for claim in publication.claims for condition in claim.tests}
    assert publication.question and publication.differences and asked
    for number in publication.numbers:
        assert number.obtained is not None or number.value is not None, number.id
        assert number.obtained is not None or number.why, number.id
    for claim in publication.claims:
        assert "smoke" in claim.scales or claim.why, claim.id


TINY = (
    "dataset=planted dataset.speakers=4 dataset.utterances_per_speaker=6 dataset.jobs=1 "
    "backbone=noise backbone.dim=4 head=knn head.tune=false"
)
STUDY = f"""# A study of tests
scales:
  smoke: {{corpus: {TINY}, seeds: [1, 2]}}
  full: {{corpus: {TINY}, seeds: range(1,4)}}
steps:
  - name: sweep
    run: train -m ${{*corpus}} split=kfold split.folds=2 seed=${{seeds}} statistics=none hydra.sweep.dir=${{here}}
  - name: gone
    run: train ${{*corpus}} head=nonsense
"""
BESIDE = """
title: A <tiny> publication
source: nobody 2026
question: Is it above chance?
differences: [everything]
claims:
  - {id: chance, statement: Noise is at chance., source: ours, scales: [smoke],
     tests: [{number: uar, kind: within, than: 0.1667, margin: 0.6}]}
  - {id: better, statement: Noise is good., source: ours, scales: [smoke],
     tests: [{number: own, kind: above, than: 0.9}]}
  - {id: later, statement: Noise is bad., source: ours, why: of the data,
     tests: [{number: uar, kind: below, than: 1}]}
  - {id: lost, statement: Lost., source: ours, scales: [smoke], tests: [{number: lost, kind: above}]}
numbers:
  - {id: uar, quantity: UAR, source: table 1, value: 0.2, sd: 0.1, n: 3,
     obtained: {step: sweep, jobs: true, file: predictions.parquet, value: correct, over: speaker}}
  - {id: own, quantity: UAR of a seed, source: ours,
     obtained: {step: sweep, jobs: true, where: {seed: 2}, value: test/uar,
                low: test/uar_ci_low, high: test/uar_ci_high}}
  - {id: lost, quantity: of a failed step, source: ours, obtained: {step: gone, value: test/uar}}
  - {id: wrong, quantity: of no column, source: ours, obtained: {step: sweep, jobs: true, value: nothing, over: seed}}
  - {id: only, quantity: only published, source: table 2, value: 7, why: we did not look}
"""


@pytest.fixture
def tiny(tmp_path):
    """A study with what was published beside it."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "study.yaml").write_text(STUDY)
    (folder / PUBLISHED).write_text(BESIDE)
    return folder


def test_a_study_ends_with_its_page(ser, tiny):
    said = ser("study", tiny)
    assert said.code == 1 and "did not finish: gone" in said.err  # the page comes all the same
    page = (said.folder / "report.html").read_text()
    verdicts = {row["claim"]: row for row in csv.DictReader((said.folder / "verdicts.csv").open())}
    assert {name: row["verdict"] for name, row in verdicts.items()} == {
        "chance": "supported",
        "better": "not supported",
        "later": UNTESTED,
        "lost": UNTESTED,
    }
    assert verdicts["later"]["reason"] == "of the data" and "step gone failed" in verdicts["lost"]["reason"]
    assert "chance  supported" in said.out and f"page: {said.folder / 'report.html'}" in said.out
    numbers = {row["number"]: row for row in csv.DictReader((said.folder / "numbers.csv").open())}
    runs = [json.loads((said.folder / "sweep" / str(job) / "metrics.json").read_text())["test/wa"] for job in (0, 1)]
    assert float(numbers["uar"]["obtained"]) == pytest.approx(sum(runs) / 2) and numbers["uar"]["over"] == "4 speakers"
    assert (
        numbers["uar"]["low"]
        and numbers["only"]["obtained"] == ""
        and "no column nothing" in numbers["wrong"]["reason"]
    )
    assert "A &lt;tiny&gt; publication" in page and "1 supported" in page and "ser study tiny scale=smoke" in page
    assert "± 0.1, n = 3" in page and not re.search(r"https?://(?!www\.w3\.org)|<link|<img|src=", page)
    again = ser("study", tiny)
    assert "[1/2] sweep: done before" in again.out and (said.folder / "report.html").read_text().count(
        "<svg"
    ) == page.count("<svg")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("step: gone", "step: none", "step none"),
        ("number: lost", "number: nothing", "number nothing"),
        ("kind: below", "kind: beneath", "above, below"),
        ("margin: 0.6", "margin: 0", "a margin above 0"),
        ("scales: [smoke]", "scales: [big]", "scales"),
        ("id: better", "id: chance", "id chance"),
        ("title: A <tiny> publication", "titel: x", "titel"),
        ("value: 7", "worth: 7", "worth"),
        ("title: A <tiny>", "title: [", "not YAML"),
    ],
)
def test_what_is_wrong_in_it_is_said_before_anything_runs(ser, tiny, old, new, says):
    text = (tiny / PUBLISHED).read_text()
    assert old in text
    (tiny / PUBLISHED).write_text(text.replace(old, new))
    said = ser("study", tiny)
    assert said.code == 2 and says in said.err and "[1/2]" not in said.out, said.err


def test_a_word_becomes_several(tiny):
    commands = dict(list_commands(read_study(tiny / "study.yaml"), "smoke"))
    assert commands["sweep"][1:4] == ["-m", "dataset=planted", "dataset.speakers=4"]
    with pytest.raises(InputError, match="nothing"):
        (tiny / "study.yaml").write_text(STUDY.replace("${*corpus}", "${*nothing}"))
        read_study(tiny / "study.yaml")


def test_published_windows_of_several_explainers_have_a_page_without_scores(ser, tones, outputs):
    keys = [*tones.overrides, *TINY_CNN, "head=linear", "split=official", "trainer.max_epochs=1"]
    trained = ser("train", *keys, f"hydra.run.dir={outputs / 'run'}")
    assert trained.code == 0, trained.err
    keys = [f"run={trained.folder}", "explain.n_per_class=1", "explain_eval=none", "cue_link=windows"]
    said = ser("explain", "-m", *keys, "cue_link.windows.width=0.05", "explainer=random,energy")
    assert said.code == 0, said.err
    assert list((said.folder / "evaluation").glob("*/explanation.html"))
