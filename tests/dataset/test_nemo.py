import pytest

from ser.dataset.harmonise import CODES
from ser.dataset.nemo import INFO, NEMO
from ser.errors import InputError

HEADER = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
# Clips by speaker for anger, fear, happiness, neutral, sadness, surprised: counted in the publisher's table.
TABLE = {
    "EB0": [90, 90, 90, 90, 90, 89],
    "IC0": [90, 90, 90, 90, 90, 90],
    "KD0": [90, 90, 90, 90, 90, 90],
    "KS0": [90, 90, 90, 90, 90, 90],
    "MK0": [90, 90, 90, 90, 90, 0],
    "MP0": [29, 17, 30, 90, 49, 41],
    "SM0": [90, 89, 89, 90, 90, 90],
    "TP0": [90, 90, 90, 90, 90, 89],
    "WR0": [90, 90, 90, 89, 90, 90],
}


def touch(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def write_table(path, names):
    """The publisher's columns and padding, for clips ``<speaker>_<emotion>_<sentence>``."""
    rows = [
        f"{name}.wav\t{name.split('_')[1]}\tZdanie „{name.split('_')[2]}”.\tzdanie\t        {name[:3]}\tfemale\t27\n"
        for name in names
    ]
    path.write_text(HEADER + "".join(rows), encoding="utf-8")


def list_names():
    """4,481 names with the published counts of every speaker and emotion."""
    for speaker, row in TABLE.items():
        for code, count in zip(CODES["nemo"], row, strict=True):
            for sentence in range(1, count + 1):
                yield f"{speaker}_{code}_{sentence}"


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nemo")
    names = list(list_names())
    touch(folder / "samples", [f"{name}.wav" for name in names])
    write_table(folder / "data.tsv", names)
    return folder


@pytest.fixture
def small(tmp_path):
    names = ["EB0_anger_1", "EB0_surprised_1", "WR0_neutral_90"]
    touch(tmp_path / "samples", [f"{name}.wav" for name in names])
    write_table(tmp_path / "data.tsv", names)
    return tmp_path


def test_a_name_is_read(tmp_path, write_tone):
    write_tone(tmp_path / "samples" / "EB0_surprised_13.wav", rate=24000)
    write_tone(tmp_path / "samples" / "WR0_neutral_7.wav", rate=24000)
    (tmp_path / "data.tsv").write_text(
        HEADER
        + 'EB0_surprised_13.wav\tsurprised\tInteresuje "mnie" historia. \tx\t        EB0\tfemale\t27\n'
        + "WR0_neutral_7.wav\tneutral\t„Ród smoka” to serial.\tx\t        WR0\t male \t23\n",
        encoding="utf-8",
    )
    first, last = NEMO(tmp_path).load().frame.to_dict("records")
    assert (first["clip"], first["emotion"], first["label"], first["speaker"]) == (
        "EB0_surprised_13", "surprise", "surprised", "EB0",
    )  # fmt: skip
    assert (first["gender"], first["age"], first["sentence"], first["language"]) == ("female", 27, "13", "pl")
    assert first["text"] == 'Interesuje "mnie" historia.'
    assert (last["emotion"], last["gender"], last["age"], last["text"]) == (
        "neutral", "male", 23, "„Ród smoka” to serial.",
    )  # fmt: skip


def test_the_complete_copy_gives_no_note(complete):
    manifest = NEMO(complete).load()
    assert len(manifest) == INFO.clips == 4481 and manifest.notes == ()
    assert manifest.frame["emotion"].value_counts().to_dict() == INFO.emotions
    assert manifest.frame["text"].notna().all()
    assert manifest.counts().loc["MK0", "surprise"] == 0


def test_any_extension_and_both_roots(small):
    (small / "samples" / "EB0_anger_1.wav").rename(small / "samples" / "EB0_anger_1.FLAC")
    top, inner = NEMO(small).load(), NEMO(small / "samples").load()
    assert inner.frame.equals(top.frame) and top.frame["text"].tolist()[0] == "Zdanie „1”."


def test_without_the_table_the_audio_still_loads(small):
    (small / "data.tsv").unlink()
    manifest = NEMO(small).load()
    assert manifest.frame[["text", "gender", "age"]].isna().all(axis=None)
    assert manifest.notes[-1] == (
        "nemo: no data.tsv next to or above the audio: transcripts, sexes and ages are unknown"
    )


def test_clips_missing_from_the_table_are_told(small):
    write_table(small / "data.tsv", ["EB0_anger_1"])
    manifest = NEMO(small).load()
    assert manifest.frame["age"].isna().sum() == 2
    assert manifest.notes[-1].startswith("nemo: 2 clips do not occur in ")


def test_a_table_of_another_kind_is_refused(small):
    (small / "data.tsv").write_text("file,emotion\nEB0_anger_1.wav,anger\n")
    with pytest.raises(InputError, match=r"(?s)data.tsv: no column file_id, raw_text, .*found file,emotion"):
        NEMO(small).load()
    for content in (b"", HEADER.encode() + b"EB0_anger_1.wav\xff\n"):
        (small / "data.tsv").write_bytes(content)
        with pytest.raises(InputError, match=r"(?s)data.tsv: cannot be read: .*file_id, raw_text.*remedy"):
            NEMO(small).load()


def test_a_partial_copy_is_told_with_exact_numbers(small):
    (note,) = NEMO(small).load().notes
    assert note == (
        "nemo: this copy has 3 of the published 4481 clips (emotions: anger 1 of 749, fear 0 of 736, "
        "happiness 0 of 749, neutral 1 of 809, sadness 0 of 769, surprise 1 of 669; speakers: EB0 2 of 539, "
        "IC0 0 of 540, KD0 0 of 540, KS0 0 of 540, MK0 0 of 450, MP0 0 of 256, SM0 0 of 538, TP0 0 of 539, "
        "WR0 1 of 539)"
    )


def test_unrelated_files_are_left_out_and_counted(small):
    odd = ("noise", "XX0_anger_1", "EB0_anger_91", "EB0_anger_0", "EB0_anger")
    touch(small / "samples", [f"{name}.wav" for name in odd])
    manifest = NEMO(small).load()
    assert len(manifest) == 3
    assert manifest.notes[-1] == "nemo: 5 audio files not named like nEMO's were left out"


def test_a_wrong_folder_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        NEMO(tmp_path / "nowhere").load()
    touch(tmp_path, ["03a01Fa.wav"])
    with pytest.raises(InputError, match=r"(?s)none of its 1 audio.*nEMO's, e.g. 03a01Fa.wav.*SM0_happiness_7.wav"):
        NEMO(tmp_path).load()


@pytest.mark.data("nemo")
def test_the_copy_at_hand(corpus_root):
    manifest = NEMO(corpus_root).load()
    assert manifest.frame["emotion"].value_counts().to_dict() == {
        "anger": 120, "fear": 120, "happiness": 126, "neutral": 125, "sadness": 123, "surprise": 101,
    }  # fmt: skip
    (note,) = manifest.notes
    assert note.startswith("nemo: this copy has 715 of the published 4481 clips (emotions: anger 120 of 749, ")
    assert note.endswith("MP0 58 of 256, SM0 84 of 538, TP0 84 of 539, WR0 83 of 539)")
    assert manifest.frame["text"].notna().all()
    assert (manifest.frame.groupby("sentence")["text"].nunique() == 1).all()
    assert manifest.frame.groupby("gender")["speaker"].nunique().to_dict() == {"female": 4, "male": 5}
