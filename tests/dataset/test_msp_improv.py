import math

import pytest

from ser.dataset.msp_improv import CONDITIONS, INFO, MSPImprov
from ser.errors import InputError

#: turn, label, activation, valence, dominance, raters
TURNS = [
    ("S01A-F01-P-FM01", "N", "3.000000", "3.500000", "3.000000", ["Neutral", "Neutral", "Happy"]),
    ("S01A-F01-S-FM01", "A", "1.800000", "1.600000", "NaN", ["Angry", "Angry", "Angry", "Other"]),
    ("S01A-M01-P-FM02", "H", "2.000000", "4.600000", "3.000000", ["Happy", "Happy"]),
    ("S01A-M01-T-MF03", "X", "3.000000", "3.000000", "3.000000", ["Sad", "Neutral"]),
    ("S20S-F06-R-FF01", "N", "3.400000", "2.600000", "2.000000", ["Neutral"]),
    ("S20S-M06-T-MF10", "O", "3.000000", "3.000000", "3.000000", ["Other", "Other"]),
    ("S20S-M06-S-MF01", "S", "4.200000", "1.800000", "2.200000", ["Sad", "Sad"]),
]


def build(top, write, labels="Evalution.txt", audio="", turns=TURNS):
    """The publisher's layout in miniature.

    Folders and names after published-systems.md 5.5 and the header of ertk's converter (session1/S01A/P/*.wav and
    *.avi); label lines after the patterns of three public parsers (emorec and ertk: ``D:… ; N:…;`` with a blank before
    that semicolon and NaN where nobody rated; rater lines ``name; Sad|Angry|Happy|Neutral|Other; secondary; A:…``,
    some raters listed twice, copied; a blank line between turns). That activation runs from 1, high, to 5, low: a
    parser that turns it round with a comment saying so, and the flip_aro option of another toolkit's README. Turns
    FM and MF of one speaker: lists of file names in public recipes. Some copies have ``Audio/session1`` and one
    text file a turn.
    """
    blocks = []
    for turn, label, activation, valence, dominance, raters in turns:
        scene, speaker, condition, _ = turn.split("-")
        write(top / audio / f"session{int(speaker[1:])}" / scene / condition / f"MSP-IMPROV-{turn}.wav")
        lines = [f"UTD-IMPROV-{turn}.avi; {label}; A:{activation}; V:{valence}; D:{dominance} ; N:4.000000;"]
        votes = [
            f"ID_{index:02d}-x; {emotion}; {emotion},Excited; A:2; V:3; D:NaN; N:4;"
            for index, emotion in enumerate(raters)
        ]
        blocks.append("\n".join([*lines, *votes, votes[0]]))
    (top / labels).write_text("\n\n".join(blocks) + "\n\n")
    return top


@pytest.fixture
def corpus(tmp_path, write_tone):
    return build(tmp_path, lambda path: write_tone(path, rate=44100))


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_every_column(corpus):
    frame = MSPImprov(corpus).load().frame
    columns = ["clip", "emotion", "label", "speaker", "gender", "session", "condition", "target", "scene", "sentence"]
    assert frame[columns].fillna("-").to_numpy().tolist() == [
        ["MSP-IMPROV-S01A-F01-P-FM01", "neutral", "N", "F01", "female", "1", "P", "A", "S01A", "-"],
        ["MSP-IMPROV-S01A-F01-S-FM01", "anger", "A", "F01", "female", "1", "S", "A", "S01A", "01"],
        ["MSP-IMPROV-S01A-M01-P-FM02", "happiness", "H", "M01", "male", "1", "P", "A", "S01A", "-"],
        ["MSP-IMPROV-S20S-F06-R-FF01", "neutral", "N", "F06", "female", "6", "R", "S", "S20S", "20"],
        ["MSP-IMPROV-S20S-M06-S-MF01", "sadness", "S", "M06", "male", "6", "S", "S", "S20S", "20"],
    ]
    assert frame["path"][0] == str(corpus / "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav")
    assert set(frame["language"]) == {"en"} and frame["text"].isna().all()


def test_the_perceived_emotion_is_the_class_and_not_the_targeted_one(corpus):
    frame = MSPImprov(corpus).load().frame.set_index("clip")
    read = frame.loc["MSP-IMPROV-S20S-F06-R-FF01"]
    assert (read["emotion"], read["target"]) == ("neutral", "S")


def test_arousal_rises_with_activation(corpus):
    manifest = MSPImprov(corpus).load()
    frame = manifest.frame
    assert frame["arousal"].tolist() == pytest.approx([3, 4.2, 4, 2.6, 1.8])
    assert frame["valence"].tolist() == [3.5, 1.6, 4.6, 2.6, 1.8] and set(frame["naturalness"]) == {4}
    assert math.isnan(frame["dominance"][1]) and frame["dominance"][0] == 3
    assert not [note for note in manifest.notes if "arousal" in note]


def test_a_scale_turned_round_already_is_told(tmp_path):
    turns = [(turn, label, {"A": "4.5", "S": "1.5"}.get(label, "3.0"), *rest) for turn, label, _, *rest in TURNS]
    notes = MSPImprov(build(tmp_path, touch, turns=turns)).load().notes
    assert "anger has less arousal than sadness" in notes[-1]


def test_votes_of_raters_listed_twice_count_once(corpus):
    frame = MSPImprov(corpus).load().frame
    rated = frame[[column for column in frame if column.startswith("rated_")]]
    assert rated.columns.tolist() == [f"rated_{e}" for e in ("anger", "happiness", "neutral", "sadness", "other")]
    assert rated.to_numpy().tolist()[1] == [0.75, 0, 0, 0, 0.25]
    assert rated.to_numpy().tolist()[0] == pytest.approx([0, 1 / 3, 2 / 3, 0, 0])


def test_notes_of_a_partial_copy(corpus):
    (corpus / "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav").unlink()
    (corpus / "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM09.wav").touch()
    notes = MSPImprov(corpus).load().notes
    assert "4 of the published 7798 clips (emotions: anger 1 of 792, happiness 1 of 2644" in notes[0]
    assert "speakers: 4 of 12" in notes[0]
    assert notes[1:] == (
        "msp_improv: 1 of 7 labelled clips have no audio here and were left out",
        "msp_improv: 1 audio files have no label and were left out",
        "msp_improv: 2 clips whose label names no emotion in use were left out (O 1, X 1)",
    )


@pytest.mark.parametrize(("condition", "count"), [("all", 5), ("P", 2), (["S", "R"], 3), (["R"], 1)])
def test_conditions(corpus, condition, count):
    frame = MSPImprov(corpus, condition=condition).load().frame
    assert len(frame) == count and (condition == "all" or set(frame["condition"]) == set(condition))


def test_a_condition_that_does_not_exist():
    with pytest.raises(InputError, match=r"(?s)dataset.condition=Q.*all, or some of P, R, S, T"):
        MSPImprov("anywhere", condition=["S", "Q"])


def test_sizes_of_conditions_tell_whether_the_letters_are_understood(corpus, monkeypatch):
    monkeypatch.setattr("ser.dataset.msp_improv.CONDITIONS", {"P": 2, "R": 1, "S": 2, "T": 2})
    assert not [note for note in MSPImprov(corpus).load().notes if "sizes" in note]
    monkeypatch.setattr("ser.dataset.msp_improv.CONDITIONS", {"P": 1, "R": 1, "S": 3, "T": 2})
    (note,) = [note for note in MSPImprov(corpus).load().notes if "sizes" in note]
    assert "(P 2 of 1, R 1 of 1, S 2 of 3, T 2 of 2); check their letters" in note


def test_the_published_counts():
    assert sum(CONDITIONS.values()) == 8438 and INFO.clips == 7798


def test_other_spelling_folder_and_transcripts(tmp_path):
    top = tmp_path / "MSP-IMPROV"
    top.mkdir()
    build(top, touch, "Evaluation.txt", "Audio")
    (top / "Text").mkdir()
    (top / "Text" / "MSP-IMPROV-S01A-F01-S-FM01.txt").write_text("How can I not?\n")
    frame = MSPImprov(tmp_path).load().frame
    assert len(frame) == 5 and frame["text"].dropna().tolist() == ["How can I not?"]


def test_wrong_folders(tmp_path, corpus):
    with pytest.raises(InputError, match="no such folder"):
        MSPImprov(tmp_path / "nowhere").load()
    with pytest.raises(InputError, match=r"(?s)no labels of msp_improv.*Evalution.txt or Evaluation.txt; found S01A"):
        MSPImprov(corpus / "session1").load()
    (corpus / "Evalution.txt").write_text("nothing\n")
    with pytest.raises(InputError, match=r"(?s)Evalution.txt: no label of MSP-IMPROV.*UTD-IMPROV-S01A"):
        MSPImprov(corpus).load()


def test_labels_without_their_audio(corpus):
    for path in corpus.rglob("*.wav"):
        path.rename(path.with_name(path.name.replace("MSP", "USP")))
    with pytest.raises(
        InputError, match=r"(?s)none of the 7 labelled clips.*MSP-IMPROV-S01A-F01-P-FM01.wav; found USP"
    ):
        MSPImprov(corpus).load()
