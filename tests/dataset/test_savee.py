import pytest

from ser.dataset.harmonise import CODES
from ser.dataset.savee import INFO, SAVEE, SPEAKERS
from ser.errors import InputError


def list_names():
    """The 120 names of one speaker: 15 of each emotion, 30 of neutral."""
    return [f"{code}{number:02d}" for code in CODES["savee"] for number in range(1, 31 if code == "n" else 16)]


def touch(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


@pytest.fixture
def complete(tmp_path):
    """The publisher's layout: a folder for each speaker and a text file in ``AudioData``.

    Source: ``AudioData/Info.txt`` ("'DC', 'JE', 'JK' and 'KL' are four male speakers"; "the initial letter(s) of the
    file name represents the emotion class, and the following digits represent the sentence number … 'd03.wav' is the
    3rd disgust sentence"); published-systems.md 5.9 for the counts.
    """
    for speaker in SPEAKERS:
        touch(tmp_path / "AudioData" / speaker, [f"{name}.wav" for name in list_names()])
    (tmp_path / "AudioData" / "Info.txt").write_text("Audio files consist of audio WAV files sampled at 44.1 kHz\n")
    return tmp_path


@pytest.fixture
def flat(tmp_path):
    """The layout of copies in circulation, ``ALL/DC_a01.wav``."""
    touch(tmp_path / "ALL", [f"{speaker}_{name}.wav" for speaker in SPEAKERS for name in list_names()])
    return tmp_path


def test_a_name_is_read_in_both_layouts(tmp_path, write_tone):
    write_tone(tmp_path / "AudioData" / "DC" / "sa01.wav", rate=44100)
    write_tone(tmp_path / "ALL" / "DC_sa01.wav", rate=44100)
    for root in (tmp_path, tmp_path / "AudioData", tmp_path / "AudioData" / "DC", tmp_path / "ALL"):
        (row,) = SAVEE(root).load().frame.to_dict("records")
        assert (row["clip"], row["emotion"], row["label"], row["speaker"]) == ("DC_sa01", "sadness", "sa", "DC")
        assert (row["gender"], row["language"]) == ("male", "en")
        assert row["age"] != row["age"] and row["sentence"] is None and row["text"] is None


def test_the_folder_itself_may_be_the_working_folder(complete, monkeypatch):
    monkeypatch.chdir(complete / "AudioData" / "JK")
    assert SAVEE(".").load().speakers == ["JK"]


def test_every_emotion_code(complete):
    frame = SAVEE(complete).load().frame
    assert frame.groupby("label")["emotion"].unique().str.join(",").to_dict() == {
        "a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "n": "neutral", "sa": "sadness", "su": "surprise",
    }  # fmt: skip


def test_the_complete_copy_gives_no_note(complete):
    manifest = SAVEE(complete).load()
    assert len(manifest) == INFO.clips == 480 and manifest.notes == ()
    assert manifest.frame["emotion"].value_counts().to_dict() == INFO.emotions
    assert manifest.counts().loc["KL"].to_dict() == {
        "anger": 15, "disgust": 15, "fear": 15, "happiness": 15, "neutral": 30, "sadness": 15, "surprise": 15,
    }  # fmt: skip


def test_the_flat_copy_is_the_same_corpus(flat, tmp_path_factory):
    manifest = SAVEE(flat).load()
    folders = tmp_path_factory.mktemp("folders")
    for speaker in SPEAKERS:
        touch(folders / speaker, [f"{name}.FLAC" for name in list_names()])
    assert manifest.notes == () and len(manifest) == 480
    assert SAVEE(folders).load().frame.drop(columns="path").equals(manifest.frame.drop(columns="path"))


def test_a_partial_copy_is_told_with_exact_numbers(complete):
    for path in [*complete.glob("AudioData/JE/su*.wav"), complete / "AudioData" / "DC" / "n30.wav"]:
        path.unlink()
    (note,) = SAVEE(complete).load().notes
    assert note == (
        "savee: this copy has 464 of the published 480 clips "
        "(emotions: neutral 119 of 120, surprise 45 of 60; speakers: DC 119 of 120, JE 105 of 120)"
    )


def test_unrelated_files_are_left_out_and_counted(complete):
    touch(complete / "AudioData" / "DC", ["a16.wav", "n31.wav", "a00.wav", "XY_a01.wav"])
    touch(complete / "AudioData" / "elsewhere", ["a01.wav"])
    manifest = SAVEE(complete).load()
    assert len(manifest) == 480
    assert manifest.notes == ("savee: 5 audio files not named like SAVEE's were left out",)


def test_a_wrong_folder_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        SAVEE(tmp_path / "nowhere").load()
    touch(tmp_path, ["a01.wav"])
    with pytest.raises(InputError, match=r"(?s)none of its 1 audio.*SAVEE's, e.g. a01.wav.*DC/sa01.wav or DC_sa01.wav"):
        SAVEE(tmp_path).load()
