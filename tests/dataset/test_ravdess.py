import pytest

from ser.dataset.ravdess import INFO, RAVDESS
from ser.errors import InputError

SUNG = ("01", "02", "03", "04", "05", "06")


def list_names(channel, actors=range(1, 25)):
    """Names of all spoken (01) or sung (02) clips: neutral at normal intensity only; actor 18 did not sing."""
    for actor in actors:
        if channel == "02" and actor == 18:
            continue
        for code in SUNG if channel == "02" else (*SUNG, "07", "08"):
            for intensity in ("01",) if code == "01" else ("01", "02"):
                for take in ("01-01", "01-02", "02-01", "02-02"):
                    yield f"Actor_{actor:02d}/03-{channel}-{code}-{intensity}-{take}-{actor:02d}.wav"


def touch(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def complete(tmp_path):
    """The 1,440 spoken clips."""
    touch(tmp_path, list_names("01"))
    return tmp_path


@pytest.fixture(scope="module")
def singing(tmp_path_factory):
    """1,440 spoken and 1,012 sung clips in the same folders."""
    folder = tmp_path_factory.mktemp("ravdess")
    touch(folder, [*list_names("01"), *list_names("02")])
    return folder


def test_a_name_is_read(tmp_path, write_tone):
    write_tone(tmp_path / "Actor_12" / "03-01-06-01-02-01-12.wav", rate=48000)
    write_tone(tmp_path / "Actor_05" / "03-01-08-02-01-02-05.wav", rate=48000, channels=2)
    first, last = RAVDESS(tmp_path).load().frame.to_dict("records")
    assert (first["clip"], first["emotion"], first["label"], first["speaker"]) == (
        "03-01-06-01-02-01-12", "fear", "06", "12",
    )  # fmt: skip
    assert (first["gender"], first["sentence"], first["language"]) == ("female", "02", "en")
    assert first["text"] == "Dogs are sitting by the door."
    assert (first["intensity"], first["repetition"], first["channel"]) == ("normal", 1, "speech")
    assert (last["emotion"], last["gender"], last["text"]) == ("surprise", "male", "Kids are talking by the door.")
    assert (last["intensity"], last["repetition"]) == ("strong", 2)


def test_every_emotion_code(complete):
    frame = RAVDESS(complete).load().frame
    assert frame.groupby("label")["emotion"].unique().str.join(",").to_dict() == {
        "01": "neutral", "02": "calm", "03": "happiness", "04": "sadness", "05": "anger", "06": "fear",
        "07": "disgust", "08": "surprise",
    }  # fmt: skip


def test_the_complete_copy_gives_no_note(complete):
    manifest = RAVDESS(complete).load()
    assert len(manifest) == INFO.clips == 1440 and manifest.notes == ()
    assert manifest.frame["emotion"].value_counts().to_dict() == INFO.emotions
    assert manifest.frame.groupby("gender")["speaker"].nunique().to_dict() == {"female": 12, "male": 12}


def test_song_lies_beside_speech(singing):
    speech, song, both = (RAVDESS(singing, channel=channel).load() for channel in ("speech", "song", "both"))
    assert (len(speech), len(song), len(both)) == (1440, 1012, 2452)
    assert speech.notes == song.notes == both.notes == ()
    assert "18" not in song.speakers and not {"disgust", "surprise"} & set(song.emotions)
    assert set(both.frame["channel"]) == {"speech", "song"}


def test_intensity_is_chosen(complete):
    normal, strong = (RAVDESS(complete, intensity=level).load() for level in ("normal", "strong"))
    assert len(normal) == 768 and len(strong) == 672 and normal.notes == strong.notes == ()
    assert "neutral" in normal.emotions and "neutral" not in strong.emotions


def test_calm_is_kept_merged_or_dropped(complete):
    own, merged, dropped = (RAVDESS(complete, calm=calm).load() for calm in ("own", "neutral", "drop"))
    assert own.frame["emotion"].value_counts()[["calm", "neutral"]].tolist() == [192, 96]
    assert merged.frame["emotion"].value_counts()["neutral"] == 288 and "calm" not in merged.emotions
    assert set(merged.frame.loc[merged.frame["emotion"] == "neutral", "label"]) == {"01", "02"}
    assert len(dropped) == 1248 and "calm" not in dropped.emotions
    assert own.notes == merged.notes == dropped.notes == ()


def test_a_partial_copy_is_told_with_exact_numbers(complete):
    for path in [*complete.glob("Actor_03/*-01-01-03.wav"), complete / "Actor_24" / "03-01-01-01-02-02-24.wav"]:
        path.unlink()
    for choices in ({}, {"intensity": "strong"}, {"calm": "neutral"}):
        (note,) = RAVDESS(complete, **choices).load().notes
        assert note == (
            "ravdess: this copy has 1424 of the published 1440 clips (emotions: anger 190 of 192, calm 190 of 192, "
            "disgust 190 of 192, fear 190 of 192, happiness 190 of 192, neutral 94 of 96, sadness 190 of 192, "
            "surprise 190 of 192; speakers: 03 45 of 60, 24 59 of 60)"
        )


def test_a_copy_nested_in_itself_counts_once(complete):
    touch(complete / "audio_speech_actors_01-24", list_names("01"))
    manifest = RAVDESS(complete).load()
    assert len(manifest) == 1440 and not manifest.frame["path"].str.contains("audio_speech").any()
    (note,) = manifest.notes
    assert note.startswith("ravdess: 1440 audio files repeat a clip's name")


def test_unrelated_files_are_left_out_and_counted(complete):
    odd = ("noise", "01-01-06-01-02-01-12", "03-01-06-01-02-01-25", "03-03-06-01-02-01-12")
    touch(complete / "Actor_12", [f"{name}.wav" for name in odd])
    manifest = RAVDESS(complete).load()
    assert len(manifest) == 1440
    assert manifest.notes == ("ravdess: 4 audio files not named like RAVDESS's were left out",)


def test_any_extension_and_both_roots(tmp_path):
    touch(tmp_path / "Actor_01", ["03-01-01-01-01-01-01.FLAC", "03-01-02-01-01-01-01.ogg", "notes.txt"])
    top, inner = RAVDESS(tmp_path).load(), RAVDESS(tmp_path / "Actor_01").load()
    assert len(top) == 2 and inner.frame.equals(top.frame)


def test_a_wrong_folder_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        RAVDESS(tmp_path / "nowhere").load()
    touch(tmp_path, ["OAF_back_angry.wav"])
    with pytest.raises(InputError, match=r"(?s)none of its 1 audio.*RAVDESS's, e.g. OAF_back.*03-01-06-01-02-01-12"):
        RAVDESS(tmp_path).load()


def test_a_choice_that_is_none_or_leaves_nothing_is_refused(complete):
    for choices in ({"channel": "sung"}, {"intensity": "loud"}, {"calm": "merge"}):
        with pytest.raises(InputError, match=rf"(?s)dataset.{next(iter(choices))}=.*no such choice.*one of"):
            RAVDESS(complete, **choices).load()
    with pytest.raises(InputError, match=r"(?s)dataset.channel=song: none of the 1440 clips.*dataset.channel=speech"):
        RAVDESS(complete, channel="song").load()


@pytest.mark.data("ravdess")
def test_the_copy_at_hand(corpus_root):
    manifest = RAVDESS(corpus_root).load()
    assert manifest.notes == ()
    assert manifest.frame["emotion"].value_counts().to_dict() == INFO.emotions
    assert manifest.frame["speaker"].value_counts().to_dict() == {f"{actor:02d}": 60 for actor in range(1, 25)}
    assert (manifest.frame.groupby(["sentence", "emotion"])["speaker"].nunique() == 24).all()
