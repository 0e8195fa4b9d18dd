from itertools import product

import pytest

from ser.dataset.harmonise import CODES
from ser.dataset.tess import INFO, SPEAKERS, TESS
from ser.errors import InputError


def list_names():
    """2,800 names; 200 stand-ins for the words, in folders named as the publisher does."""
    letters = "abcdefghijklmnopqrst"
    words = [f"w{first}{second}" for first, second in product(letters, letters[:10])]
    return [f"{s}_{code}/{s}_{word}_{code}.wav" for s in SPEAKERS for code in CODES["tess"] for word in words]


def touch(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def complete(tmp_path):
    touch(tmp_path, list_names())
    return tmp_path


def test_a_name_is_read(tmp_path, write_tone):
    write_tone(tmp_path / "OAF_Pleasant_surprise" / "OAF_bite_ps.wav", rate=24414)
    write_tone(tmp_path / "OAF_Fear" / "OAF_food_fear.wav", rate=96000)
    write_tone(tmp_path / "YAF_angry" / "YAF_back_angry.wav", rate=24414)
    first, second, last = TESS(tmp_path).load().frame.to_dict("records")
    assert (first["clip"], first["emotion"], first["label"], first["speaker"]) == (
        "OAF_bite_ps", "surprise", "ps", "OAF",
    )  # fmt: skip
    assert (first["gender"], first["age"], first["sentence"], first["language"]) == ("female", 64, "bite", "en")
    assert first["text"] == "Say the word bite" and second["emotion"] == "fear"
    assert (last["emotion"], last["gender"], last["age"]) == ("anger", "female", 26)


def test_a_name_misspelt_by_the_publisher_belongs_to_the_older_woman(tmp_path):
    touch(tmp_path, ["OAF_neutral/OA_bite_neutral.wav", "OAF_neutral/OAF_boat_neutral.wav"])
    first, _ = TESS(tmp_path).load().frame.to_dict("records")
    assert (first["clip"], first["speaker"], first["sentence"], first["age"]) == ("OAF_bite_neutral", "OAF", "bite", 64)
    assert first["path"].endswith("OA_bite_neutral.wav")


def test_every_emotion_code(complete):
    frame = TESS(complete).load().frame
    assert frame.groupby("label")["emotion"].unique().str.join(",").to_dict() == {
        "angry": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness", "neutral": "neutral",
        "ps": "surprise", "sad": "sadness",
    }  # fmt: skip


def test_the_complete_copy_gives_no_note(complete):
    manifest = TESS(complete).load()
    assert len(manifest) == INFO.clips == 2800 and manifest.notes == ()
    assert (manifest.counts() == 200).all(axis=None)


def test_a_copy_nested_in_itself_counts_once(tmp_path):
    for folder in ("TESS set", "TESS set/TESS set"):
        touch(tmp_path / folder, list_names())
    manifest = TESS(tmp_path).load()
    assert len(manifest) == 2800 and manifest.frame["path"].is_unique
    assert manifest.notes == (
        "tess: 2800 audio files repeat a clip's name (a copy nested in itself?); the first of each is used",
    )


def test_both_spellings_of_one_file_count_once(tmp_path):
    touch(tmp_path, ["OA_bite_neutral.wav", "OAF_bite_neutral.wav", "YAF_bite_neutral.flac"])
    manifest = TESS(tmp_path).load()
    assert manifest.frame["clip"].tolist() == ["OAF_bite_neutral", "YAF_bite_neutral"]


def test_a_partial_copy_is_told_with_exact_numbers(complete):
    for path in [*sorted(complete.glob("YAF_sad/*"))[:150], complete / "OAF_angry" / "OAF_waa_angry.wav"]:
        path.unlink()
    (note,) = TESS(complete).load().notes
    assert note == (
        "tess: this copy has 2649 of the published 2800 clips "
        "(emotions: anger 399 of 400, sadness 250 of 400; speakers: OAF 1399 of 1400, YAF 1250 of 1400)"
    )


def test_unrelated_files_are_left_out_and_counted(complete):
    touch(complete, ["noise.wav", "MAF_back_sad.wav", "YAF_sad.wav", "readme.txt"])
    manifest = TESS(complete).load()
    assert len(manifest) == 2800
    assert manifest.notes == ("tess: 3 audio files not named like TESS's were left out",)


def test_a_wrong_folder_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        TESS(tmp_path / "nowhere").load()
    touch(tmp_path, ["wav/03a01Fa.wav"])
    with pytest.raises(InputError, match=r"(?s)none of its 1 audio.*TESS's, e.g. 03a01Fa.wav.*OAF_back_angry.wav"):
        TESS(tmp_path).load()


@pytest.mark.data("tess")
def test_the_copy_at_hand(corpus_root):
    manifest = TESS(corpus_root).load()
    counts = manifest.frame["emotion"].value_counts().to_dict()
    assert counts == dict.fromkeys(INFO.emotions, 152) | {"anger": 151}
    assert manifest.frame["sentence"].nunique() == 76
    assert "OAF_bite_neutral" in set(manifest.frame["clip"])
    (note,) = manifest.notes
    assert note.startswith("tess: this copy has 1063 of the published 2800 clips (emotions: anger 151 of 400, ")
    assert note.endswith("; speakers: OAF 531 of 1400, YAF 532 of 1400)")
