import csv
import json
import math

import pytest

from ser.dataset.msp_podcast import MSPPodcast
from ser.errors import InputError

HEADER = ["FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set"]
ROWS = [
    ["MSP-PODCAST_0001_0008.wav", "N", "2.2", "4", "3.6", "127", "Male", "Train"],
    ["MSP-PODCAST_0001_0019.wav", "C", "4.25", "2.5", "5.0", "Unknown", "Unknown", "Train"],
    ["MSP-PODCAST_0002_0033.wav", "H", "5.6", "6.2", "5.2", "8", "Female", "Train"],
    ["MSP-PODCAST_0003_0001.wav", "X", "4.0", "4.0", "4.0", "8", "Female", "Train"],
    ["MSP-PODCAST_0004_0002.wav", "U", "5.0", "4.0", "4.0", "21", "Female", "Development"],
    ["MSP-PODCAST_0005_0002.wav", "A", "6.0", "1.6", "6.2", "30", "Male", "Test1"],
    ["MSP-PODCAST_0005_0003.wav", "O", "3.0", "3.0", "3.0", "30", "Male", "Test1"],
    ["MSP-PODCAST_0006_0004.wav", "F", "5.5", "2.0", "2.5", "30", "Male", "Test2"],
    ["MSP-PODCAST_0006_0005.wav", "D", "", "2.0", "2.5", "44", "Female", "Test2"],
]


def write_labels(top, kind="csv", word="consensus", rows=ROWS, header=HEADER):
    (top / "Labels").mkdir(parents=True, exist_ok=True)
    path = top / "Labels" / f"labels_{word}.{kind}"
    if kind == "json":
        entries = [dict(zip(header, row, strict=True)) for row in rows]
        for entry in entries:
            for column in ("EmoAct", "EmoVal", "EmoDom"):
                entry[column] = float(entry[column]) if entry[column] else None
            if entry["SpkrID"] != "Unknown":
                entry["SpkrID"] = int(entry["SpkrID"])
        path.write_text(json.dumps({entry.pop("FileName"): entry for entry in entries}))
    else:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def release(tmp_path, write_tone):
    """A release in miniature.

    Folders after the readme of release 1.12 (Labels/ with labels_consensus.csv and .json, Audios/, Transcripts/,
    Speaker_ids.txt, Partition.txt), columns and codes after published-systems.md 5.10, JSON by file name; that test
    sets share speakers, that Train holds clips without speaker and that Test3 comes as audio alone after the
    publisher's page (MSP-Podcast.html, release 1.11); labels_concensus and a part named Validation after nkululeko's
    converter of release 1.8.
    """
    for file, *_ in ROWS:
        write_tone(tmp_path / "Audios" / file)
    (tmp_path / "Audios" / "MSP-PODCAST_test3_0001.wav").touch()
    write_labels(tmp_path)
    (tmp_path / "Transcripts").mkdir()
    (tmp_path / "Transcripts" / "MSP-PODCAST_0001_0008.txt").write_text("So that was that.\n")
    for name in ("Partition.txt", "Speaker_ids.txt", "readme.txt"):
        (tmp_path / name).touch()
    return tmp_path


def test_every_column(release):
    frame = MSPPodcast(release).load().frame
    columns = ["clip", "emotion", "label", "speaker", "gender", "split", "arousal", "valence", "dominance"]
    assert frame[columns].to_numpy().tolist() == [
        ["MSP-PODCAST_0001_0008", "neutral", "N", "127", "male", "train", 2.2, 4, 3.6],
        ["MSP-PODCAST_0002_0033", "happiness", "H", "8", "female", "train", 5.6, 6.2, 5.2],
        ["MSP-PODCAST_0004_0002", "surprise", "U", "21", "female", "validation", 5, 4, 4],
        ["MSP-PODCAST_0005_0002", "anger", "A", "30", "male", "test", 6, 1.6, 6.2],
    ]
    assert frame["path"][0] == str(release / "Audios" / "MSP-PODCAST_0001_0008.wav")
    assert set(frame["language"]) == {"en"} and frame["text"].isna().all()


def test_what_is_left_out_is_told(release):
    (release / "Audios" / "MSP-PODCAST_0002_0033.wav").unlink()
    assert MSPPodcast(release).load().notes == (
        "msp_podcast: 1 of 9 labelled clips have no audio here and were left out",
        "msp_podcast: 1 audio files have no label and were left out",
        "msp_podcast: the test part is Test1; left out: Test2 2",
        "msp_podcast: 2 clips whose label names no emotion in use were left out (O 1, X 1)",
        "msp_podcast: 1 clips of unknown speakers were left out (dataset.unknown_speakers=own: kept)",
    )


def test_unknown_speakers_may_be_their_own(release):
    manifest = MSPPodcast(release, unknown_speakers="own").load()
    row = manifest.frame.set_index("clip").loc["MSP-PODCAST_0001_0019"]
    assert (row["speaker"], row["emotion"]) == ("unknown MSP-PODCAST_0001_0019", "contempt") and row.isna()["gender"]
    assert "1 clips of unknown speakers count as a speaker each" in manifest.notes[-1]


def test_another_test_set(release):
    manifest = MSPPodcast(release, test="Test2").load()
    test = manifest.frame[manifest.frame["split"] == "test"]
    assert test["emotion"].tolist() == ["fear", "disgust"] and math.isnan(test["arousal"].iloc[1])
    assert "the test part is Test2; left out: Test1 2" in manifest.notes[1]


def test_the_third_test_set_has_no_labels(release):
    with pytest.raises(InputError, match=r"(?s)dataset.test=Test3.*one of Test1, Test2.*keeps the labels of Test3"):
        MSPPodcast(release, test="Test3").load()


def test_json_gives_the_same_manifest(release):
    original = MSPPodcast(release, unknown_speakers="own").load()
    (release / "Labels" / "labels_consensus.csv").unlink()
    write_labels(release, "json")
    copy = MSPPodcast(release, unknown_speakers="own").load()
    assert copy.frame.equals(original.frame) and copy.notes == original.notes


def test_older_spellings_and_folders(release, tmp_path_factory):
    (release / "Labels" / "labels_consensus.csv").unlink()
    rows = [[*row[:-1], row[-1].replace("Development", "Validation")] for row in ROWS]
    write_labels(release, word="concensus", rows=rows)
    (release / "Audios").rename(release / "Audio")
    top = tmp_path_factory.mktemp("top")
    release.rename(top / "MSP-PODCAST-Publish-1.8")
    frame = MSPPodcast(top).load().frame
    assert frame["split"].tolist() == ["train", "train", "validation", "test"]


def test_transcripts_are_read_when_asked_for(release):
    frame = MSPPodcast(release, transcripts=True).load().frame
    assert frame["text"].dropna().to_dict() == {0: "So that was that."}


def test_choosing_emotions(release):
    assert MSPPodcast(release, emotions=["anger", "neutral"]).load().emotions == ["anger", "neutral"]


@pytest.mark.parametrize(("option", "value"), [("test", "Test4"), ("unknown_speakers", "keep")])
def test_choices_that_do_not_exist(option, value):
    with pytest.raises(InputError, match=rf"(?s)dataset.{option}={value}.*expected"):
        MSPPodcast("anywhere", **{option: value})


def test_a_part_of_another_name(release):
    write_labels(release, rows=[[*ROWS[0][:-1], "Extra"], *ROWS[1:]])
    with pytest.raises(InputError, match=r"split is not one of train, validation, test"):
        MSPPodcast(release, unknown_speakers="own").load()


def test_wrong_folders_and_labels(release, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        MSPPodcast(tmp_path / "nowhere").load()
    with pytest.raises(InputError, match=r"(?s)no labels of msp_podcast.*labels_consensus.csv or .*found MSP-PODCAST"):
        MSPPodcast(release / "Audios").load()
    write_labels(release, header=["File", *HEADER[1:-1], "Split"])
    with pytest.raises(InputError, match=r"(?s)labels_consensus.csv: no column FileName, Split_Set.*found File, Emo"):
        MSPPodcast(release).load()
    (release / "Labels" / "labels_consensus.csv").unlink()
    for text in ("{", "[]", '{"a.wav": 3}'):
        (release / "Labels" / "labels_consensus.json").write_text(text)
        with pytest.raises(InputError, match=r"labels_consensus.json: not labels by file name"):
            MSPPodcast(release).load()
