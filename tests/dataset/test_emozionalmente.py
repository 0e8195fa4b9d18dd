import math
import shutil

import pytest

from ser.dataset.emozionalmente import INFO, Emozionalmente, find_part
from ser.errors import InputError

ANNA, BEA, CARLO, DARIO = (digit * 64 for digit in "abcd")
#: epoch in ms, actor, sentence, emotion
SAMPLES = [
    ("1612872848291", ANNA, "Vorrei il numero telefonico del Signor Piatti.", "anger"),
    ("1612872848292", ANNA, "Non è possibile, sei già qui?", "joy"),
    ("1612872848293", BEA, "Non è possibile, sei già qui?", "neutrality"),
    ("1612872848294", CARLO, "Non è possibile, sei già qui?", "surprise"),
    ("1612872848295", DARIO, "Sabato sera, cosa farà?", "disgust"),
]
USERS = [(ANNA, "female", "31"), (BEA, "female", "24"), (CARLO, "male", "67"), (DARIO, "other", "19"), ("e", "m", "1")]
#: Five raters a clip; clip ...295 was never rated.
HEARD = {
    "1612872848291": ["anger", "anger", "anger", "disgust", "anger"],
    "1612872848292": ["joy", "surprise", "joy", "neutrality", "neutrality"],
    "1612872848293": ["neutrality"] * 5,
    "1612872848294": ["fear"] * 5,
}


def write_table(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    quoted = [",".join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows]
    path.write_text("\n".join([header, *quoted, ""]), encoding="utf-8")


@pytest.fixture
def corpus(tmp_path, write_tone):
    """The publisher's layout in miniature.

    Folder and column names after Zenodo record 12616095 (version 1.1), nkululeko's converter of the corpus
    (data/emozionalmente/create.py: file_name, actor, sentence, emotion_expressed; username, gender, age,
    mother_tongue; file_name, emotion_recognized) and published-systems.md 5.3: file names are epochs in milliseconds,
    actors 64 hexadecimal digits, codes joy and neutrality, nominal 16 kHz with some files at 44.1 kHz. Sentences hold
    commas and accents; the archive carries what macOS leaves (``__MACOSX``, ``._name``).
    """
    top = tmp_path / "emozionalmente"
    for index, (clip, *_) in enumerate(SAMPLES):
        write_tone(top / "audio" / f"{clip}.wav", rate=44100 if index == 4 else 16000)
    rows = [(f"{clip}.wav", *rest) for clip, *rest in SAMPLES]
    write_table(top / "metadata" / "samples.csv", "file_name,actor,sentence,emotion_expressed", rows)
    users = [(*row, "italian") for row in USERS]
    write_table(top / "metadata" / "users.csv", "username,gender,age,mother_tongue", users)
    votes = [(f"{clip}.wav", f"{i:064x}", emotion) for clip, heard in HEARD.items() for i, emotion in enumerate(heard)]
    write_table(top / "metadata" / "evaluations.csv", "file_name,evaluator,emotion_recognized", votes)
    (top / "audio" / "._1612872848291.wav").write_bytes(b"\x00\x05\x16\x07")
    shutil.copytree(top, tmp_path / "__MACOSX" / "emozionalmente")
    return top


def rename_copy(corpus, target):
    """System S2's copy: every file named ``<gender>____<actor>____<emotion>____<file>`` (published-systems.md 5.3)."""
    target.mkdir()
    gender = {name: sex for name, sex, _ in USERS}
    for clip, actor, _, emotion in SAMPLES:
        shutil.copy(corpus / "audio" / f"{clip}.wav", target / f"{gender[actor]}____{actor}____{emotion}____{clip}.wav")
    return target


def test_the_publishers_layout(corpus):
    frame = Emozionalmente(corpus).load().frame
    assert frame["clip"].tolist() == [clip for clip, *_ in SAMPLES]
    assert frame["emotion"].tolist() == ["anger", "happiness", "neutral", "surprise", "disgust"]
    assert frame["label"].tolist() == ["anger", "joy", "neutrality", "surprise", "disgust"]
    assert frame["speaker"].tolist() == [ANNA, ANNA, BEA, CARLO, DARIO]
    assert frame["gender"].tolist() == ["female", "female", "female", "male", "other"]
    assert frame["age"].tolist() == [31, 31, 24, 67, 19]
    assert frame["text"].tolist() == frame["sentence"].tolist() == [sentence for _, _, sentence, _ in SAMPLES]
    assert frame["path"].tolist() == [str(corpus / "audio" / f"{clip}.wav") for clip, *_ in SAMPLES]
    assert set(frame["language"]) == {"it"} and set(frame["mother_tongue"]) == {"italian"}


def test_what_listeners_heard(corpus):
    frame = Emozionalmente(corpus).load().frame
    assert frame["rated_anger"].tolist()[:4] == [0.8, 0, 0, 0] and math.isnan(frame["rated_anger"][4])
    assert frame["rated_happiness"].tolist()[:4] == [0, 0.4, 0, 0]
    rated = frame.loc[:3, [column for column in frame if column.startswith("rated_")]]
    assert rated.sum(axis=1).tolist() == pytest.approx([1, 1, 1, 1]) and rated.shape[1] == 7
    assert frame["recognised"].tolist()[:4] == [0.8, 0.4, 1, 0] and math.isnan(frame["recognised"][4])
    assert frame["raters"].tolist()[:4] == [5, 5, 5, 5]
    assert INFO.human_uar == 0.66


def test_a_partial_copy_says_what_is_missing(corpus):
    (corpus / "audio" / "1612872848295.wav").unlink()
    (corpus / "audio" / "1.wav").touch()
    notes = Emozionalmente(corpus).load().notes
    assert "4 of the published 6902 clips" in notes[0] and "disgust 0 of 986" in notes[0]
    assert "speakers: 3 of 431" in notes[0]
    assert notes[1:] == (
        "emozionalmente: 1 of 5 labelled clips have no audio here and were left out",
        "emozionalmente: 1 audio files have no label and were left out",
        "emozionalmente: this copy has no official split (version 1.1 ships one)",
    )


PARTS = ["train", "train", "validation", "test", "test"]


@pytest.mark.parametrize("column", ["split", "partition", "set"])
def test_the_split_as_a_column_of_the_samples(corpus, column):
    codes = ["train", "Train", "dev", "test", "TEST"]
    rows = [(f"{clip}.wav", *rest, code) for (clip, *rest), code in zip(SAMPLES, codes, strict=True)]
    write_table(corpus / "metadata/samples.csv", f"file_name,actor,sentence,emotion_expressed,{column}", rows)
    assert Emozionalmente(corpus).load().frame["split"].tolist() == PARTS


def test_the_split_as_a_column_of_the_users(corpus):
    rows = [(*row, part) for row, part in zip(USERS, ["train", "dev", "test", "test", ""], strict=True)]
    write_table(corpus / "metadata/users.csv", "username,gender,age,split", rows)
    assert Emozionalmente(corpus).load().frame["split"].tolist() == PARTS


@pytest.mark.parametrize("header", ["file_name,emotion", "file_name"])
def test_the_split_as_a_table_a_part(corpus, header):
    files = dict(zip(("train", "dev", "test"), (SAMPLES[:2], SAMPLES[2:3], SAMPLES[3:]), strict=True))
    for part, samples in files.items():
        rows = [(f"audio/{clip}.wav", emotion)[: header.count(",") + 1] for clip, *_, emotion in samples]
        write_table(corpus / "splits" / f"{part}_set.csv", header, rows)
    (corpus / "README.txt").write_bytes(b"\xff\xfe train and test")
    assert Emozionalmente(corpus).load().frame["split"].tolist() == PARTS


def test_the_split_as_lists_of_actors_without_header(corpus):
    for part, actors in {"train": [ANNA], "validation": [BEA], "test": [CARLO, DARIO]}.items():
        (corpus / "metadata" / f"{part}.txt").write_text("\n".join(actors))
    assert Emozionalmente(corpus).load().frame["split"].tolist() == PARTS


def test_the_split_as_folders_of_audio(corpus):
    for (clip, *_), part in zip(SAMPLES, ["train", "train", "dev", "test", "test"], strict=True):
        (corpus / "audio" / part).mkdir(exist_ok=True)
        (corpus / "audio" / f"{clip}.wav").rename(corpus / "audio" / part / f"{clip}.wav")
    assert Emozionalmente(corpus).load().frame["split"].tolist() == PARTS


def test_a_split_with_gaps_is_told(corpus):
    (corpus / "test.csv").write_text(f"actor\n{CARLO}\n{DARIO}\n")
    manifest = Emozionalmente(corpus).load()
    assert manifest.frame["split"].isna().tolist() == [True, True, True, False, False]
    assert manifest.notes[-1] == "emozionalmente: 3 clips are in no part of the official split"


@pytest.mark.parametrize(
    ("value", "part"),
    [("dev", "validation"), ("Test-set", "test"), ("train_dev_test", None), ("users", None), (None, None)],
)
def test_names_of_parts(value, part):
    assert find_part(value) == part


def test_renamed_files_without_metadata(corpus, tmp_path):
    manifest = Emozionalmente(rename_copy(corpus, tmp_path / "renamed")).load()
    original = Emozionalmente(corpus).load().frame
    columns = ["clip", "emotion", "label", "speaker", "gender"]
    assert manifest.frame[columns].equals(original[columns])
    assert manifest.frame["age"].isna().all() and manifest.frame["split"].isna().all()
    assert manifest.notes[1] == "emozionalmente: no metadata/samples.csv: age, sentence and split are unknown"


def test_renamed_files_with_metadata_give_the_same_manifest(corpus, tmp_path):
    original = Emozionalmente(corpus).load().frame.drop(columns="path")
    renamed = rename_copy(corpus, tmp_path / "renamed")
    shutil.copytree(corpus / "metadata", renamed / "metadata")
    assert Emozionalmente(renamed).load().frame.drop(columns="path").equals(original)


def test_renamed_files_may_spell_emotions_as_results_do(tmp_path):
    for emotion in ("happiness", "Joy", "neutral"):
        (tmp_path / f"F____{ANNA}____{emotion}____{len(emotion)}.wav").touch()
    frame = Emozionalmente(tmp_path).load().frame
    assert frame["emotion"].tolist() == ["happiness", "neutral", "happiness"] and set(frame["gender"]) == {"female"}
    assert frame["label"].tolist() == ["joy", "neutrality", "joy"]


def test_the_archive_may_be_unpacked_one_folder_deeper(corpus, tmp_path):
    frame = Emozionalmente(tmp_path).load().frame
    assert len(frame) == 5 and frame["emotion"].tolist()[0] == "anger"


def test_other_genders_and_unlisted_actors_are_told(corpus):
    write_table(corpus / "metadata/users.csv", "username,gender,age", [(ANNA, "non-binary", "31"), (BEA, "F", "")])
    manifest = Emozionalmente(corpus).load()
    assert manifest.frame["gender"].fillna("?").tolist() == ["other", "other", "female", "?", "?"]
    assert manifest.notes[-2:] == (
        "emozionalmente: gender non-binary is read as other",
        "emozionalmente: 2 actors are not in metadata/users.csv: their sex and age are unknown",
    )


def test_tables_of_users_and_raters_may_be_missing(corpus):
    for name in ("users", "evaluations"):
        (corpus / "metadata" / f"{name}.csv").unlink()
    manifest = Emozionalmente(corpus).load()
    assert manifest.frame["gender"].isna().all() and "rated_anger" not in manifest.frame
    assert manifest.notes[-1] == "emozionalmente: no metadata/users.csv: sex and age are unknown"


def test_a_table_without_the_column(corpus):
    write_table(corpus / "metadata/samples.csv", "file_name,speaker,sentence,emotion", [("1.wav", "x", "y", "z")])
    with pytest.raises(InputError, match=r"(?s)samples.csv: no column actor, emotion_expressed.*found file_name, sp"):
        Emozionalmente(corpus).load()


def test_emotions_that_are_none(corpus):
    rows = [(f"{clip}.wav", *rest) for clip, *rest in SAMPLES[:4]] + [("1612872848295.wav", DARIO, "Sì", "guilt")]
    write_table(corpus / "metadata/samples.csv", "file_name,actor,sentence,emotion_expressed", rows)
    with pytest.raises(InputError, match=r"(?s)1612872848295.wav: 'guilt' is not one of the codes.*joy \(happiness\)"):
        Emozionalmente(corpus).load()


def test_choosing_emotions(corpus):
    assert len(Emozionalmente(corpus, ["anger", "happiness"]).load()) == 2


def test_wrong_folders(tmp_path, corpus):
    with pytest.raises(InputError, match="no such folder"):
        Emozionalmente(tmp_path / "nowhere").load()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "03a01Fa.wav").touch()
    with pytest.raises(InputError, match=r"(?s)no labels of emoz.*metadata/samples.csv; found 03a01Fa.wav.*remedy"):
        Emozionalmente(tmp_path / "other").load()
    shutil.rmtree(corpus / "audio")
    (corpus / "03a01Fa.wav").touch()
    with pytest.raises(InputError, match=r"(?s)none of the 5 labelled clips.*1612872848291.wav; found 03a01Fa.wav"):
        Emozionalmente(corpus).load()
