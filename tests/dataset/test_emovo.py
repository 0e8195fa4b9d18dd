import pytest

from ser.dataset.emovo import EMOVO, INFO, SPEAKERS, TEXTS
from ser.dataset.harmonise import CODES
from ser.errors import InputError


@pytest.fixture
def complete(tmp_path):
    """588 names in the publisher's six folders."""
    for speaker in SPEAKERS:
        (tmp_path / speaker).mkdir()
        for code in CODES["emovo"]:
            for sentence in TEXTS:
                (tmp_path / speaker / f"{code}-{speaker}-{sentence}.wav").touch()
    return tmp_path


def test_a_name_is_read(tmp_path, write_tone):
    write_tone(tmp_path / "f2" / "gio-f2-b2.wav", rate=48000, channels=2)
    write_tone(tmp_path / "m3" / "tri-m3-n5.wav", rate=48000)
    first, last = EMOVO(tmp_path).load().frame.to_dict("records")
    assert (first["clip"], first["emotion"], first["label"], first["speaker"]) == (
        "gio-f2-b2", "happiness", "gio", "f2",
    )  # fmt: skip
    assert (first["gender"], first["age"], first["sentence"], first["language"]) == ("female", 23, "b2", "it")
    assert first["text"] == "I vigili sono muniti di pistola."
    assert (last["emotion"], last["speaker"], last["gender"], last["age"]) == ("sadness", "m3", "male", 30)
    assert last["text"] == "Uno quarantatré dieci mille cinquantasette venti."
    assert first["path"] == str(tmp_path / "f2" / "gio-f2-b2.wav")


def test_any_extension_and_both_roots(tmp_path):
    (tmp_path / "f1").mkdir()
    for name in ("dis-f1-b1.wav", "neu-f1-b1.FLAC", "pau-f1-d2.ogg", "documenti.txt"):
        (tmp_path / "f1" / name).touch()
    top, inner = EMOVO(tmp_path).load(), EMOVO(tmp_path / "f1").load()
    assert top.frame["clip"].tolist() == ["dis-f1-b1", "neu-f1-b1", "pau-f1-d2"]
    assert inner.frame.equals(top.frame)


def test_every_emotion_code(complete):
    frame = EMOVO(complete).load().frame
    assert frame.groupby("label")["emotion"].unique().str.join(",").to_dict() == {
        "dis": "disgust", "gio": "happiness", "neu": "neutral", "pau": "fear", "rab": "anger", "sor": "surprise",
        "tri": "sadness",
    }  # fmt: skip


def test_the_complete_copy_gives_no_note(complete):
    manifest = EMOVO(complete).load()
    assert len(manifest) == INFO.clips == 588 and manifest.notes == ()
    assert (manifest.counts() == 14).all(axis=None)
    assert manifest.frame.groupby("gender")["speaker"].nunique().to_dict() == {"female": 3, "male": 3}
    assert (manifest.frame.groupby("sentence")["emotion"].nunique() == 7).all()


def test_a_partial_copy_is_told_with_exact_numbers(complete):
    for path in [*complete.glob("f1/dis-*"), complete / "m2" / "neu-m2-b1.wav"]:
        path.unlink()
    (note,) = EMOVO(complete, ["anger", "fear"]).load().notes
    assert note == (
        "emovo: this copy has 573 of the published 588 clips "
        "(emotions: disgust 70 of 84, neutral 83 of 84; speakers: f1 84 of 98, m2 97 of 98)"
    )


def test_unrelated_files_are_left_out_and_counted(complete):
    for name in ("noise.wav", "dis-f4-b1.wav", "dis-f1-b9.wav", "dis-f1.wav", "._dis-f1-b1.wav"):
        (complete / "f1" / name).touch()
    manifest = EMOVO(complete).load()
    assert len(manifest) == 588
    assert manifest.notes == ("emovo: 5 audio files not named like EMOVO's were left out",)


def test_a_wrong_folder_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match=r"(?s)nowhere: no such folder.*the folder of emovo"):
        EMOVO(tmp_path / "nowhere").load()
    (tmp_path / "03a01Fa.wav").touch()
    with pytest.raises(InputError, match=r"(?s)none of its 1 audio files.*EMOVO's, e.g. 03a01Fa.wav.*gio-f2-b2.wav"):
        EMOVO(tmp_path).load()


@pytest.mark.data("emovo")
def test_the_copy_at_hand(corpus_root):
    manifest = EMOVO(corpus_root).load()
    assert manifest.notes == ()
    assert manifest.frame["emotion"].value_counts().to_dict() == INFO.emotions
    assert manifest.frame["speaker"].value_counts().to_dict() == dict.fromkeys(SPEAKERS, 98)
    assert (manifest.counts() == 14).all(axis=None)
