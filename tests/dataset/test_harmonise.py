"""The table of codes: complete, known to every parser, shown as it is."""

from pathlib import Path

import pandas as pd
import pytest

from ser.data.catalogue import describe_codes, list_corpora
from ser.dataset.cremad import CREMAD
from ser.dataset.emodb import EmoDB
from ser.dataset.emovo import EMOVO
from ser.dataset.harmonise import CODES, EMOTION_SYNONYMS, find_emotion, harmonise, list_emotions, name_emotions
from ser.dataset.manifest import EMOTIONS
from ser.dataset.nemo import NEMO
from ser.dataset.ravdess import RAVDESS
from ser.dataset.savee import SAVEE
from ser.dataset.tess import TESS
from ser.errors import InputError

DOCS = Path(__file__).parents[2] / "docs" / "corpora.md"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("HAPPY", "happiness"),
        (" joy ", "happiness"),
        ("ang", "anger"),
        ("ps", "surprise"),
        ("calm", "calm"),
        ("wonder", "wonder"),
    ],
)
def test_synonyms(code, name):
    assert harmonise(code, EMOTION_SYNONYMS) == name


@pytest.mark.parametrize("gap", [None, float("nan"), "", "  "])
def test_a_gap_stays_a_gap(gap):
    assert harmonise(gap, EMOTION_SYNONYMS) is None


def test_codes_and_synonyms_lead_to_known_names_only():
    named = {emotion for codes in CODES.values() for emotion in codes.values()} | set(EMOTION_SYNONYMS.values())
    assert named - {None} <= set(EMOTIONS)


def test_every_corpus_has_its_codes_and_the_counts_of_their_emotions():
    listed = {entry.name: entry for entry in list_corpora()}
    assert set(CODES) == set(listed) - {"csv", "audformat", "planted_a0"}  # planted_a0 has no emotions
    for name, codes in CODES.items():
        assert listed[name].codes == codes
        assert listed[name].emotions is None or sorted(listed[name].emotions) == list_emotions(name)


def test_the_documentation_shows_the_table_as_it_is():
    shown = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if "anger: " in line]
    names = {name: ", ".join(f"`{part}`" for part in name.split(", ")) for name in describe_codes()}
    assert shown == [f"| {names[name]} | {codes} |" for name, codes in describe_codes().items()]


@pytest.mark.parametrize(
    ("corpus", "name", "code", "known"),
    [
        (CREMAD, "1001_IEO_SUR_HI", "SUR", "ANG (anger)"),
        (EmoDB, "03a01Xa", "X", "W (anger), L (boredom)"),
        (EMOVO, "xxx-f1-b1", "xxx", "rab (anger)"),
        (NEMO, "EB0_bored_1", "bored", "surprised (surprise)"),
        (RAVDESS, "03-01-09-01-02-01-12", "09", "08 (surprise)"),
        (SAVEE, "DC_s01", "s", "sa (sadness)"),
        (TESS, "YAF_back_pleasant_surprised", "pleasant_surprised", "ps (surprise)"),
    ],
)
def test_a_file_with_a_code_that_is_not_in_the_table(corpus, name, code, known, tmp_path):
    (tmp_path / f"{name}.wav").touch()
    with pytest.raises(InputError) as raised:
        corpus(tmp_path).load()
    for word in (f"{tmp_path / name}.wav: {code!r} is not one of the codes", known, "dataset.values.emotion"):
        assert word in str(raised.value)


def test_a_label_that_is_not_in_the_table():
    frame = pd.DataFrame({"label": ["ang", "xxx", None, "happy"], "path": ["a.wav", "b.wav", "c.wav", "d.wav"]})
    kept, notes = name_emotions(frame.head(3), "iemocap", "mine")
    assert kept[["path", "emotion"]].to_numpy().tolist() == [["a.wav", "anger"]]
    assert notes == ["mine: 2 clips whose label names no emotion in use were left out (none 1, xxx 1)"]
    with pytest.raises(
        InputError, match=r"(?s)d.wav: 'happy' is not one .* iemocap.*hap \(happiness\).*xxx \(no emotion\)"
    ):
        name_emotions(frame, "iemocap", "mine")
    assert find_emotion("iemocap", "oth", "b.wav") is None
