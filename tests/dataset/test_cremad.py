from itertools import chain, cycle

import pytest

from ser.dataset.cremad import ACTORS, CREMAD, INFO, TEXTS
from ser.dataset.harmonise import CODES
from ser.errors import InputError

HEADER = '"ActorID","Age","Sex","Race","Ethnicity"\n'


def list_names():
    """7,442 names: 12 sentences in six emotions, IEO at three intensities but for neutral, less 20 clips.

    91 actors x 82 is 7,462; published are 5 neutral clips and 3 of every other emotion fewer. Which, is made up.
    ``1040_ITH_SAD_X`` is the publisher's spelling.
    """
    missing = {"NEU": 5} | dict.fromkeys([code for code in CODES["cremad"] if code != "NEU"], 3)
    for actor in ACTORS:
        for sentence in TEXTS:
            for code in CODES["cremad"]:
                levels = ("LO", "MD", "HI") if sentence == "IEO" and code != "NEU" else ("XX",)
                for level in levels:
                    if sentence == "WSI" and missing[code]:
                        missing[code] -= 1
                        continue
                    name = f"{actor}_{sentence}_{code}_{level}"
                    yield "1040_ITH_SAD_X" if name == "1040_ITH_SAD_XX" else name


def write_actors(path):
    """The publisher's table: its header, quoting and first row; the rest keeps its 48 men and 43 women."""
    rows = ['1001,51,"Male","Caucasian","Not Hispanic"', '1002,21,"Female","Caucasian","Hispanic"']
    others = chain(['"Male"', '"Female"'] * 42, ['"Male"'] * 5)
    races = cycle(['"African American"', '"Asian"', '"Unknown"'])
    for actor, sex, race in zip(ACTORS[2:], others, races, strict=False):
        rows.append(f'{actor},{20 + actor % 55},{sex},{race},"Not Hispanic"')
    path.write_text(HEADER + "\n".join(rows) + "\n")


def touch(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """The layout of github.com/CheyneyComputerScience/CREMA-D: every clip twice, tables and scripts beside them.

    Source: its README ("Audio Files", "Processed Audio"), file list, ``VideoDemographics.csv`` and
    ``SentenceFilenames.csv``; published-systems.md 5.8 for the counts. MP3 only of some.
    """
    folder = tmp_path_factory.mktemp("CREMA-D")
    names = list(list_names())
    touch(folder / "AudioWAV", [f"{name}.wav" for name in names])
    touch(folder / "AudioMP3", [f"{name}.mp3" for name in names[:300]])
    touch(folder / "VideoFlash", [f"{name}.flv" for name in names[:3]])
    touch(folder, ["README.md", "SentenceFilenames.csv", "processFinishedResponses.r"])
    write_actors(folder / "VideoDemographics.csv")
    return folder


@pytest.fixture
def small(tmp_path):
    """Four clips and the table of actors."""
    touch(tmp_path / "AudioWAV", [f"{actor}_IEO_{tail}.wav" for actor in (1001, 1002) for tail in ("ANG_HI", "NEU_XX")])
    write_actors(tmp_path / "VideoDemographics.csv")
    return tmp_path


def test_a_name_is_read(tmp_path, write_tone):
    write_tone(tmp_path / "AudioWAV" / "1001_IEO_ANG_HI.wav")
    write_tone(tmp_path / "AudioWAV" / "1002_WSI_HAP_XX.wav")
    write_actors(tmp_path / "VideoDemographics.csv")
    first, last = CREMAD(tmp_path).load().frame.to_dict("records")
    assert (first["clip"], first["emotion"], first["label"], first["speaker"]) == (
        "1001_IEO_ANG_HI", "anger", "ANG", "1001",
    )  # fmt: skip
    assert (first["gender"], first["age"], first["race"], first["ethnicity"]) == (
        "male", 51, "Caucasian", "Not Hispanic",
    )  # fmt: skip
    assert (first["sentence"], first["text"], first["language"]) == ("IEO", "It's eleven o'clock.", "en")
    assert (first["intensity"], last["intensity"]) == ("high", "unspecified")
    assert (last["emotion"], last["gender"], last["age"], last["ethnicity"]) == ("happiness", "female", 21, "Hispanic")
    assert last["text"] == "We'll stop in a couple of minutes."


def test_the_complete_copy_gives_no_note(complete):
    manifest = CREMAD(complete).load()
    assert len(manifest) == INFO.clips == 7442 and manifest.notes == ()
    assert manifest.frame["emotion"].value_counts().to_dict() == INFO.emotions
    assert manifest.frame.groupby("gender")["speaker"].nunique().to_dict() == {"female": 43, "male": 48}
    assert manifest.frame["path"].str.endswith(".wav").all()
    assert manifest.frame["sentence"].value_counts()["IEO"] == 1456
    assert manifest.frame["intensity"].value_counts().to_dict() == {
        "unspecified": 6077, "low": 455, "medium": 455, "high": 455,
    }  # fmt: skip


def test_the_name_misspelt_by_the_publisher_is_read(complete):
    frame = CREMAD(complete).load().frame.set_index("clip")
    assert frame.loc["1040_ITH_SAD_XX", "path"].endswith("1040_ITH_SAD_X.wav")


def test_every_emotion_code(complete):
    frame = CREMAD(complete).load().frame
    assert frame.groupby("label")["emotion"].unique().str.join(",").to_dict() == {
        "ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness",
    }  # fmt: skip


def test_the_table_of_actors_is_found_beside_and_above(small):
    top, inner = CREMAD(small).load(), CREMAD(small / "AudioWAV").load()
    assert inner.frame.equals(top.frame) and inner.frame["age"].tolist() == [51, 51, 21, 21]
    (small / "VideoDemographics.csv").rename(small / "AudioWAV" / "VideoDemographics.csv")
    assert CREMAD(small).load().frame.equals(top.frame)


def test_without_the_table_the_audio_still_loads(small):
    (small / "VideoDemographics.csv").unlink()
    manifest = CREMAD(small).load()
    assert manifest.frame[["gender", "age", "race", "ethnicity"]].isna().all(axis=None)
    assert manifest.notes[-1] == (
        "cremad: no VideoDemographics.csv next to or above the audio: sex, age, race and ethnicity are unknown"
    )


def test_a_table_with_gaps_leaves_gaps(small):
    (small / "VideoDemographics.csv").write_text(HEADER + '1001,"","Male","","Not Hispanic"\n')
    frame = CREMAD(small).load().frame
    assert frame["gender"].tolist()[:2] == ["male", "male"] and frame["gender"].isna().tolist()[2:] == [True, True]
    assert frame["age"].isna().all() and frame["race"].isna().all()


def test_a_table_of_another_kind_is_refused(small):
    (small / "VideoDemographics.csv").write_text("Actor;Age\n1001;51\n")
    with pytest.raises(InputError, match=r"(?s)VideoDemographics.csv: no column ActorID, Sex, .*found Actor;Age"):
        CREMAD(small).load()


def test_mp3_alone_is_read(tmp_path):
    touch(tmp_path / "AudioMP3", ["1001_IEO_ANG_HI.mp3", "1001_IEO_ANG_LO.MP3"])
    assert CREMAD(tmp_path).load().frame["intensity"].tolist() == ["high", "low"]


def test_a_partial_copy_is_told_with_exact_numbers(small):
    (note,) = CREMAD(small, ["anger"]).load().notes
    assert note == (
        "cremad: this copy has 4 of the published 7442 clips (emotions: anger 2 of 1271, disgust 0 of 1271, "
        "fear 0 of 1271, happiness 0 of 1271, neutral 2 of 1087, sadness 0 of 1271; speakers: 2 of 91)"
    )


def test_unrelated_files_are_left_out_and_counted(small):
    odd = ("noise", "1000_IEO_ANG_HI", "1092_IEO_ANG_HI", "1001_XXX_ANG_HI", "1001_IEO_ANG")
    touch(small / "AudioWAV", [f"{name}.wav" for name in odd])
    manifest = CREMAD(small).load()
    assert len(manifest) == 4
    assert manifest.notes[-1] == "cremad: 5 audio files not named like CREMA-D's were left out"


def test_a_wrong_folder_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        CREMAD(tmp_path / "nowhere").load()
    touch(tmp_path, ["03a01Fa.wav"])
    with pytest.raises(InputError, match=r"(?s)none of its 1 audio.*CREMA-D's, e.g. 03a01Fa.*1001_IEO_ANG_HI.wav"):
        CREMAD(tmp_path).load()
