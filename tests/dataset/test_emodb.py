import pytest

from ser.dataset.emodb import INFO, SPEAKERS, TEXTS, EmoDB
from ser.dataset.files import find_audio
from ser.errors import InputError

# Clips by emotion letter for speakers 03, 08 ... 16: the published table.
TABLE = {
    "W": [14, 12, 13, 10, 11, 12, 12, 16, 13, 14],
    "L": [5, 10, 4, 8, 8, 5, 10, 8, 9, 14],
    "N": [11, 10, 9, 4, 9, 4, 9, 7, 11, 5],
    "F": [7, 11, 4, 4, 8, 2, 10, 8, 6, 11],
    "A": [4, 6, 1, 8, 10, 6, 7, 12, 8, 7],
    "T": [7, 9, 4, 3, 7, 4, 5, 10, 4, 9],
    "E": [1, 0, 8, 1, 2, 2, 8, 8, 5, 11],
}


def list_names():
    """535 names with the published counts of every speaker and emotion."""
    texts = list(TEXTS)
    for letter, row in TABLE.items():
        for speaker, count in zip(SPEAKERS, row, strict=True):
            for take in range(count):
                yield f"{speaker}{texts[take % 10]}{letter}{'abc'[take // 10]}"


@pytest.fixture
def complete(tmp_path):
    (tmp_path / "wav").mkdir()
    for name in list_names():
        (tmp_path / "wav" / f"{name}.wav").touch()
    return tmp_path


def test_a_name_is_read(tmp_path, write_tone):
    write_tone(tmp_path / "wav" / "03a01Fa.wav")
    write_tone(tmp_path / "wav" / "16b10Ec.wav")
    first, last = EmoDB(tmp_path).load().frame.to_dict("records")
    assert (first["clip"], first["emotion"], first["label"], first["speaker"]) == ("03a01Fa", "happiness", "F", "03")
    assert (first["gender"], first["age"], first["sentence"], first["language"]) == ("male", 31, "a01", "de")
    assert first["text"] == "Der Lappen liegt auf dem Eisschrank." and first["version"] == "a"
    assert (last["emotion"], last["speaker"], last["gender"], last["sentence"]) == ("disgust", "16", "female", "b10")
    assert first["path"] == str(tmp_path / "wav" / "03a01Fa.wav")


def test_any_extension_and_both_roots(tmp_path):
    names = ["03a01Fa.wav", "03a01Wa.WAV", "08a01Na.flac", "08a02Na.FLAC", "09a01Ta.ogg"]
    (tmp_path / "wav").mkdir()
    for name in [*names, "readme.txt", "03a01Fa.lab"]:
        (tmp_path / "wav" / name).touch()
    top, inner = EmoDB(tmp_path).load(), EmoDB(tmp_path / "wav").load()
    assert top.frame["clip"].tolist() == sorted(name[:7] for name in names)
    assert inner.frame.equals(top.frame)


def test_every_emotion_letter(complete):
    frame = EmoDB(complete).load().frame
    letters = frame.groupby("label")["emotion"].unique().str.join(",").to_dict()
    assert letters == {
        "W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "N": "neutral", "T": "sadness",
    }  # fmt: skip


def test_the_complete_copy_gives_no_note(complete):
    manifest = EmoDB(complete).load()
    assert len(manifest) == 535 and manifest.notes == ()
    assert manifest.frame["emotion"].value_counts().to_dict() == INFO.emotions
    assert manifest.counts().loc["08", "disgust"] == 0
    assert manifest.frame.groupby("gender")["speaker"].nunique().to_dict() == {"female": 5, "male": 5}


def test_choosing_emotions_of_a_complete_copy_gives_no_note(complete):
    manifest = EmoDB(complete, ["anger", "neutral"]).load()
    assert len(manifest) == 206 and manifest.notes == ()


def test_a_partial_copy_is_told_with_exact_numbers(complete):
    for path in [*complete.glob("wav/03*E*.wav"), *sorted(complete.glob("wav/08*W*.wav"))[:3]]:
        path.unlink()
    (note,) = EmoDB(complete).load().notes
    assert "531 of the published 535 clips" in note
    assert "emotions: anger 124 of 127, disgust 45 of 46;" in note
    assert "speakers: 03 48 of 49, 08 55 of 58)" in note


def test_unrelated_files_are_left_out_and_counted(complete):
    for name in ("noise.wav", "99a01Fa.wav", "03c01Fa.wav", "03a03Fa.wav"):
        (complete / "wav" / name).touch()
    manifest = EmoDB(complete).load()
    assert len(manifest) == 535
    assert [note for note in manifest.notes if "4 audio files not named like EmoDB's were left out" in note]


def test_a_wrong_folder_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match=r"(?s)dataset.root=.*nowhere: no such folder.*SER_DATA"):
        EmoDB(tmp_path / "nowhere").load()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"(?s)no audio files for emodb.*found notes.txt.*remedy"):
        EmoDB(tmp_path).load()


def test_a_folder_with_other_audio_says_what_names_look_like(tmp_path):
    for name in ("OAF_back_angry.wav", "OAF_bar_sad.wav"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"(?s)none of its 2 audio files.*OAF_back_angry.wav.*03a01Fa.wav"):
        EmoDB(tmp_path).load()


def test_an_unknown_emotion_is_refused(complete):
    with pytest.raises(InputError, match="did you mean 'happiness'"):
        EmoDB(complete, ["happines"]).load()


def test_audio_is_found_sorted_and_folders_are_not_files(tmp_path):
    (tmp_path / "b" / "folder.wav").mkdir(parents=True)
    for name in ("b/z.wav", "a.MP3", "b/x.opus", "c.txt"):
        (tmp_path / name).touch()
    assert find_audio(tmp_path, "mine") == [tmp_path / "a.MP3", tmp_path / "b" / "x.opus", tmp_path / "b" / "z.wav"]


@pytest.mark.data("emodb")
def test_the_copy_at_hand(corpus_root):
    manifest = EmoDB(corpus_root).load()
    assert len(manifest) == 362 and len(manifest.speakers) == 10
    assert "362 of the published 535 clips" in manifest.notes[0]
    four = EmoDB(corpus_root / "wav", ["anger", "neutral", "happiness", "sadness"]).load()
    assert len(four) == 339
    assert four.frame["emotion"].value_counts().to_dict() == {
        "anger": 127,
        "neutral": 79,
        "happiness": 71,
        "sadness": 62,
    }
